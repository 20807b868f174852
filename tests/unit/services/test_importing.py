"""Lists of refusals and consents: what each row did, and that a list of refusals can only tighten."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from prefcenter.domain.errors import InvalidAddress, InvalidInput, InvalidTime, StoreBusy
from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.terms import AddressKind, Channel, RefusalReason
from prefcenter.services.acts import ATTEMPTS_MAX
from prefcenter.services.import_batches import RowOutcome
from prefcenter.services.importing import GrantRow, RefusalRow, RowError
from tests.factories import DAY, HOUR, MINUTE, NOW
from tests.running_home import RunningHome
from tests.unit.services.asking import BUSINESS, a_consent, importing_of, reason, recording_of
from tests.unit.services.contested import contested_store, importing_on

EMAIL = AddressKind.EMAIL
OPTED_OUT, ON_REGISTRY = RefusalReason.OPTED_OUT, RefusalReason.ON_REGISTRY
ADDED, ALREADY, REVERSED = RowOutcome.ADDED, RowOutcome.ALREADY, RowOutcome.REVERSED
BY_EMAIL = Scope(channel=Channel.EMAIL)


def refuse(
    home: RunningHome,
    addresses: Sequence[str] = (BUSINESS,),
    at_ms: int = NOW,
    why: RefusalReason = OPTED_OUT,
    source: str = "old-system",
) -> list[RowOutcome | RowError]:
    scope = BY_EMAIL if why is ON_REGISTRY else EVERYTHING
    rows = [RefusalRow(address, at_ms) for address in addresses]
    return list(home.run(importing_of(home).refuse(rows, why, scope, source, EMAIL)))


def test_a_row_is_added_once(home: RunningHome) -> None:
    assert refuse(home) == [ADDED]
    assert reason(home) == "opted_out"
    assert refuse(home) == [ALREADY]


def test_every_alias_of_a_mailbox_is_the_same_row(home: RunningHome) -> None:
    assert refuse(home, ["p.a.t@gmail.com", "pat+x@googlemail.com", "PAT@gmail.com"]) == [ADDED, ALREADY, ALREADY]


def test_the_same_list_again_is_all_already_even_after_a_consent(home: RunningHome) -> None:
    refuse(home)
    home.now_ms = NOW + DAY
    home.run(recording_of(home).record_consent(BUSINESS, a_consent()))
    assert refuse(home) == [ALREADY]
    assert reason(home) == "permitted"


def test_a_later_time_refuses_anew_and_counts_as_reversed(home: RunningHome) -> None:
    refuse(home)
    home.now_ms = NOW + DAY
    home.run(recording_of(home).record_consent(BUSINESS, a_consent()))
    home.now_ms = NOW + 2 * DAY
    assert refuse(home, at_ms=home.now_ms) == [REVERSED]
    assert reason(home) == "opted_out"


def test_a_refusal_that_is_newer_and_opens_nothing_is_already_there(home: RunningHome) -> None:
    refuse(home, at_ms=NOW - DAY)
    assert refuse(home, at_ms=NOW) == [ALREADY]


def test_a_refusal_older_than_a_consent_leaves_it_open(home: RunningHome) -> None:
    home.run(recording_of(home).record_consent(BUSINESS, a_consent()))
    assert refuse(home, at_ms=NOW - DAY) == [ADDED]
    assert reason(home) == "permitted"
    assert reason(home, "pat+x@acme.example") == "opted_out"


def test_a_consent_that_has_expired_is_not_reversed(home: RunningHome) -> None:
    home.run(recording_of(home).record_consent(BUSINESS, a_consent(expires_ms=NOW + HOUR)))
    home.now_ms = NOW + DAY
    assert refuse(home, at_ms=home.now_ms) == [ADDED]


def test_a_refusal_of_another_purpose_reverses_no_consent(home: RunningHome) -> None:
    home.run(recording_of(home).record_consent(BUSINESS, a_consent()))
    rows = [RefusalRow(BUSINESS, NOW)]
    outcomes = home.run(importing_of(home).refuse(rows, OPTED_OUT, Scope("candidate-contact"), "list", EMAIL))
    assert list(outcomes) == [ADDED]


def test_a_refusal_of_a_data_use_reverses_a_consent_to_it(home: RunningHome) -> None:
    sensitive = Cell(None, None, "sensitive-data")
    home.run(recording_of(home, "contact-center-1").record_consent(BUSINESS, a_consent(sensitive, NOW - DAY)))
    importing = importing_of(home, "contact-center-1")
    rows, scope = [RefusalRow(BUSINESS, NOW)], Scope(data_use="sensitive-data")
    assert list(home.run(importing.refuse(rows, OPTED_OUT, scope, "list", EMAIL))) == [REVERSED]


def test_a_consent_outweighs_a_registry_that_lists_it_later(home: RunningHome) -> None:
    home.run(recording_of(home).record_consent(BUSINESS, a_consent(given_ms=NOW - DAY)))
    assert refuse(home, why=ON_REGISTRY) == [ADDED]
    assert reason(home) == "permitted"


def test_the_same_list_after_a_rotation_is_all_already(home: RunningHome) -> None:
    refuse(home)
    home.rotate_keys()
    assert refuse(home) == [ALREADY]


def test_invalid_rows_are_named_and_the_others_imported(home: RunningHome) -> None:
    rows = [RefusalRow("nobody", NOW), RefusalRow(BUSINESS, NOW + DAY), RefusalRow("kim@acme.example", NOW)]
    outcomes = home.run(importing_of(home).refuse(rows, OPTED_OUT, EVERYTHING, "list", EMAIL))
    assert [type(outcome) for outcome in outcomes] == [InvalidAddress, InvalidTime, RowOutcome]
    assert not any("nobody" in str(outcome) for outcome in outcomes)
    assert reason(home) == "permitted"
    assert reason(home, "kim@acme.example") == "opted_out"


def test_a_list_may_name_whole_domains(home: RunningHome) -> None:
    assert refuse(home, ["@acme.example", "@gmail.com"], why=RefusalReason.MANUAL)[0] is ADDED
    assert reason(home) == "manual"
    assert reason(home, "pat@gmail.com") == "no_consent"


def test_a_list_of_phone_numbers_reads_each_as_one(home: RunningHome) -> None:
    rows, scope = [RefusalRow("020 7946 0018", NOW)], Scope(channel=Channel.VOICE)
    kind = AddressKind.PHONE
    assert list(home.run(importing_of(home).refuse(rows, ON_REGISTRY, scope, "tps", kind))) == [ADDED]
    assert reason(home, "+44 20 7946 0018", channel=Channel.VOICE) == "on_registry"


def test_erasures_are_single_acts(home: RunningHome) -> None:
    with pytest.raises(InvalidInput, match="single acts"):
        importing_of(home).checked_scope(RefusalReason.ERASED, EVERYTHING, "list", EMAIL)


def test_a_list_is_checked_before_any_row_is_read(home: RunningHome) -> None:
    importing = importing_of(home)
    assert importing.checked_scope(ON_REGISTRY, EVERYTHING, "tps", EMAIL) == BY_EMAIL
    with pytest.raises(InvalidInput, match=r"^source: "):
        importing.checked_scope(OPTED_OUT, EVERYTHING, "a list of Pat's", EMAIL)
    with pytest.raises(InvalidInput, match=r"^purpose: "):
        importing.checked_scope(OPTED_OUT, Scope("clientmarketing"), "list", EMAIL)


@pytest.mark.parametrize("kind", [EMAIL, AddressKind.PHONE])
def test_a_registry_of_people_against_a_data_use_needs_no_channel(home: RunningHome, kind: AddressKind) -> None:
    importing, scope = importing_of(home, "contact-center-1"), Scope(data_use="sensitive-data")
    assert importing.checked_scope(ON_REGISTRY, scope, "opt-out-register", kind) == scope


def test_the_time_of_an_import_is_that_of_its_first_run(home: RunningHome) -> None:
    importing, sha256 = importing_of(home), bytes(32)
    assert home.run(importing.begin(sha256, ["opted_out", "list"])) == NOW
    home.now_ms = NOW + DAY
    assert home.run(importing.begin(sha256, ["opted_out", "list"])) == NOW
    assert home.run(importing.begin(sha256, ["manual", "list"])) == NOW + DAY
    assert home.run(importing.begin(bytes(31) + b"1", ["opted_out", "list"])) == NOW + DAY


def test_a_replaced_registry_lets_go_of_those_it_no_longer_names(home: RunningHome) -> None:
    refuse(home, [BUSINESS, "kim@acme.example", "@partner.example"], why=ON_REGISTRY, source="tps")
    listed = frozenset(digest.value for digest in importing_of(home).subjects("kim@acme.example", EMAIL))
    assert home.run(importing_of(home).delist("tps", BY_EMAIL, listed, home.now_ms)) == 2
    assert reason(home) == "permitted"
    assert reason(home, "lee@partner.example") == "permitted"
    assert reason(home, "kim@acme.example") == "on_registry"
    assert home.run(importing_of(home).delist("tps", BY_EMAIL, listed, home.now_ms)) == 0


def test_a_replaced_registry_leaves_what_another_registry_and_the_person_said(home: RunningHome) -> None:
    refuse(home, why=ON_REGISTRY, source="tps")
    refuse(home, why=ON_REGISTRY, source="robinson")
    assert home.run(importing_of(home).delist("tps", BY_EMAIL, frozenset(), home.now_ms)) == 1
    assert reason(home) == "on_registry"
    refuse(home, why=OPTED_OUT)
    assert home.run(importing_of(home).delist("robinson", BY_EMAIL, frozenset(), home.now_ms)) == 1
    assert reason(home) == "opted_out"


def test_a_replaced_registry_reaches_records_of_older_keys(home: RunningHome) -> None:
    refuse(home, [BUSINESS, "kim@acme.example"], why=ON_REGISTRY, source="tps")
    home.rotate_keys()
    listed = frozenset(digest.value for digest in importing_of(home).subjects("kim@acme.example", EMAIL))
    assert home.run(importing_of(home).delist("tps", BY_EMAIL, listed, home.now_ms)) == 1
    assert (reason(home), reason(home, "kim@acme.example")) == ("permitted", "on_registry")


def test_a_replaced_registry_speaks_of_its_own_channel_only(home: RunningHome) -> None:
    importing, number = importing_of(home), "020 7946 0018"
    for channel in (Channel.SMS, Channel.VOICE):
        rows, scope = [RefusalRow(number, NOW)], Scope(channel=channel)
        home.run(importing.refuse(rows, ON_REGISTRY, scope, "tps", AddressKind.PHONE))
    assert home.run(importing.delist("tps", BY_EMAIL, frozenset(), NOW)) == 0
    assert home.run(importing.delist("tps", Scope(channel=Channel.VOICE), frozenset(), NOW)) == 1
    assert reason(home, number, channel=Channel.SMS) == "on_registry"
    assert reason(home, number, channel=Channel.VOICE) == "permitted"


def test_an_older_list_again_lets_nobody_go_whom_a_later_one_named(home: RunningHome) -> None:
    refuse(home, at_ms=NOW - DAY, why=ON_REGISTRY, source="tps")
    refuse(home, ["kim@acme.example"], at_ms=NOW, why=ON_REGISTRY, source="tps")
    assert home.run(importing_of(home).delist("tps", BY_EMAIL, frozenset(), NOW - DAY)) == 1
    assert (reason(home), reason(home, "kim@acme.example")) == ("permitted", "on_registry")


def test_consents_are_imported_for_their_exact_addresses(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page", NOW - DAY))
    row = GrantRow(BUSINESS, a_consent(given_ms=NOW - HOUR))
    assert list(home.run(importing_of(home).grant([row, row]))) == [ADDED, ALREADY]
    assert list(home.run(importing_of(home).grant([row]))) == [ALREADY]
    assert (reason(home), reason(home, "pat+x@acme.example")) == ("permitted", "opted_out")


def test_the_same_consents_after_a_rotation_are_all_already(home: RunningHome) -> None:
    row = GrantRow(BUSINESS, a_consent(given_ms=NOW - HOUR))
    assert list(home.run(importing_of(home).grant([row]))) == [ADDED]
    home.rotate_keys()
    assert list(home.run(importing_of(home).grant([row]))) == [ALREADY]


def test_an_imported_consent_that_is_no_later_than_a_refusal_reopens_nothing(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page", NOW - HOUR))
    row = GrantRow(BUSINESS, a_consent(given_ms=NOW - HOUR + MINUTE))
    assert list(home.run(importing_of(home).grant([row]))) == [ADDED]
    assert reason(home) == "opted_out"


def test_consents_without_a_time_of_a_domain_or_for_no_cell_are_invalid_rows(home: RunningHome) -> None:
    rows = [
        GrantRow(BUSINESS, a_consent()),
        GrantRow("@acme.example", a_consent(given_ms=NOW)),
        GrantRow(BUSINESS, a_consent(Cell("contract-service", Channel.EMAIL), NOW)),
        GrantRow(BUSINESS, a_consent(given_ms=NOW + DAY)),
        GrantRow(BUSINESS, a_consent(given_ms=NOW)),
    ]
    outcomes = home.run(importing_of(home).grant(rows))
    assert [str(outcome) for outcome in outcomes] == [
        "time: a consent must say when it was given",
        "address: a whole domain cannot consent",
        "contract-service is administrative and rests on the contract; consent is not asked for",
        "the time lies in the future",
        "added",
    ]


def test_a_batch_is_tried_again_until_nobody_is_first(home: RunningHome) -> None:
    store = contested_store(home, conflicts=5)
    importing = importing_on(home, store)
    rows = [RefusalRow(BUSINESS, NOW)]
    assert list(home.run(importing.refuse(rows, OPTED_OUT, EVERYTHING, "list", EMAIL))) == [ADDED]
    home.run(store.close())
    assert reason(home) == "opted_out"


def test_a_batch_that_is_never_first_is_not_acknowledged(home: RunningHome) -> None:
    store = contested_store(home, conflicts=ATTEMPTS_MAX)
    importing = importing_on(home, store)
    with pytest.raises(StoreBusy, match="nothing was acknowledged"):
        home.run(importing.refuse([RefusalRow(BUSINESS, NOW)], OPTED_OUT, EVERYTHING, "list", EMAIL))
    home.run(store.close())
    assert reason(home) == "permitted"


def test_the_time_of_an_import_is_never_after_now_though_the_clock_was_set_back(home: RunningHome) -> None:
    first = home.run(importing_of(home).begin(bytes(32), ["manual"]))
    home.now_ms = first - HOUR
    assert home.run(importing_of(home).begin(bytes(32), ["manual"])) == first - HOUR
    home.now_ms = first + HOUR
    assert home.run(importing_of(home).begin(bytes(32), ["manual"])) == first


def test_a_consent_for_a_data_use_is_of_the_address_that_the_channel_says(home: RunningHome) -> None:
    cell = Cell(None, None, "representative-sharing")
    row = GrantRow("020 7946 0123", a_consent(cell, NOW - HOUR), Channel.EMAIL)
    (outcome,) = home.run(importing_of(home, "contact-center-1").grant([row]))
    assert isinstance(outcome, InvalidAddress)
