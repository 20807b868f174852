"""What people and operators may record, what is refused, and that no other writer can make an act lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prefcenter.domain.errors import (
    ActRefused,
    InvalidAddress,
    InvalidInput,
    InvalidTime,
    StoreBusy,
)
from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.terms import AddressKind, Channel, PurposeClass, RefusalReason
from prefcenter.services.acts import ATTEMPTS_MAX, Outcome
from prefcenter.services.admission import Consent
from tests.factories import DAY, HOUR, MINUTE, NOW
from tests.running_home import RunningHome
from tests.unit.services.asking import (
    BUSINESS,
    CONTROLLER,
    MARKETING,
    PHONE,
    a_consent,
    admission_of,
    events_of,
    reason,
    recording_of,
    target_of,
)
from tests.unit.services.contested import contested_store, recording_on


def test_an_opt_out_binds_the_next_decision_and_every_alias(home: RunningHome) -> None:
    assert home.run(recording_of(home).opt_out("Pat+news@acme.example", EVERYTHING, "page")) is Outcome.RECORDED
    assert reason(home) == "opted_out"
    assert reason(home, purpose="contract-service") == "permitted"


def test_an_opt_out_without_a_channel_covers_sms_and_voice_of_a_phone(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(PHONE, EVERYTHING, "stop"))
    assert reason(home, PHONE, channel=Channel.SMS) == "opted_out"
    assert reason(home, f"{PHONE} ext 7", channel=Channel.VOICE) == "opted_out"


def test_an_opt_out_of_one_channel_of_a_phone_leaves_the_other(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(PHONE, Scope(channel=Channel.SMS), "stop"))
    assert reason(home, PHONE, channel=Channel.SMS) == "opted_out"
    assert reason(home, PHONE, channel=Channel.VOICE) == "permitted"


@pytest.mark.parametrize("registry_like", [RefusalReason.BOUNCED, RefusalReason.ON_REGISTRY])
def test_reasons_that_speak_of_one_channel_need_it_for_a_phone(home: RunningHome, registry_like: RefusalReason) -> None:
    with pytest.raises(InvalidInput, match="name sms or voice"):
        home.run(recording_of(home).suppress(PHONE, registry_like, EVERYTHING, "list"))
    home.run(recording_of(home).suppress(PHONE, registry_like, Scope(channel=Channel.VOICE), "list"))
    assert reason(home, PHONE, channel=Channel.VOICE) == registry_like.value


def test_reasons_that_speak_of_one_channel_imply_it_for_an_email_address(home: RunningHome) -> None:
    scope = admission_of(home).checked_scope(RefusalReason.BOUNCED, EVERYTHING, AddressKind.EMAIL)
    assert scope == Scope(channel=Channel.EMAIL)


@pytest.mark.parametrize(
    ("scope", "field"),
    [
        (Scope("clientmarketing"), "purpose"),
        (Scope(data_use="profiling"), "data use"),
        (Scope("client-marketing", PurposeClass.RECRUITMENT), "scope"),
        (Scope("client-marketing", data_use="profiling"), "scope"),
        (Scope(purpose_class=PurposeClass.PROMOTIONAL, data_use="profiling"), "scope"),
    ],
)
def test_an_opt_out_that_would_bind_nothing_is_an_error(home: RunningHome, scope: Scope, field: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{field}: "):
        home.run(recording_of(home).opt_out(BUSINESS, scope, "page"))
    assert events_of(home) == 0


@pytest.mark.parametrize("scope", [Scope("contract-service"), Scope(purpose_class=PurposeClass.ADMINISTRATIVE)])
@pytest.mark.parametrize("why", [RefusalReason.OPTED_OUT, RefusalReason.COMPLAINED, RefusalReason.MANUAL])
def test_administrative_messages_are_not_opted_out_of(home: RunningHome, scope: Scope, why: RefusalReason) -> None:
    with pytest.raises(ActRefused, match="rest on the contract"):
        home.run(recording_of(home).suppress(BUSINESS, why, scope, "page"))


def test_a_legal_hold_stops_administrative_messages(home: RunningHome) -> None:
    home.run(recording_of(home).suppress(BUSINESS, RefusalReason.LEGAL, Scope("contract-service"), "court"))
    assert reason(home, purpose="contract-service") == "legal"
    assert reason(home) == "permitted"


def test_a_whole_domain_is_refused_with_its_subdomains(home: RunningHome) -> None:
    home.run(recording_of(home).suppress("@acme.example", RefusalReason.MANUAL, EVERYTHING, "desk"))
    assert reason(home, "lee@sales.acme.example") == "manual"
    assert reason(home, "lee@notacme.example") == "permitted"
    assert home.run(recording_of(home).lift("@acme.example", RefusalReason.MANUAL, "by-mistake")) is Outcome.RECORDED
    assert reason(home, "lee@sales.acme.example") == "permitted"


def test_a_whole_domain_cannot_consent_and_is_not_erased(home: RunningHome) -> None:
    with pytest.raises(InvalidInput, match="a whole domain cannot consent"):
        home.run(recording_of(home).record_consent("@acme.example", a_consent()))
    with pytest.raises(InvalidInput, match="an erasure is of one person"):
        home.run(recording_of(home).suppress("@acme.example", RefusalReason.ERASED, EVERYTHING, "request"))


def test_a_consent_opens_its_cell_for_its_exact_address_only(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    assert home.run(recording_of(home).record_consent(BUSINESS, a_consent())) is Outcome.RECORDED
    assert reason(home) == "permitted"
    assert reason(home, "pat+x@acme.example") == "opted_out"
    assert reason(home, purpose="candidate-contact") == "opted_out"


def test_a_refusal_is_back_when_the_consent_over_it_ends(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    home.run(recording_of(home).record_consent(BUSINESS, a_consent(expires_ms=NOW + DAY)))
    home.now_ms = NOW + DAY - 1
    assert reason(home) == "permitted"
    home.now_ms = NOW + DAY
    assert reason(home) == "opted_out"


def test_the_same_consent_again_is_a_no_op(home: RunningHome) -> None:
    consent = a_consent(given_ms=NOW - HOUR)
    assert home.run(recording_of(home).record_consent(BUSINESS, consent)) is Outcome.RECORDED
    assert home.run(recording_of(home).record_consent(BUSINESS, consent)) is Outcome.UNCHANGED
    assert events_of(home) == 1


def test_the_same_consent_after_a_rotation_is_a_no_op_whatever_end_it_names(home: RunningHome) -> None:
    ending = a_consent(given_ms=NOW - DAY, expires_ms=NOW - HOUR)
    home.run(recording_of(home).record_consent("pat@gmail.com", ending))
    home.rotate_keys()
    endless = replace(ending, expires_ms=None)
    assert home.run(recording_of(home).record_consent("pat@gmail.com", endless)) is Outcome.UNCHANGED
    assert reason(home, "pat@gmail.com") == "consent_expired"
    assert home.run(recording_of(home).record_consent("p.at@gmail.com", endless)) is Outcome.RECORDED


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (Cell("clientmarketing", Channel.EMAIL), "purpose: not one of this policy"),
        (Cell(None, Channel.EMAIL), "purpose: not one of this policy"),
        (Cell("client-marketing", Channel.PUSH), "channel: not offered for client-marketing"),
        (Cell("client-marketing", None), "channel: not offered for client-marketing"),
        (Cell(None, None, "tracking"), "data use: not one of this policy"),
        (Cell("client-marketing", None, "tracking"), "data use: a consent is for a data use, or"),
    ],
)
def test_a_consent_for_no_cell_of_the_policy_is_an_error(home: RunningHome, cell: Cell, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        home.run(recording_of(home).record_consent(BUSINESS, a_consent(cell)))


def test_consent_is_not_asked_for_administrative_messages(home: RunningHome) -> None:
    with pytest.raises(ActRefused, match="rests on the contract"):
        home.run(recording_of(home).record_consent(BUSINESS, a_consent(Cell("contract-service", Channel.EMAIL))))


def test_no_consent_allows_a_prohibited_data_use(home: RunningHome) -> None:
    with pytest.raises(ActRefused, match="sale is prohibited"):
        admission_of(home, "contact-center-1").check_consent(a_consent(Cell(None, None, "sale")))


def test_a_data_use_is_consented_to_and_refused_on_its_own(home: RunningHome) -> None:
    def answer() -> str:
        return reason(home, BUSINESS, None, None, "sensitive-data", "contact-center-1")

    recording = recording_of(home, "contact-center-1")
    assert answer() == "no_consent"
    home.run(recording.record_consent(BUSINESS, a_consent(Cell(None, None, "sensitive-data"))))
    assert answer() == "permitted"
    home.run(recording.opt_out(BUSINESS, EVERYTHING, "page"))
    assert answer() == "permitted"
    home.run(recording.opt_out(BUSINESS, Scope(data_use="sensitive-data"), "page"))
    assert answer() == "opted_out"


@pytest.mark.parametrize("ends_ms", [NOW - HOUR, NOW - DAY])
def test_a_consent_ends_after_it_was_given(home: RunningHome, ends_ms: int) -> None:
    with pytest.raises(InvalidInput, match="expires: "):
        home.run(recording_of(home).record_consent(BUSINESS, a_consent(given_ms=NOW - HOUR, expires_ms=ends_ms)))


def test_evidence_is_made_of_slugs_that_no_error_quotes(home: RunningHome) -> None:
    written = "Pat said so"
    for consent in (
        Consent(MARKETING, written, "form", "person"),
        Consent(MARKETING, "form", written, "person"),
        Consent(MARKETING, "form", "form", written),
    ):
        with pytest.raises(InvalidInput) as raised:
            home.run(recording_of(home).record_consent(BUSINESS, consent))
        assert written not in str(raised.value)


def test_no_act_takes_free_text_for_its_source_or_cause(home: RunningHome) -> None:
    recording, written = recording_of(home), "pat@acme.example rang"
    for act in (
        recording.opt_out(BUSINESS, EVERYTHING, written),
        recording.suppress(BUSINESS, RefusalReason.ERASED, EVERYTHING, written),
        recording.bounce_permanently(BUSINESS, Channel.EMAIL, written),
        recording.record_delivery(BUSINESS, Channel.EMAIL, written),
        recording.lift(BUSINESS, RefusalReason.MANUAL, written),
    ):
        with pytest.raises(InvalidInput) as raised:
            home.run(act)
        assert "pat" not in str(raised.value)
    assert events_of(home) == 0


def test_an_address_that_does_not_parse_is_refused_and_not_quoted(home: RunningHome) -> None:
    with pytest.raises(InvalidAddress) as raised:
        home.run(recording_of(home).opt_out("pat at acme.example@", EVERYTHING, "page"))
    assert "acme" not in str(raised.value)


def test_a_stated_time_in_the_future_is_refused(home: RunningHome) -> None:
    recording, future = recording_of(home), NOW + MINUTE + 1
    with pytest.raises(InvalidTime):
        home.run(recording.opt_out(BUSINESS, EVERYTHING, "page", future))
    with pytest.raises(InvalidTime):
        home.run(recording.record_consent(BUSINESS, a_consent(given_ms=future)))
    assert home.run(recording.opt_out(BUSINESS, EVERYTHING, "page", NOW + MINUTE)) is Outcome.RECORDED


def test_a_clock_that_was_set_back_does_not_write_before_what_is_on_record(home: RunningHome) -> None:
    home.run(recording_of(home).record_consent(BUSINESS, a_consent()))
    home.rotate_keys()
    home.now_ms = NOW - HOUR
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    home.now_ms = NOW + DAY
    assert reason(home) == "opted_out"


def test_an_erasure_ends_consents_and_keeps_one_refusal_of_everything(home: RunningHome) -> None:
    recording = recording_of(home)
    home.run(recording.record_consent(BUSINESS, a_consent()))
    home.run(recording.opt_out(BUSINESS, Scope("candidate-contact"), "page"))
    assert home.run(recording.suppress(BUSINESS, RefusalReason.ERASED, EVERYTHING, "request")) is Outcome.RECORDED
    assert {reason(home), reason(home, purpose="contract-service")} == {"erased"}
    target = target_of(home, BUSINESS)
    (record,) = home.run(home.services.store.load(CONTROLLER, target.records_of))
    assert record.grants == ()
    assert [refusal.reason for refusal in record.refusals] == [RefusalReason.ERASED]


def test_an_erasure_keeps_what_only_an_administrator_lifts(home: RunningHome) -> None:
    recording = recording_of(home)
    home.run(recording.suppress(BUSINESS, RefusalReason.MINOR, EVERYTHING, "parent"))
    home.run(recording.suppress(BUSINESS, RefusalReason.ERASED, EVERYTHING, "request"))
    assert reason(home) == "minor"
    home.run(recording.lift(BUSINESS, RefusalReason.MINOR, "came-of-age"))
    assert reason(home) == "erased"


def test_an_erasure_of_somebody_unknown_is_recorded_all_the_same(home: RunningHome) -> None:
    assert (
        home.run(recording_of(home).suppress(BUSINESS, RefusalReason.ERASED, EVERYTHING, "request")) is Outcome.RECORDED
    )
    assert reason(home) == "erased"


def test_an_erasure_reaches_the_records_of_every_key(home: RunningHome) -> None:
    home.run(recording_of(home).record_consent(BUSINESS, a_consent()))
    home.rotate_keys()
    home.now_ms = NOW + DAY
    home.run(recording_of(home).suppress(BUSINESS, RefusalReason.ERASED, EVERYTHING, "request"))
    records = home.run(home.services.store.load(CONTROLLER, target_of(home, BUSINESS).records_of))
    assert len(records) == 2
    assert [record.grants for record in records] == [(), ()]
    assert home.audit_findings() == []


@pytest.mark.parametrize(
    ("scope", "at_ms"),
    [(Scope("client-marketing"), None), (EVERYTHING, NOW - DAY), (Scope(channel=Channel.EMAIL), None)],
)
def test_an_erasure_covers_everything_and_happens_now(home: RunningHome, scope: Scope, at_ms: int | None) -> None:
    with pytest.raises(InvalidInput, match="happens now"):
        home.run(recording_of(home).suppress(BUSINESS, RefusalReason.ERASED, scope, "request", at_ms))


def test_a_lift_of_nothing_changes_nothing_and_says_so(home: RunningHome) -> None:
    recording = recording_of(home)
    assert home.run(recording.lift(BUSINESS, RefusalReason.MANUAL, "by-mistake")) is Outcome.ABSENT
    home.run(recording.opt_out(BUSINESS, EVERYTHING, "page"))
    assert home.run(recording.lift(BUSINESS, RefusalReason.MANUAL, "by-mistake")) is Outcome.ABSENT
    assert events_of(home) == 1


def test_a_lift_is_narrowed_by_purpose(home: RunningHome) -> None:
    recording, manual = recording_of(home), RefusalReason.MANUAL
    for purpose in ("client-marketing", "candidate-contact"):
        home.run(recording.suppress(BUSINESS, manual, Scope(purpose), "desk"))
    assert home.run(recording.lift(BUSINESS, manual, "by-mistake", "client-marketing")) is Outcome.RECORDED
    assert reason(home) == "permitted"
    assert reason(home, purpose="candidate-contact") == "manual"


@pytest.mark.parametrize(
    ("why", "way"),
    [
        (RefusalReason.OPTED_OUT, "later consent"),
        (RefusalReason.COMPLAINED, "later consent"),
        (RefusalReason.ERASED, "later consent"),
        (RefusalReason.ON_REGISTRY, "--replace-registry"),
    ],
)
def test_what_no_administrator_lifts_is_refused_with_the_way_named(
    home: RunningHome, why: RefusalReason, way: str
) -> None:
    with pytest.raises(ActRefused, match=way):
        home.run(recording_of(home).lift(BUSINESS, why, "by-mistake"))


def test_a_verified_delivery_ends_bounces_on_its_channel(home: RunningHome) -> None:
    recording = recording_of(home)
    home.run(recording.suppress(BUSINESS, RefusalReason.BOUNCED, EVERYTHING, "mail-server"))
    assert reason(home, purpose="contract-service") == "bounced"
    assert home.run(recording.record_delivery(BUSINESS, Channel.EMAIL, "confirmed-link")) is Outcome.RECORDED
    assert home.run(recording.record_delivery(BUSINESS, Channel.EMAIL, "confirmed-link")) is Outcome.ABSENT
    assert reason(home, purpose="contract-service") == "permitted"


def test_a_permanent_bounce_ends_the_consents_of_its_exact_address_only(home: RunningHome) -> None:
    recording, other = recording_of(home), "pat+x@acme.example"
    home.run(recording.opt_out(BUSINESS, EVERYTHING, "page"))
    for address in (BUSINESS, other):
        home.run(recording.record_consent(address, a_consent()))
    assert home.run(recording.bounce_permanently(BUSINESS, Channel.EMAIL, "mail-server")) is Outcome.RECORDED
    home.run(recording.lift(BUSINESS, RefusalReason.BOUNCED, "host-repaired"))
    assert reason(home) == "opted_out"
    assert reason(home, other) == "permitted"


def test_an_act_is_tried_again_until_nobody_is_first(home: RunningHome) -> None:
    store = contested_store(home, conflicts=7)
    recording = recording_on(home, store)
    assert home.run(recording.opt_out(BUSINESS, EVERYTHING, "page")) is Outcome.RECORDED
    home.run(store.close())
    assert reason(home) == "opted_out"


def test_an_act_that_is_never_first_is_not_acknowledged(home: RunningHome) -> None:
    store = contested_store(home, conflicts=ATTEMPTS_MAX)
    recording = recording_on(home, store)
    with pytest.raises(StoreBusy, match="nothing was acknowledged"):
        home.run(recording.opt_out(BUSINESS, EVERYTHING, "page"))
    assert store.conflicts == 0
    home.run(store.close())
    assert events_of(home) == 0


def test_an_act_on_a_data_use_is_of_the_address_that_the_channel_says(home: RunningHome) -> None:
    recording = recording_of(home, "contact-center-1")
    sharing = "representative-sharing"
    consent = a_consent(Cell(None, None, sharing))
    with pytest.raises(InvalidAddress):
        home.run(recording.opt_out("+44 20 7946 0123", Scope(data_use=sharing), "form", None, Channel.EMAIL))
    with pytest.raises(InvalidAddress):
        home.run(recording.record_consent("+44 20 7946 0123", consent, Channel.EMAIL))
    assert home.run(recording.record_consent("+44 20 7946 0123", consent, Channel.VOICE)) is Outcome.RECORDED
