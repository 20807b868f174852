"""Facts about reading policies from files: every fault of a directory comes at once, and examples load."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from prefcenter.domain.errors import Fault, InvalidPolicy
from prefcenter.domain.policy import Policy
from prefcenter.domain.terms import RefusalReason
from prefcenter.services.policy_files import (
    MAX_FILE_SIZE_BYTES,
    STARTER_POLICY_FILE_NAME,
    clauses_file,
    known_clauses,
    load_policies,
    load_policy,
    parse_policy,
    starter_policy_text,
)
from tests.unit.services.acme_policy import KNOWN, VALID, edited, faults_of, parsed

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[controller]\nid = "pat@example.com', "end of document"),
        ("[controller]\n[controller]", "line 2"),
        ("[controller", "end of document"),
        (f"number = {'9' * 5000}", "file"),
        (f"deep = {'[' * 100_000}", "file"),
    ],
)
def test_what_is_no_toml_is_a_fault_that_quotes_nothing(text: str, key: str) -> None:
    assert faults_of(text) == [(key, "TOML that can be read")]


def write_policies(directory: Path, **text_of_controller: str) -> Path:
    for controller, text in text_of_controller.items():
        (directory / f"{controller}.toml").write_text(text, encoding="utf-8")
    return directory


def faults_of_directory(directory: Path, in_force: Mapping[str, Policy] | None = None) -> list[Fault]:
    with pytest.raises(InvalidPolicy) as raised:
        load_policies(directory, known_clauses=KNOWN, in_force=in_force or {})
    return list(raised.value.faults)


def test_the_policies_of_a_directory_come_by_controller(tmp_path: Path) -> None:
    write_policies(tmp_path, acme=VALID, zenith=VALID.replace('id = "acme"', 'id = "zenith"'))
    (tmp_path / "README.md").write_text("No policy.", encoding="utf-8")
    (tmp_path / ".draft.toml").write_text("no policy", encoding="utf-8")
    policies = load_policies(tmp_path, known_clauses=KNOWN)
    assert {controller: policy.controller for controller, policy in policies.items()} == {
        "acme": "acme",
        "zenith": "zenith",
    }


def test_the_faults_of_all_files_come_at_once(tmp_path: Path) -> None:
    write_policies(tmp_path, acme=edited(("hours = 24", "hours = 25")), broken="[", other=VALID)
    (tmp_path / "latin.toml").write_bytes('[controller]\nname = "Zoë"'.encode("latin-1"))
    (tmp_path / "large.toml").write_bytes(b"#" * (MAX_FILE_SIZE_BYTES + 1))
    (tmp_path / "not-a-file.toml").mkdir()
    assert [(fault.file, fault.key, fault.expected) for fault in faults_of_directory(tmp_path)] == [
        ("acme.toml", "controller.decision_ttl_hours", "a whole number from 1 to 24"),
        ("broken.toml", "end of document", "TOML that can be read"),
        ("large.toml", "file", "at most 1000000 bytes"),
        ("latin.toml", "file", "text in UTF-8"),
        ("not-a-file.toml", "file", "a file that can be read"),
        ("other.toml", "controller.id", "the name of the file without `.toml`"),
    ]


def test_a_missing_or_empty_directory_is_a_fault(tmp_path: Path) -> None:
    assert faults_of_directory(tmp_path / "absent") == [Fault("absent", "directory", "a directory that can be read")]
    assert faults_of_directory(tmp_path) == [
        Fault(tmp_path.name, "directory", "at least one policy in a file `<controller>.toml`")
    ]


def test_one_file_loads_alone_with_a_byte_order_mark_and_any_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "acme.toml"
    path.write_bytes(VALID.replace("\n", "\r\n").encode("utf-8-sig"))
    assert load_policy(path, known_clauses=KNOWN).version == parsed(VALID).version


def test_a_file_that_says_what_is_in_force_is_taken_as_checked(tmp_path: Path) -> None:
    in_force = parsed(VALID)
    path = write_policies(tmp_path, acme=VALID.replace("[rights]", "# Why.\n[rights]")) / "acme.toml"
    assert load_policy(path, known_clauses=frozenset(), in_force_document=in_force.document) == in_force


def test_a_file_that_differs_from_the_policy_in_force_is_checked(tmp_path: Path) -> None:
    in_force = parsed(VALID)
    path = write_policies(tmp_path, acme=edited(("hours = 24", "hours = 23"))) / "acme.toml"
    changed = load_policy(path, known_clauses=KNOWN, in_force_document=in_force.document)
    assert (changed.decision_ttl_hours, changed.version != in_force.version) == (23, True)
    write_policies(tmp_path, acme=edited(("hours = 24", "hours = 25")))
    with pytest.raises(InvalidPolicy):
        load_policy(path, known_clauses=KNOWN, in_force_document=in_force.document)


def test_a_register_beside_the_policies_adds_its_clauses(tmp_path: Path) -> None:
    write_policies(tmp_path, acme=edited(('minor = "AW-1"', 'minor = "MY-1"')))
    assert [fault.key for fault in faults_of_directory(tmp_path)] == ["clauses.minor"]
    (tmp_path / "clauses.md").write_text("- **MY-1**: We write to no child.\n", encoding="utf-8")
    loaded = load_policies(tmp_path, known_clauses=KNOWN)["acme"]
    assert loaded.refusal_clauses[RefusalReason.MINOR].default == "MY-1"
    assert load_policy(tmp_path / "acme.toml", known_clauses=KNOWN) == loaded


def test_a_faulty_register_is_reported_once_and_hides_no_other_fault(tmp_path: Path) -> None:
    write_policies(tmp_path, acme=edited(('minor = "AW-1"', 'minor = "MY-1"'), ("hours = 24", "hours = 25")))
    (tmp_path / "clauses.md").write_text("MY-1 is no line of a register.\n", encoding="utf-8")
    assert [(fault.file, fault.key) for fault in faults_of_directory(tmp_path)] == [
        ("clauses.md", "file"),
        ("acme.toml", "controller.decision_ttl_hours"),
    ]


def test_without_a_register_any_well_formed_clause_may_be_cited(tmp_path: Path) -> None:
    policy = parse_policy(edited(('minor = "AW-1"', 'minor = "XX-9"')), "acme.toml", known_clauses=None)
    assert policy.refusal_clauses[RefusalReason.MINOR].default == "XX-9"


def test_a_policy_that_would_reopen_refusals_is_a_fault_of_its_file(tmp_path: Path) -> None:
    in_force = load_policies(write_policies(tmp_path, acme=VALID), known_clauses=KNOWN)
    text = edited(('id = "news"', 'id = "bulletin"'), ("hours = 24", "hours = 12"))
    write_policies(tmp_path, acme=text, zenith=VALID.replace('id = "acme"', 'id = "zenith"').replace("= 24", "= 99"))
    assert [(fault.file, fault.key) for fault in faults_of_directory(tmp_path, in_force)] == [
        ("acme.toml", "purpose[news]"),
        ("zenith.toml", "controller.decision_ttl_hours"),
    ]
    write_policies(tmp_path, acme=text.replace('["old-news"', '["news", "old-news"'))
    (tmp_path / "zenith.toml").unlink()
    assert set(load_policies(tmp_path, known_clauses=KNOWN, in_force=in_force)) == {"acme"}


def test_the_starter_policy_loads_and_explains_itself() -> None:
    text = starter_policy_text()
    policy = parse_policy(text, STARTER_POLICY_FILE_NAME, known_clauses=known_clauses(clauses_file()))
    assert f"{policy.controller}.toml" == STARTER_POLICY_FILE_NAME
    assert text.count("#") > 10


def test_the_example_of_the_documentation_loads(tmp_path: Path) -> None:
    documented = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", documented, flags=re.DOTALL)
    (register,) = re.findall(r"```markdown\n(.*?)```", documented, flags=re.DOTALL)
    (tmp_path / "clauses.md").write_text(register, encoding="utf-8")
    write_policies(tmp_path, **{"acme-widgets": example})
    policies = load_policies(tmp_path, known_clauses=known_clauses(clauses_file()))
    assert set(policies) == {"acme-widgets"}
