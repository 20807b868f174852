"""Where refusals of one address go, and where they stop: one hop by way of the one contact that holds it."""

from __future__ import annotations

import pytest

from prefcenter.domain.errors import InvalidInput, UnknownContact
from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.terms import AddressKind, Channel, RefusalReason
from prefcenter.services.acts import Outcome
from prefcenter.services.contact_files import ContactAddress
from prefcenter.services.import_batches import RowOutcome
from prefcenter.services.importing import RefusalRow
from prefcenter.services.reach import is_taken_over
from prefcenter.services.recording import Choice, Evidence
from prefcenter.services.targets import Addressee, ContactId
from tests.factories import DAY, HOUR, MINUTE, NOW, a_record, a_refusal, stated
from tests.running_home import RunningHome
from tests.unit.services.asking import (
    CONTROLLER,
    HOME,
    MARKETING,
    OFFICE,
    OTHER,
    PHONE,
    a_consent,
    a_contact,
    events_of,
    importing_of,
    reason,
    record_of_contact,
    recording_of,
    records_of,
    target_of,
    upsert,
)

CRM = ContactId("crm-1")
BY_TEXT = ContactAddress(Channel.SMS, PHONE)
SPREADING = sorted(set(RefusalReason) - {RefusalReason.BOUNCED, RefusalReason.ON_REGISTRY, RefusalReason.ERASED})


@pytest.mark.parametrize("whom", [HOME, CRM])
@pytest.mark.parametrize("why", SPREADING)
def test_what_is_refused_at_one_address_is_refused_at_all(
    home: RunningHome, whom: Addressee, why: RefusalReason
) -> None:
    upsert(home, HOME, OFFICE, BY_TEXT)
    assert home.run(recording_of(home).suppress(whom, why, EVERYTHING, "desk")) is Outcome.RECORDED
    answers = {reason(home, address) for address in (HOME, OFFICE)} | {reason(home, PHONE, channel=Channel.SMS)}
    assert answers == {why.value}


@pytest.mark.parametrize("why", [RefusalReason.BOUNCED, RefusalReason.ON_REGISTRY])
def test_bounces_and_registries_speak_of_one_address(home: RunningHome, why: RefusalReason) -> None:
    upsert(home, HOME, OFFICE)
    home.run(recording_of(home).suppress(HOME, why, EVERYTHING, "list"))
    assert (reason(home, HOME), reason(home, OFFICE)) == (why.value, "permitted")
    assert record_of_contact(home).refusals == ()


@pytest.mark.parametrize("why", [RefusalReason.BOUNCED, RefusalReason.ON_REGISTRY])
def test_bounces_and_registries_are_not_of_a_whole_contact(home: RunningHome, why: RefusalReason) -> None:
    upsert(home, HOME)
    with pytest.raises(InvalidInput, match="name that address"):
        home.run(recording_of(home).suppress(CRM, why, Scope(channel=Channel.EMAIL), "list"))


def test_a_permanent_bounce_ends_no_consent_of_another_address(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    home.run(recording_of(home).record_consent(OFFICE, a_consent()))
    home.run(recording_of(home).bounce_permanently(HOME, Channel.EMAIL, "mail-server"))
    (record,) = records_of(home, OFFICE)
    assert (len(record.grants), record.withdrawals, record.refusals) == (1, (), ())


def test_an_act_on_an_address_that_two_contacts_hold_stays_there(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    upsert(home, HOME, OTHER, contact_id="crm-2")
    home.run(recording_of(home).opt_out(HOME, EVERYTHING, "page"))
    assert [reason(home, address) for address in (HOME, OFFICE, OTHER)] == ["opted_out", "permitted", "permitted"]


def test_an_act_on_a_contact_reaches_an_address_that_two_hold_but_not_the_other_contact(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    upsert(home, HOME, OTHER, contact_id="crm-2")
    home.run(recording_of(home).opt_out(CRM, EVERYTHING, "page"))
    assert [reason(home, address) for address in (HOME, OFFICE, OTHER)] == ["opted_out", "opted_out", "permitted"]
    assert record_of_contact(home, "crm-2").refusals == ()


def test_it_goes_one_hop_and_no_further(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    upsert(home, OFFICE, OTHER, contact_id="crm-2")
    home.run(recording_of(home).opt_out(HOME, EVERYTHING, "page"))
    assert [reason(home, address) for address in (HOME, OFFICE, OTHER)] == ["opted_out", "opted_out", "permitted"]


def test_an_address_that_only_one_contact_holds_any_more_speaks_for_it(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    upsert(home, HOME, contact_id="crm-2")
    upsert(home, contact_id="crm-2")
    home.run(recording_of(home).opt_out(HOME, EVERYTHING, "page"))
    assert reason(home, OFFICE) == "opted_out"


def test_another_spelling_of_the_mailbox_speaks_for_the_contact_too(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    home.run(recording_of(home).opt_out("Pat+News@HOME.example", EVERYTHING, "page"))
    assert reason(home, OFFICE) == "opted_out"


def test_a_refused_channel_goes_to_addresses_of_its_kind_only(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE, BY_TEXT)
    home.run(recording_of(home).opt_out(HOME, Scope(channel=Channel.EMAIL), "page"))
    assert reason(home, OFFICE) == "opted_out"
    assert records_of(home, PHONE)[0].refusals == ()


def test_what_is_refused_by_text_leaves_calls_to_the_same_number(home: RunningHome) -> None:
    upsert(home, HOME, BY_TEXT)
    home.run(recording_of(home).opt_out(CRM, Scope(channel=Channel.SMS), "stop"))
    assert reason(home, PHONE, channel=Channel.SMS) == "opted_out"
    assert reason(home, PHONE, channel=Channel.VOICE) == "permitted"
    assert reason(home, HOME) == "permitted"


def test_a_refused_data_use_goes_to_every_address(home: RunningHome) -> None:
    services, sharing = home.of("contact-center-1"), "representative-sharing"
    home.run(services.contacts.upsert(a_contact(HOME, OFFICE)))
    home.run(services.recording.opt_out(HOME, Scope(data_use=sharing), "page"))
    assert reason(home, OFFICE, None, None, sharing, "contact-center-1") == "opted_out"


def test_a_pause_goes_to_every_address_and_so_does_its_end(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE, BY_TEXT)
    home.run(recording_of(home).pause(HOME, NOW + DAY))
    assert {reason(home, OFFICE), reason(home, PHONE, channel=Channel.SMS)} == {"paused"}
    home.run(recording_of(home).pause(CRM, None))
    assert {reason(home, HOME), reason(home, OFFICE), reason(home, PHONE, channel=Channel.SMS)} == {"permitted"}


def test_the_end_of_a_pause_finds_it_under_an_older_key(home: RunningHome) -> None:
    home.run(recording_of(home).pause(OFFICE, NOW + DAY))
    home.rotate_keys()
    upsert(home, HOME, OFFICE)
    home.run(recording_of(home).pause(CRM, None))
    assert reason(home, OFFICE) == "permitted"


def test_a_consent_never_leaves_its_address(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    home.run(recording_of(home).opt_out(CRM, EVERYTHING, "page"))
    home.run(recording_of(home).record_consent(HOME, a_consent()))
    assert (reason(home, HOME), reason(home, OFFICE)) == ("permitted", "opted_out")
    assert record_of_contact(home).grants == ()


def test_choices_spread_like_opt_outs_where_they_refuse_and_not_where_they_consent(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    candidate = Cell("candidate-contact", Channel.EMAIL)
    home.run(recording_of(home).opt_out(CRM, Scope("client-marketing"), "page"))
    choices = [Choice(MARKETING, is_wanted=True), Choice(candidate, is_wanted=False)]
    evidence = Evidence("page@1", "form", "person")
    home.run(recording_of(home).set_preferences(HOME, choices, "page", evidence))
    assert (reason(home, HOME), reason(home, OFFICE)) == ("permitted", "opted_out")
    assert {reason(home, address, "candidate-contact") for address in (HOME, OFFICE)} == {"opted_out"}


def test_a_list_reaches_contacts_as_single_acts_do(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    rows = [RefusalRow(HOME, NOW)]
    importing, kind = importing_of(home), AddressKind.EMAIL
    for outcome in (RowOutcome.ADDED, RowOutcome.ALREADY):
        assert list(home.run(importing.refuse(rows, RefusalReason.OPTED_OUT, EVERYTHING, "list", kind))) == [outcome]
    assert reason(home, OFFICE) == "opted_out"
    home.run(importing.refuse(rows, RefusalReason.ON_REGISTRY, Scope(channel=Channel.EMAIL), "list", kind))
    assert [item.reason for item in records_of(home, OFFICE)[0].refusals] == [RefusalReason.OPTED_OUT]


def test_a_new_address_takes_over_what_the_contact_refused_as_of_then(home: RunningHome) -> None:
    upsert(home, HOME)
    home.run(recording_of(home).opt_out(HOME, EVERYTHING, "page"))
    home.now_ms = NOW + DAY
    upsert(home, HOME, OFFICE)
    assert reason(home, OFFICE) == "opted_out"
    (refusal,) = records_of(home, OFFICE)[0].refusals
    assert (refusal.at.time_ms, refusal.at.is_stated, refusal.source) == (NOW, True, "page")


@pytest.mark.parametrize(("given_ms", "answer"), [(NOW + MINUTE, "opted_out"), (NOW + MINUTE + 1, "permitted")])
def test_a_consent_that_a_new_address_gave_after_the_refusal_stays_in_force(
    home: RunningHome, given_ms: int, answer: str
) -> None:
    upsert(home, HOME)
    home.run(recording_of(home).opt_out(HOME, EVERYTHING, "page"))
    home.now_ms = NOW + DAY
    home.run(recording_of(home).record_consent(OFFICE, a_consent(given_ms=given_ms)))
    upsert(home, HOME, OFFICE)
    assert reason(home, OFFICE) == answer


def test_a_new_address_takes_over_neither_bounces_nor_registries(home: RunningHome) -> None:
    upsert(home, HOME)
    for why in (RefusalReason.BOUNCED, RefusalReason.ON_REGISTRY):
        home.run(recording_of(home).suppress(HOME, why, EVERYTHING, "list"))
    home.run(recording_of(home).opt_out(HOME, Scope("candidate-contact"), "page"))
    upsert(home, HOME, OFFICE)
    assert [item.scope for item in records_of(home, OFFICE)[0].refusals] == [Scope("candidate-contact")]


@pytest.mark.parametrize("why", sorted(RefusalReason))
def test_only_what_speaks_of_a_person_may_be_taken_over(why: RefusalReason) -> None:
    assert is_taken_over(a_refusal(why), a_record()) is (why in {*SPREADING, RefusalReason.ERASED})


@pytest.mark.parametrize(("own_ms", "is_new"), [(NOW - 1, True), (NOW, False), (NOW + 1, False)])
def test_what_the_address_refused_itself_at_that_time_or_later_is_not_taken_over(own_ms: int, is_new: bool) -> None:
    record = a_record([a_refusal(at=stated(own_ms))])
    assert is_taken_over(a_refusal(at=stated(NOW)), record) is is_new
    assert is_taken_over(a_refusal(scope=Scope("offers"), at=stated(NOW)), record)


def test_a_new_number_takes_over_nothing_that_speaks_of_email(home: RunningHome) -> None:
    upsert(home, HOME)
    home.run(recording_of(home).opt_out(HOME, Scope(channel=Channel.EMAIL), "page"))
    upsert(home, HOME, BY_TEXT)
    assert records_of(home, PHONE)[0].refusals == ()


def test_what_was_refused_before_the_contact_was_made_is_the_address_alone(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(HOME, EVERYTHING, "page"))
    upsert(home, HOME, OFFICE)
    assert (reason(home, HOME), reason(home, OFFICE)) == ("opted_out", "permitted")


def test_an_address_that_comes_back_takes_over_what_was_refused_meanwhile(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    upsert(home, HOME)
    home.run(recording_of(home).opt_out(HOME, EVERYTHING, "page"))
    assert reason(home, OFFICE) == "permitted"
    upsert(home, HOME, OFFICE)
    assert reason(home, OFFICE) == "opted_out"


def test_an_address_that_has_the_refusal_already_is_not_written_to(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    home.run(recording_of(home).opt_out(HOME, EVERYTHING, "page"))
    upsert(home, HOME)
    upsert(home, HOME, OFFICE)
    assert len(records_of(home, OFFICE)[0].refusals) == 1


def test_a_later_class_or_key_makes_no_address_new(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    home.run(recording_of(home).opt_out(CRM, EVERYTHING, "page"))
    home.run(recording_of(home).record_consent(HOME, a_consent()))
    home.rotate_keys()
    upsert(home, HOME, OFFICE, OTHER)
    assert [reason(home, address) for address in (HOME, OFFICE, OTHER)] == ["permitted", "opted_out", "opted_out"]


def test_refusals_spread_across_a_rotation_of_keys(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    home.rotate_keys()
    home.run(recording_of(home).opt_out(HOME, EVERYTHING, "page"))
    assert reason(home, OFFICE) == "opted_out"
    assert home.audit_findings() == []


def test_an_old_link_reaches_the_contact_across_rotations_and_rewriting(home: RunningHome) -> None:
    """A link knows its address by the digests of the key that was active when it was made."""
    upsert(home, HOME, OFFICE)
    of_old_link = target_of(home, HOME)
    home.rotate_keys()
    upsert(home, HOME, OFFICE, OTHER)
    home.run(home.of(CONTROLLER).own_acts.opt_out(of_old_link, [EVERYTHING], "link"))
    assert {reason(home, address) for address in (HOME, OFFICE, OTHER)} == {"opted_out"}
    assert home.audit_findings() == []


def test_a_lift_by_contact_lifts_at_all_its_addresses_under_every_key(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    home.run(recording_of(home).suppress(CRM, RefusalReason.MANUAL, EVERYTHING, "desk"))
    home.rotate_keys()
    home.run(recording_of(home).suppress(HOME, RefusalReason.MANUAL, EVERYTHING, "desk"))
    assert home.run(recording_of(home).lift(CRM, RefusalReason.MANUAL, "by-mistake")) is Outcome.RECORDED
    assert {reason(home, HOME), reason(home, OFFICE)} == {"permitted"}
    assert home.run(recording_of(home).lift(CRM, RefusalReason.MANUAL, "by-mistake")) is Outcome.ABSENT
    upsert(home, OTHER)
    assert reason(home, OTHER) == "permitted"


def test_a_lift_at_an_address_goes_nowhere_else(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    home.run(recording_of(home).suppress(CRM, RefusalReason.MANUAL, EVERYTHING, "desk"))
    home.run(recording_of(home).lift(HOME, RefusalReason.MANUAL, "by-mistake"))
    assert (reason(home, HOME), reason(home, OFFICE)) == ("permitted", "manual")
    upsert(home, HOME, OFFICE, OTHER)
    assert reason(home, OTHER) == "manual"


def test_an_act_on_a_contact_without_addresses_waits_for_the_first(home: RunningHome) -> None:
    upsert(home)
    assert home.run(recording_of(home).opt_out(CRM, EVERYTHING, "page")) is Outcome.RECORDED
    upsert(home, HOME)
    assert reason(home, HOME) == "opted_out"


def test_an_act_on_a_contact_that_is_not_there_is_an_error(home: RunningHome) -> None:
    recording = recording_of(home)
    for act in (
        recording.opt_out(CRM, EVERYTHING, "page"),
        recording.suppress(CRM, RefusalReason.ERASED, EVERYTHING, "request"),
        recording.pause(CRM, NOW + HOUR),
        recording.lift(CRM, RefusalReason.MANUAL, "by-mistake"),
    ):
        with pytest.raises(UnknownContact):
            home.run(act)
    assert events_of(home) == 0


def test_nothing_spreads_to_a_contact_of_another_controller(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    home.run(recording_of(home, "contact-center-1").opt_out(HOME, EVERYTHING, "page"))
    assert {reason(home, HOME), reason(home, OFFICE)} == {"permitted"}
    assert events_of(home, CONTROLLER) == 3
