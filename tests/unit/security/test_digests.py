"""Facts about keyed digests: known answers, and what is looked up for an address (CONTRACTS: Digest)."""

from __future__ import annotations

import hmac
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefcenter.domain.address import Address, Forms, parse
from prefcenter.domain.digest import SUBJECT_KIND, Digest, DigestKind
from prefcenter.domain.terms import AddressKind
from prefcenter.security.digests import AddressDigests, Digester, digest
from prefcenter.security.keyring import Key, Keyring, KeyState, KeyUse, subkey
from tests.unit.security import make_digest_vectors

VECTORS_FILE = Path(__file__).resolve().parents[3] / "fixtures" / "digests.toml"
VECTORS: dict[str, list[dict[str, Any]]] = tomllib.loads(VECTORS_FILE.read_text(encoding="utf-8"))
KEYS = {
    entry["id"]: Key(entry["id"], "2026-11-21T00:00:00.000Z", KeyState.LIVE, bytes.fromhex(entry["secret"]))
    for entry in VECTORS["key"]
}
OLD = Key(1, "2026-11-21T00:00:00.000Z", KeyState.LIVE, KEYS[1].secret)
NEW = Key(2, "2026-11-22T00:00:00.000Z", KeyState.ACTIVE, KEYS[2].secret)
RETIRED = Key(3, "2026-11-20T00:00:00.000Z", KeyState.RETIRED, bytes(32))
KEYRING = Keyring((NEW, OLD, RETIRED))
EMAIL = parse("P.A.T+news@mail.acme.example", AddressKind.EMAIL, country="GB")


def vector_name(vector: dict[str, Any]) -> str:
    return "/".join(str(vector[part])[:24] for part in ("key", "controller", "use", "kind", "form") if part in vector)


def test_the_vectors_are_what_their_script_makes() -> None:
    assert VECTORS_FILE.read_text(encoding="utf-8") == "\n".join(make_digest_vectors.lines()) + "\n"


# RFC 5869, appendix A.3: the test case that has no salt, as ours have none.
def test_the_scripts_hkdf_is_that_of_the_rfc() -> None:
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    assert make_digest_vectors.derived_key(b"\x0b" * 22, b"", 42).hex() == expected


@pytest.mark.parametrize("vector", VECTORS["subkey"], ids=vector_name)
def test_a_subkey_is_the_known_one(vector: dict[str, Any]) -> None:
    assert subkey(KEYS[vector["key"]], vector["controller"], KeyUse(vector["use"])).hex() == vector["subkey"]


@pytest.mark.parametrize("vector", VECTORS["digest"], ids=vector_name)
def test_a_digest_is_the_known_one(vector: dict[str, Any]) -> None:
    match_key = subkey(KEYS[vector["key"]], vector["controller"], KeyUse.MATCH)
    assert digest(match_key, DigestKind[vector["kind"].upper()], vector["form"]).hex() == vector["digest"]


def test_every_kind_has_known_answers_and_its_own_byte() -> None:
    assert {kind.name.lower(): int(kind) for kind in DigestKind} == make_digest_vectors.KIND_BYTES
    assert {vector["kind"] for vector in VECTORS["digest"]} == {kind.name.lower() for kind in DigestKind}


def test_no_two_known_answers_are_the_same() -> None:
    answers = [vector["digest"] for vector in VECTORS["digest"]] + [vector["subkey"] for vector in VECTORS["subkey"]]
    assert len(set(answers)) == len(answers)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.sampled_from(DigestKind), st.binary(min_size=32))
def test_a_digest_is_a_truncated_hmac_of_kind_and_form(form: str, kind: DigestKind, match_key: bytes) -> None:
    expected = hmac.new(match_key, bytes([kind]) + form.encode(), "sha256").digest()[:16]
    assert digest(match_key, kind, form) == expected


@pytest.mark.parametrize(
    ("kind", "text", "subject_kind"),
    [
        (AddressKind.EMAIL, "pat@acme.example", DigestKind.MAILBOX),
        (AddressKind.PHONE, "+44 20 7946 0123", DigestKind.PHONE),
        (AddressKind.POST, "Pat Example, 10 High Street, SW1A 1AA", DigestKind.POST),
        (AddressKind.PUSH, "push:3f9a0c", DigestKind.PUSH),
    ],
)
def test_a_refusal_is_kept_under_the_mailbox_form_and_a_consent_under_the_exact_one(
    kind: AddressKind, text: str, subject_kind: DigestKind
) -> None:
    address = parse(text, kind, country="GB")
    match_key = subkey(NEW, "acme", KeyUse.MATCH)
    found = digests_of(address)
    assert SUBJECT_KIND[kind] is found.subject.kind is subject_kind
    assert found.subject.value == digest(match_key, subject_kind, address.current.mailbox)
    assert found.exact.kind is DigestKind.EXACT
    assert found.exact.value == digest(match_key, DigestKind.EXACT, address.current.exact)
    assert found.subject.value != found.exact.value


def digests_of(address: Address, keyring: Keyring = KEYRING, controller: str = "acme") -> AddressDigests:
    return Digester(keyring, controller).of_address(address)


def expected(kind: DigestKind, form_of: Sequence[tuple[Key, Forms, str]]) -> list[Digest]:
    return [
        Digest(kind, key.id, forms.rules, digest(subkey(key, "acme", KeyUse.MATCH), kind, form))
        for key, forms, form in form_of
    ]


def test_look_ups_try_every_key_and_new_events_go_under_the_active_one() -> None:
    found = digests_of(EMAIL)
    pairs = [(key, forms) for key in (NEW, OLD, RETIRED) for forms in EMAIL.forms]
    assert list(found.subjects) == expected(DigestKind.MAILBOX, [(key, f, f.mailbox) for key, f in pairs])
    assert found.exacts == set(expected(DigestKind.EXACT, [(key, f, f.exact) for key, f in pairs]))
    assert (found.subject.key, found.exact.key) == (2, 2)
    assert found.subject == found.subjects[0]
    assert found.exact in found.exacts


def test_every_rules_version_is_looked_up_under_every_key() -> None:
    forms = (Forms(2, "pat+x@acme.example", "pat@acme.example"), Forms(1, "pat+x@acme.example", "pat+x@acme.example"))
    found = digests_of(Address(AddressKind.EMAIL, forms, "***"))
    assert [(each.key, each.rules) for each in found.subjects] == [(2, 2), (2, 1), (1, 2), (1, 1), (3, 2), (3, 1)]
    assert {(each.key, each.rules) for each in found.exacts} == {(2, 2), (2, 1), (1, 2), (1, 1), (3, 2), (3, 1)}
    assert (found.subject.rules, found.exact.rules) == (2, 2)


def test_the_domain_and_its_parents_are_looked_up_with_the_address() -> None:
    found = digests_of(EMAIL)
    names = [
        (key, EMAIL.current, name) for key in (NEW, OLD, RETIRED) for name in ("mail.acme.example", "acme.example")
    ]
    assert list(found.domains) == expected(DigestKind.DOMAIN, names)
    assert found.looked_up == (*found.subjects, *found.domains)


def test_a_refused_domain_is_found_from_every_address_in_it() -> None:
    digester = Digester(KEYRING, "acme")
    refused = digester.of_domain("acme.example", (1,))
    assert [(each.kind, each.key, each.rules) for each in refused] == [(6, 2, 1), (6, 1, 1), (6, 3, 1)]
    assert set(refused) <= set(digester.of_address(EMAIL).looked_up)
    assert not set(refused) & set(digests_of(parse("pat@notacme.example", AddressKind.EMAIL, country="GB")).looked_up)


def test_a_domain_is_digested_once_for_each_key_and_rules_version() -> None:
    refused = Digester(KEYRING, "acme").of_domain("acme.example", (2, 1))
    assert [(each.key, each.rules) for each in refused] == [(2, 2), (2, 1), (1, 2), (1, 1), (3, 2), (3, 1)]


def test_every_alias_has_one_subject_and_each_its_own_exact_digest() -> None:
    found = [digests_of(parse(text, AddressKind.EMAIL, country="GB")) for text in ("pat@gmail.com", "P.at+x@gmail.com")]
    assert found[0].subject == found[1].subject
    assert not found[0].exacts & found[1].exacts


def test_nothing_of_one_controller_matches_another() -> None:
    ours, theirs = digests_of(EMAIL), digests_of(EMAIL, controller="other")
    assert not {*ours.looked_up, *ours.exacts} & {*theirs.looked_up, *theirs.exacts}


def test_an_address_is_found_after_a_rotation() -> None:
    before = Keyring((Key(1, OLD.created, KeyState.ACTIVE, OLD.secret),))
    written = digests_of(EMAIL, before)
    after = digests_of(EMAIL, before.rotated("2026-11-22T00:00:00.000Z"))
    assert written.subject in after.subjects
    assert written.exact in after.exacts
    assert set(written.domains) <= set(after.domains)
    assert after.subject != written.subject
