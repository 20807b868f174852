"""A consent that somebody else reports waits where any refusal stands, and opens nothing until the person's own."""

from __future__ import annotations

import pytest

from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.terms import Channel, RefusalReason
from prefcenter.services.acts import Outcome
from prefcenter.services.admission import Consent
from prefcenter.services.recording import Choice, Evidence
from tests.factories import DAY, HOUR, MINUTE, NOW
from tests.running_home import RunningHome
from tests.unit.services.asking import (
    BUSINESS,
    MARKETING,
    a_consent,
    events_of,
    reason,
    recording_of,
    records_of,
)

CANDIDATE = Cell("candidate-contact", Channel.EMAIL)


def report(home: RunningHome, consent: Consent | None = None, address: str = BUSINESS) -> Outcome:
    consent = consent or a_consent(given_ms=NOW - DAY)
    return home.run(recording_of(home).record_consent(address, consent, is_confirmed=False))


@pytest.mark.parametrize("why", sorted(RefusalReason))
def test_over_any_refusal_it_waits(home: RunningHome, why: RefusalReason) -> None:
    home.run(recording_of(home).suppress(BUSINESS, why, EVERYTHING, "desk"))
    assert report(home) is Outcome.PENDING
    assert reason(home) == why.value
    (record,) = records_of(home, BUSINESS)
    assert (record.grants, [grant.cell for grant in record.pending]) == ((), [MARKETING])


@pytest.mark.parametrize("domain", ["@acme.example", "@sales.acme.example"])
def test_over_the_refusal_of_a_whole_domain_it_waits(home: RunningHome, domain: str) -> None:
    address = "lee@sales.acme.example"
    home.run(recording_of(home).suppress(domain, RefusalReason.ON_REGISTRY, EVERYTHING, "list"))
    assert report(home, address=address) is Outcome.PENDING
    assert reason(home, address) == "on_registry"


def test_over_a_refusal_under_an_older_key_it_waits(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    home.rotate_keys()
    home.now_ms = NOW + DAY
    assert report(home, a_consent(given_ms=NOW + HOUR)) is Outcome.PENDING
    assert reason(home) == "opted_out"


def test_over_no_refusal_it_counts_at_once(home: RunningHome) -> None:
    personal = "pat@gmail.com"
    assert reason(home, personal) == "no_consent"
    assert report(home, address=personal) is Outcome.RECORDED
    assert reason(home, personal) == "permitted"


@pytest.mark.parametrize("scope", [Scope("candidate-contact"), Scope("candidate-contact", channel=Channel.EMAIL)])
def test_a_refusal_of_something_else_makes_nothing_wait(home: RunningHome, scope: Scope) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, scope, "page"))
    assert report(home) is Outcome.RECORDED


def test_however_fresh_and_however_often_it_is_reported_it_opens_nothing(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    home.now_ms = NOW + DAY
    for given_ms in (None, NOW + HOUR, NOW + DAY, None):
        assert report(home, a_consent(given_ms=given_ms)) is Outcome.PENDING
        assert reason(home) == "opted_out"


def test_the_same_report_again_is_written_once(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    report(home)
    before = events_of(home)
    assert report(home) is Outcome.PENDING
    assert events_of(home) == before


def test_the_persons_own_consent_ends_the_wait(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    home.now_ms = NOW + DAY
    consent = a_consent(given_ms=NOW + HOUR)
    assert report(home, consent) is Outcome.PENDING
    assert home.run(recording_of(home).record_consent(BUSINESS, consent)) is Outcome.RECORDED
    assert reason(home) == "permitted"
    assert records_of(home, BUSINESS)[0].pending == ()
    assert report(home, consent) is Outcome.UNCHANGED


def test_a_report_that_is_older_than_the_refusal_opens_nothing_even_confirmed(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    consent = a_consent(given_ms=NOW - MINUTE)
    report(home, consent)
    home.run(recording_of(home).record_consent(BUSINESS, consent))
    assert reason(home) == "opted_out"


def test_it_does_not_outlast_the_consent_that_holds_a_refusal_open(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    home.run(recording_of(home).record_consent(BUSINESS, a_consent(expires_ms=NOW + DAY)))
    home.now_ms = NOW + HOUR
    assert report(home, a_consent(given_ms=NOW + HOUR)) is Outcome.PENDING
    assert report(home, a_consent(given_ms=NOW + HOUR, expires_ms=NOW + DAY + 1)) is Outcome.PENDING
    assert report(home, a_consent(given_ms=NOW + HOUR, expires_ms=NOW + DAY)) is Outcome.RECORDED
    assert reason(home) == "permitted"
    home.now_ms = NOW + DAY
    assert reason(home) == "opted_out"


def test_beside_a_consent_for_good_it_counts_at_once(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    home.run(recording_of(home).record_consent(BUSINESS, a_consent()))
    assert report(home, a_consent(given_ms=NOW)) is Outcome.RECORDED


def test_reported_choices_wait_one_by_one(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, Scope("client-marketing"), "page"))
    home.run(recording_of(home).suppress(BUSINESS, RefusalReason.MANUAL, Scope("candidate-contact"), "desk"))
    choices = [Choice(MARKETING, is_wanted=True), Choice(CANDIDATE, is_wanted=True)]
    evidence = Evidence("crm-form@1", "form", "crm")
    reported = recording_of(home).set_preferences(BUSINESS, choices, "crm", evidence, is_confirmed=False)
    assert home.run(reported) == (Outcome.PENDING, Outcome.PENDING)
    own = recording_of(home).set_preferences(BUSINESS, choices, "page", evidence)
    assert home.run(own) == (Outcome.RECORDED, Outcome.RECORDED)
    assert (reason(home), reason(home, purpose="candidate-contact")) == ("permitted", "manual")


def test_a_refusal_is_nobodys_to_confirm(home: RunningHome) -> None:
    choices = [Choice(MARKETING, is_wanted=False)]
    reported = recording_of(home).set_preferences(
        BUSINESS, choices, "crm", Evidence("crm-form@1", "form", "crm"), is_confirmed=False
    )
    assert home.run(reported) == (Outcome.RECORDED,)
    assert reason(home) == "opted_out"
