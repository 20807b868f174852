"""Facts about the canonical document of a policy, and about what its version depends on."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from prefcenter.domain.errors import Fault, InvalidPolicy
from prefcenter.domain.terms import AddressClass, Channel, PurposeClass, RefusalReason
from prefcenter.services.policy_document import LoadedPolicy, policy_document, policy_from_document, says_the_same
from tests.unit.services.acme_policy import VALID, edited, parsed

ROOT = Path(__file__).resolve().parents[3]

SAME_MEANING = [
    ("a comment", VALID.replace("[rights]", "# Why.\n[rights]")),
    ("the order of keys", edited(('id = "acme"\nname = "Acme"', 'name = "Acme"\nid = "acme"'))),
    ("the order of channels", edited(('["email", "sms"]', '["sms", "email"]'))),
    ("the order of audiences", edited(('["client", "app_user"]', '["app_user", "client"]'))),
    ("the order of what is succeeded", edited(('["old-news", "older-news"]', '["older-news", "old-news"]'))),
    ("the order of tables", VALID[VALID.index("[[data_use]]") :] + VALID[: VALID.index("[[data_use]]")]),
    ("a clause as a table", edited(('minor = "AW-1"', 'minor = { default = "AW-1" }'))),
    ("a default left out", edited(('unknown_class = "personal"\n', ""), ("decision_ttl_hours = 24\n", ""))),
    ("an empty reserved table", VALID + "[brand]\n"),
]


@pytest.mark.parametrize(("what", "text"), SAME_MEANING, ids=[what for what, _ in SAME_MEANING])
def test_the_version_does_not_depend_on(what: str, text: str) -> None:
    assert parsed(text).version == parsed(VALID).version


def test_the_version_does_not_depend_on_the_order_of_purposes() -> None:
    first, second, third = (VALID.index(mark) for mark in ('[[purpose]]\nid = "news"', '[[purpose]]\nid = "s', "[[d"))
    swapped = VALID[:first] + VALID[second:third] + VALID[first:second] + VALID[third:]
    assert parsed(swapped).version == parsed(VALID).version


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('label = "News"', 'label = "Our news"'),
        ("hours = 24", "hours = 23"),
        ('answered_within = "P1M"', 'answered_within = "P28D"'),
        ('["email", "sms"]', '["email"]'),
        ("count = 4", "count = 5"),
    ],
)
def test_the_version_changes_with_the_meaning(old: str, new: str) -> None:
    assert parsed(edited((old, new))).version != parsed(VALID).version


def test_the_version_of_a_policy_is_known() -> None:
    assert parsed(VALID).version == "b4ac6d494e856f0b"


def test_the_document_holds_the_whole_policy_and_gives_it_back() -> None:
    policy = parsed(edited(("[rights]", '[brand]\nname = "Ärger"\n[rights]')))
    document = policy_document(policy)
    assert policy_from_document(document) == policy
    assert policy_document(policy_from_document(document)) == document
    assert policy.tables["brand"] == {"name": "Ärger"}
    assert policy.tables["rights"] == {"answered_within": "P1M", "clause": "AW-1"}
    assert "Ärger" in document
    assert document == json.dumps(json.loads(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def test_a_policy_that_is_in_force_stays_readable_under_stricter_rules() -> None:
    tables = parsed(VALID).tables
    tables["purpose"][0]["basis"]["personal"] = "legitimate_interests"
    assert isinstance(policy_from_document(json.dumps(tables)), LoadedPolicy)


@pytest.mark.parametrize("document", ["", "[]", "{}", "null", '{"purpose":[],"data_use":[]}', "[" * 100_000])
def test_a_stored_text_that_is_no_policy_is_a_fault(document: str) -> None:
    with pytest.raises(InvalidPolicy) as raised:
        policy_from_document(document)
    assert raised.value.faults == (Fault("stored policy", "document", "a policy document that this program wrote"),)


def test_every_key_reaches_the_policy_as_it_was_written() -> None:
    policy = parsed(VALID)
    assert (policy.controller, policy.name, policy.country) == ("acme", "Acme", "GB")
    assert (policy.unknown_class, policy.decision_ttl_hours) == (AddressClass.PERSONAL, 24)
    assert policy.bare_opt_out == "everything"
    news = policy.purpose_by_id["news"]
    assert (news.label, news.purpose_class) == ("News", PurposeClass.PROMOTIONAL)
    assert news.audiences == {"client", "app_user"}
    assert news.channels == {Channel.EMAIL, Channel.SMS}
    assert news.clause == {AddressClass.BUSINESS: "AW-1", AddressClass.PERSONAL: "HOUSE-1"}
    assert news.succeeds == {"old-news", "older-news"}
    assert news.cap is not None
    assert (news.cap.count, news.cap.days, news.cap.clause) == (4, 30, "AW-3")
    assert policy.refusal_clauses[RefusalReason.OPTED_OUT].by_class == {PurposeClass.RECRUITMENT: "AW-2"}
    assert policy_from_document(policy_document(replace(policy))) == policy


NOT_THE_SAME = [
    ("a key that is unknown", ("[rights]", "[right]\n[rights]")),
    ("a key that is unknown in a purpose", ('label = "News"', 'label = "News"\ncolour = 1')),
    ("a number written as text", ("hours = 24", 'hours = "24"')),
    ("a number written with a point", ("hours = 24", "hours = 24.0")),
    ("a list written as text", ('audiences = ["all"]', 'audiences = "all"')),
    ("a date", ('answered_within = "P1M"', "answered_within = 2026-01-01")),
    ("a key left out that is required", ('name = "Acme"\n', "")),
    ("a set with an entry twice", ('["email", "sms"]', '["email", "email", "sms"]')),
    ("a reserved table that is none", ("[rights]", "[brand.sub]\n[rights]")),
]


@pytest.mark.parametrize(("what", "text"), SAME_MEANING, ids=[what for what, _ in SAME_MEANING])
def test_a_file_of_the_same_meaning_says_the_same(what: str, text: str) -> None:
    assert says_the_same(tomllib.loads(text), parsed(VALID).document)


@pytest.mark.parametrize(("what", "edit"), NOT_THE_SAME, ids=[what for what, _ in NOT_THE_SAME])
def test_what_was_never_checked_does_not_say_the_same(what: str, edit: tuple[str, str]) -> None:
    assert not says_the_same(tomllib.loads(edited(edit)), parsed(VALID).document)


@pytest.mark.parametrize("raw", [{}, {"controller": 1}, {"controller": {}, "clauses": {}, "purpose": {"id": "news"}}])
def test_tables_of_another_shape_do_not_say_the_same(raw: dict[str, object]) -> None:
    assert not says_the_same(raw, parsed(VALID).document)


def test_a_policy_in_force_is_read_without_the_schema_library(tmp_path: Path) -> None:
    (tmp_path / "acme.toml").write_text(VALID, encoding="utf-8")
    (tmp_path / "document.json").write_text(parsed(VALID).document, encoding="utf-8")
    script = """
import pathlib, sys
from prefcenter.services.policy_files import load_policy
home = pathlib.Path(sys.argv[1])
document = (home / "document.json").read_text(encoding="utf-8")
policy = load_policy(home / "acme.toml", known_clauses=None, in_force_document=document)
sys.exit(policy.document != document or "pydantic" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, check=False).returncode == 0
