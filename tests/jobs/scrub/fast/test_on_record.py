"""What is on record of an address, one thing at a time, as the fast engine answers: the decider's answer each time.

Mutants of `tests/mutants` break the engine in one place each, and a test of this file notices.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.scrub import ScrubPlan
from jobs.scrub.deciding import AskedColumn, OneByOne
from prefcenter.domain.address import parse
from prefcenter.domain.events import Cell, Refused, Scope
from prefcenter.domain.policy import Policy
from prefcenter.domain.record import Record, fold
from prefcenter.domain.terms import AddressClass, AddressKind, Channel, PurposeClass, RefusalReason
from prefcenter.security.keyring import new_keyring
from prefcenter.services.ports import Change
from tests.factories import DAY, HOUR, NOW
from tests.fakes import MemoryStore
from tests.jobs.scrub.fast.drawn_acts import Act, DrawnHome
from tests.jobs.scrub.fast.drawn_policies import CONSENT, CONTRACT, INTERESTS, a_purpose, policy_of, tables_of
from tests.jobs.scrub.fast.two_engines import TwoEngines

BUSINESS, PERSONAL = AddressClass
OFFERS, NEWS, JOBS = (Cell(purpose, Channel.EMAIL) for purpose in ("offers", "news", "jobs"))
PAT, KIM = "pat@acme.example", "kim@sales.acme.example"


def a_policy() -> Policy:
    """`offers` need consent of people and not of businesses, `news` of both, `jobs` of none, but twice a week only."""
    purposes = [
        a_purpose("offers", PurposeClass.PROMOTIONAL, INTERESTS, CONSENT),
        a_purpose("news", PurposeClass.INFORMATIONAL, CONSENT, CONSENT),
        a_purpose("jobs", PurposeClass.RECRUITMENT, INTERESTS, INTERESTS, cap=(2, 7)),
        a_purpose("service", PurposeClass.ADMINISTRATIVE, CONTRACT, CONTRACT),
    ]
    return policy_of(tables_of(purposes, {reason.value: "NO-1" for reason in RefusalReason}))


class Asked:
    """A home, and what both engines answer about one address after what happened there."""

    def __init__(self, cache: Path) -> None:
        keyring = new_keyring("2026-11-21T00:00:00Z")
        self.home = DrawnHome(a_policy(), keyring, MemoryStore(keyring))
        self._cache = cache

    def after(self, *acts: Act) -> Asked:
        assert asyncio.run(self.home.take_all(acts)) == len(acts)
        return self

    def rotated(self) -> Asked:
        self.home = self.home.rotated()
        return self

    def answer(self, text: str, cell: Cell = OFFERS, stated: AddressClass | None = BUSINESS, at_ms: int = NOW) -> str:
        return self.whole_answer(text, cell, stated, at_ms)[0]

    def whole_answer(self, text: str, cell: Cell, stated: AddressClass | None, at_ms: int) -> tuple[str, int | None]:
        """The reason, and until when it holds."""
        home, column = self.home, AskedColumn(Channel.EMAIL, [text], [stated], [None])
        engines = TwoEngines(home.policy, home.digester, home.store, home.sealer, self._cache)
        plan = ScrubPlan(self._cache, cell.purpose or "", Channel.EMAIL)
        (fast,), end_ms = asyncio.run(engines.fast(plan).columns(at_ms).of(column))
        (expected,), expected_end_ms = asyncio.run(OneByOne(engines.decisions, plan.purpose, at_ms).of(column))
        assert (fast, end_ms) == (expected, expected_end_ms)
        return fast.reason, end_ms


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(tmp_path / "cache")


def refusal(whom: str, reason: RefusalReason = RefusalReason.OPTED_OUT, shape: str = "everything") -> Act:
    return Act("refusal", whom, OFFERS, reason, shape)


def consent(whom: str, cell: Cell = NEWS, given_ms: int = NOW - 9 * DAY, ends_ms: int | None = None) -> Act:
    return Act("consent", whom, cell, at_ms=given_ms, ends_ms=ends_ms)


def test_nothing_on_record_is_the_policys_answer(asked: Asked) -> None:
    assert asked.answer(PAT) == "permitted"
    assert asked.answer(PAT, NEWS) == "no_consent"


def test_what_is_stated_of_an_address_counts(asked: Asked) -> None:
    assert [asked.answer(PAT, stated=stated) for stated in (BUSINESS, PERSONAL, None)] == [
        "permitted", "no_consent", "no_consent",
    ]  # fmt: skip


def test_a_free_mail_address_is_nobodys_business_one(asked: Asked) -> None:
    assert asked.answer("pat@gmail.com") == "no_consent"


@pytest.mark.parametrize("reason", RefusalReason)
def test_a_refusal_of_any_reason_is_found(asked: Asked, reason: RefusalReason) -> None:
    assert asked.after(refusal(PAT, reason)).answer("Pat+x@ACME.example") == reason.value


def test_a_refusal_binds_every_spelling_of_a_providers_mailbox(asked: Asked) -> None:
    asked.after(refusal("lee.o@gmail.com"), refusal("jo-x@yahoo.com"), refusal("sam@fastmail.com"))
    spellings = ("L.E.E.O+x@googlemail.com", "jo-other@yahoo.com", "pat@sam.fastmail.com")
    assert {asked.answer(spelling) for spelling in spellings} == {"opted_out"}
    assert asked.answer("jo@acme.example") == "permitted"


def test_a_refusal_of_a_whole_domain_binds_its_addresses(asked: Asked) -> None:
    asked.after(refusal("@acme.example"))
    assert [asked.answer(text) for text in (PAT, '"x y"@acme.example', "pat@other.example")] == [
        "opted_out", "opted_out", "permitted",
    ]  # fmt: skip


def test_a_refusal_of_a_whole_domain_binds_the_domains_under_it(asked: Asked) -> None:
    asked.after(refusal("@acme.example", RefusalReason.MANUAL))
    assert (asked.answer(KIM), asked.answer("pat@notacme.example")) == ("manual", "permitted")


def test_the_stronger_of_a_mailboxs_and_its_domains_refusals_is_told(asked: Asked) -> None:
    asked.after(refusal("@acme.example", RefusalReason.LEGAL), refusal(PAT, RefusalReason.BOUNCED))
    assert asked.answer(PAT) == "legal"


def test_a_pause_lasts_until_it_ends(asked: Asked) -> None:
    asked.after(Act("pause", PAT, OFFERS, ends_ms=NOW + HOUR))
    assert asked.whole_answer(PAT, OFFERS, BUSINESS, NOW) == ("paused", NOW + HOUR)
    assert asked.answer(PAT, at_ms=NOW + HOUR) == "permitted"


def test_messages_that_were_sent_reach_a_cap(asked: Asked) -> None:
    asked.after(Act("send", PAT, JOBS, pick=1, at_ms=NOW - 2 * DAY))
    assert asked.whole_answer("PAT+x@acme.example", JOBS, BUSINESS, NOW) == ("frequency_cap", NOW + DAY)


def test_messages_before_the_window_of_a_cap_count_no_more(asked: Asked) -> None:
    asked.after(Act("send", PAT, JOBS, pick=1, at_ms=NOW - 7 * DAY), Act("send", KIM, JOBS, pick=1, at_ms=NOW - DAY))
    assert (asked.answer(PAT, JOBS), asked.answer(KIM, JOBS)) == ("permitted", "frequency_cap")


def test_messages_that_were_sent_under_an_older_key_reach_a_cap(asked: Asked) -> None:
    asked.after(Act("send", PAT, JOBS, pick=1, at_ms=NOW - DAY)).rotated()
    assert asked.answer(PAT, JOBS) == "frequency_cap"


def test_a_consent_is_the_exact_addresss_own(asked: Asked) -> None:
    asked.after(consent(PAT))
    assert (asked.answer(PAT, NEWS), asked.answer("pat+x@acme.example", NEWS)) == ("permitted", "no_consent")


def test_a_consent_that_ended_is_told_as_such(asked: Asked) -> None:
    asked.after(consent(PAT, ends_ms=NOW))
    assert asked.answer(PAT, NEWS) == "consent_expired"
    assert asked.answer(PAT, NEWS, at_ms=NOW - 1) == "permitted"


@pytest.mark.parametrize("ends_ms", [NOW + 1, NOW + HOUR, NOW + DAY - 1])
def test_an_answer_holds_no_longer_than_the_consent_it_rests_on(asked: Asked, ends_ms: int) -> None:
    asked.after(consent(PAT, ends_ms=ends_ms))
    assert asked.whole_answer(PAT, NEWS, BUSINESS, NOW) == ("permitted", ends_ms)


def test_a_consent_that_was_given_later_does_not_count_yet(asked: Asked) -> None:
    asked.after(consent(PAT, given_ms=NOW - DAY))
    assert asked.whole_answer(PAT, NEWS, BUSINESS, NOW - 2 * DAY) == ("no_consent", NOW - DAY)


def test_a_later_consent_sets_an_opt_out_aside_until_it_ends(asked: Asked) -> None:
    asked.after(refusal(PAT), Act("consent", PAT, OFFERS, received_ms=NOW - HOUR, ends_ms=NOW + HOUR))
    assert [asked.answer(PAT, at_ms=at_ms) for at_ms in (NOW, NOW + HOUR)] == ["permitted", "opted_out"]


def test_a_consent_counts_against_a_refusal_under_another_key(asked: Asked) -> None:
    asked.after(refusal(PAT), refusal(KIM)).rotated()
    asked.after(consent(PAT, OFFERS, given_ms=NOW - 2 * DAY), Act("consent", KIM, OFFERS, received_ms=NOW))
    assert (asked.answer(PAT), asked.answer(KIM, stated=PERSONAL)) == ("opted_out", "permitted")


def test_a_refusal_under_an_older_key_is_found(asked: Asked) -> None:
    asked.after(refusal(PAT), refusal("@shop.example")).rotated()
    assert {asked.answer(PAT), asked.answer("kim@shop.example"), asked.answer('"pat"@acme.example')} == {"opted_out"}


def test_a_consent_under_an_older_key_is_found(asked: Asked) -> None:
    assert asked.after(consent(PAT)).rotated().answer(PAT, NEWS) == "permitted"


def test_a_permanent_bounce_ends_consents(asked: Asked) -> None:
    asked.after(*(act for whom in (PAT, KIM) for act in (consent(whom), Act("bounce", whom, NEWS))))
    asked.after(Act("delivery", KIM, NEWS, received_ms=NOW))
    assert (asked.answer(PAT, NEWS), asked.answer(KIM, NEWS)) == ("bounced", "no_consent")


def test_what_a_contact_says_of_an_address_is_stronger_than_what_the_list_says(asked: Asked) -> None:
    asked.after(Act("hold", PAT, OFFERS, pick=2))
    assert asked.answer(PAT) == "no_consent"


def test_a_vendors_hash_binds_the_address(asked: Asked) -> None:
    asked.after(Act("hash", PAT, OFFERS, RefusalReason.MANUAL))
    assert [asked.answer(text) for text in ("Pat@acme.example", "Pat <pat@acme.example>", KIM)] == [
        "manual", "manual", "permitted",
    ]  # fmt: skip


def test_a_proposal_opens_nothing(asked: Asked) -> None:
    asked.after(refusal(PAT), Act("proposal", PAT, OFFERS, received_ms=NOW - HOUR))
    assert asked.answer(PAT) == "opted_out"
    assert asked.after(Act("confirmation", PAT, OFFERS, received_ms=NOW)).answer(PAT) == "permitted"


def test_a_refusal_that_came_after_the_snapshot_is_found(asked: Asked) -> None:
    assert asked.after(refusal(KIM)).answer(PAT) == "permitted"
    assert asked.after(refusal(PAT, RefusalReason.LEGAL)).answer(PAT) == "legal"


def test_a_touched_record_takes_the_place_of_what_the_snapshot_says(asked: Asked) -> None:
    assert asked.after(refusal(PAT, RefusalReason.MANUAL, "channel")).answer(PAT) == "manual"
    assert asked.after(Act("lift", PAT, OFFERS, RefusalReason.MANUAL)).answer(PAT) == "permitted"


def test_a_touched_record_with_consents_is_read_as_a_whole(asked: Asked) -> None:
    assert asked.after(consent(PAT)).answer(PAT, NEWS) == "permitted"
    asked.after(Act("refusal", PAT, OFFERS, RefusalReason.MANUAL, "purpose", NOW))
    asked.after(Act("consent", "pat+x@acme.example", NEWS, received_ms=NOW))
    assert [asked.answer(text, NEWS) for text in (PAT, "pat+x@acme.example")] == ["permitted", "permitted"]


def test_an_erased_record_keeps_none_of_its_consents(asked: Asked) -> None:
    assert asked.after(consent(PAT)).answer(PAT, NEWS) == "permitted"
    assert asked.after(refusal(PAT, RefusalReason.ERASED)).answer(PAT, NEWS) == "erased"


def test_messages_that_were_sent_after_the_snapshot_count(asked: Asked) -> None:
    assert asked.answer(PAT, JOBS) == "permitted"
    assert asked.after(Act("send", PAT, JOBS, pick=1, at_ms=NOW - 2 * DAY)).answer(PAT, JOBS) == "frequency_cap"


def noted_under_newer_rules(asked: Asked, text: str) -> None:
    """A record that a later version of this program left, whose rules give the address the form that it has now."""
    home = asked.home
    digests = home.digester.of_address(parse(text, AddressKind.EMAIL, country="GB"))
    subject = replace(digests.subject, rules=digests.subject.rules + 1)
    event = Refused(NOW - HOUR, None, RefusalReason.OPTED_OUT, Scope(data_use="profiling"), "form")
    before = Record(subject)
    change = Change(before, (event,), fold(before, event))
    asyncio.run(home.store.append(home.policy.controller, [change]))


def test_a_record_under_other_rules_hides_no_refusal(asked: Asked) -> None:
    asked.after(refusal(PAT), refusal(KIM))
    noted_under_newer_rules(asked, PAT)
    assert (asked.answer(PAT), asked.answer('"pat"@acme.example')) == ("opted_out", "opted_out")
    noted_under_newer_rules(asked, KIM)
    assert (asked.answer(PAT), asked.answer(KIM), asked.answer('"kim"@sales.acme.example')) == ("opted_out",) * 3
