"""Lists of hashes that vendors hand out: refusals of people whose addresses nobody here has ever seen."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest

from prefcenter.domain.digest import HASH_KINDS, DigestKind
from prefcenter.domain.errors import InvalidAddress
from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.terms import AddressKind, Channel, RefusalReason
from prefcenter.services.acts import Outcome
from prefcenter.services.decisions import Question
from prefcenter.services.import_batches import RowOutcome
from prefcenter.services.importing import RefusalRow, RowError
from tests.factories import DAY, NOW
from tests.running_home import RunningHome
from tests.unit.services.asking import BUSINESS, CONTROLLER, a_consent, importing_of, reason, recording_of

ADDED, ALREADY = RowOutcome.ADDED, RowOutcome.ALREADY
MANUAL, OPTED_OUT, ON_REGISTRY = RefusalReason.MANUAL, RefusalReason.OPTED_OUT, RefusalReason.ON_REGISTRY
BY_EMAIL = Scope(channel=Channel.EMAIL)


def hash_of(text: str, kind: DigestKind = DigestKind.SHA256) -> str:
    return hashlib.new(kind.name.lower(), text.encode()).hexdigest()


def refuse(
    home: RunningHome,
    hashes: Sequence[str],
    kind: DigestKind = DigestKind.SHA256,
    why: RefusalReason = MANUAL,
    scope: Scope = EVERYTHING,
    at_ms: int = NOW,
) -> list[RowOutcome | RowError]:
    rows = [RefusalRow(text, at_ms) for text in hashes]
    importing = importing_of(home)
    return list(home.run(importing.refuse(rows, why, scope, "vendor", AddressKind.EMAIL, kind)))


@pytest.mark.parametrize("kind", HASH_KINDS)
def test_an_address_whose_hash_a_vendor_lists_is_refused(home: RunningHome, kind: DigestKind) -> None:
    assert reason(home) == "permitted"
    assert refuse(home, [f" {hash_of(BUSINESS, kind).upper()} "], kind) == [ADDED]
    assert reason(home) == "manual"
    assert reason(home, "kim@acme.example") == "permitted"
    assert refuse(home, [hash_of(BUSINESS, kind)], kind) == [ALREADY]


@pytest.mark.parametrize(
    ("listed", "asked", "expected"),
    [
        ("pat.doe@gmail.com", " Pat.Doe@Gmail.com ", "manual"),
        ("patdoe@gmail.com", "Pat.Doe+news@googlemail.com", "manual"),
        ("pat.doe+news@gmail.com", "Pat Doe <pat.doe+NEWS@gmail.com>", "manual"),
        ("pat.doe+news@gmail.com", "pat.doe@gmail.com", "no_consent"),
        ("pat@bücher.example", "pat@Bücher.example", "manual"),
    ],
)
def test_a_hash_is_of_the_address_as_written_or_of_its_mailbox(
    home: RunningHome, listed: str, asked: str, expected: str
) -> None:
    refuse(home, [hash_of(listed)])
    assert reason(home, asked) == expected


def test_the_hash_of_a_phone_number_is_found(home: RunningHome) -> None:
    rows = [RefusalRow(hash_of("+447700900123"), NOW)]
    scope = Scope(channel=Channel.SMS)
    home.run(importing_of(home).refuse(rows, MANUAL, scope, "vendor", AddressKind.PHONE, DigestKind.SHA256))
    assert reason(home, "07700 900123", channel=Channel.SMS) == "manual"
    assert reason(home, "07700 900124", channel=Channel.SMS) == "permitted"


def test_one_batch_finds_hashes_and_addresses_alike(home: RunningHome) -> None:
    refuse(home, [hash_of("kim@acme.example"), hash_of("lee@acme.example")])
    home.run(recording_of(home).opt_out("max@acme.example", EVERYTHING, "form"))
    asked = ["pat", "kim", "broken address", "lee", "max"]
    questions = [Question(f"{name}@acme.example", "candidate-contact", Channel.EMAIL) for name in asked]
    reasons = [decision.reason.value for decision in home.answer(CONTROLLER, questions)]
    assert reasons == ["permitted", "manual", "invalid_address", "manual", "opted_out"]


def test_a_hash_is_found_under_the_key_that_it_was_written_with(home: RunningHome) -> None:
    refuse(home, [hash_of(BUSINESS)])
    home.rotate_keys()
    assert reason(home) == "manual"
    assert refuse(home, [hash_of(BUSINESS), hash_of("kim@acme.example")]) == [ALREADY, ADDED]
    assert reason(home, "kim@acme.example") == "manual"


def test_hashes_of_one_controller_say_nothing_to_another(home: RunningHome) -> None:
    refuse(home, [hash_of(BUSINESS)], why=RefusalReason.LEGAL)
    assert reason(home, purpose="contract-service") == "legal"
    assert reason(home, purpose="account-administration", controller="contact-center-1") == "permitted"


@pytest.mark.parametrize("text", ["", "pat@acme.example", "0f" * 31, "0g" * 32, "0f" * 33, "٠" * 64])
def test_what_is_no_hash_is_an_invalid_row(home: RunningHome, text: str) -> None:
    outcome, other = refuse(home, [text, hash_of(BUSINESS)])
    assert isinstance(outcome, InvalidAddress)
    assert str(outcome) == "is no SHA256 hash in hex"
    assert other is ADDED
    assert reason(home) == "manual"


def test_a_list_without_any_hash_changes_nothing(home: RunningHome) -> None:
    heads = home.run(home.of(CONTROLLER).decisions.heads())
    refuse(home, ["nothing"])
    assert home.run(home.of(CONTROLLER).decisions.heads()) == heads


def test_an_administrator_lifts_a_refusal_that_came_as_a_hash(home: RunningHome) -> None:
    refuse(home, [hash_of(BUSINESS)])
    assert home.run(recording_of(home).lift(BUSINESS, MANUAL, "wrong-person")) is Outcome.RECORDED
    assert reason(home) == "permitted"
    assert home.run(recording_of(home).lift(BUSINESS, MANUAL, "wrong-person")) is Outcome.ABSENT


def test_the_persons_own_later_consent_outweighs_a_hash_and_a_reported_one_waits(home: RunningHome) -> None:
    refuse(home, [hash_of(BUSINESS)], why=OPTED_OUT, at_ms=NOW - DAY)
    home.now_ms = NOW + DAY
    recording = recording_of(home)
    assert home.run(recording.record_consent(BUSINESS, a_consent(), is_confirmed=False)) is Outcome.PENDING
    assert reason(home) == "opted_out"
    assert home.run(recording.record_consent(BUSINESS, a_consent())) is Outcome.RECORDED
    assert reason(home) == "permitted"


def test_a_replaced_registry_of_hashes_lifts_who_is_not_on_it_any_more(home: RunningHome) -> None:
    kept, gone = hash_of(BUSINESS), hash_of("kim@acme.example")
    refuse(home, [kept, gone], why=ON_REGISTRY, scope=BY_EMAIL)
    importing = importing_of(home)
    subjects = importing.subjects(kept, AddressKind.EMAIL, DigestKind.SHA256)
    listed = frozenset(digest.value for digest in subjects)
    assert home.run(importing.delist("vendor", BY_EMAIL, listed, NOW)) == 1
    assert (reason(home), reason(home, "kim@acme.example")) == ("on_registry", "permitted")
    assert refuse(home, [gone], why=ON_REGISTRY, scope=BY_EMAIL) == [ADDED]
    assert reason(home, "kim@acme.example") == "on_registry"


def test_a_refusal_of_one_cell_by_hash_refuses_that_cell_only(home: RunningHome) -> None:
    refuse(home, [hash_of(BUSINESS)], scope=Scope("client-marketing"))
    assert reason(home) == "manual"
    assert reason(home, purpose="candidate-contact") == "permitted"
    assert Cell("client-marketing", Channel.EMAIL).purpose == "client-marketing"
