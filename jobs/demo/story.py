"""What the people of the demo's lists did before the scrub, told through the services that a real controller uses.

Times are stated relative to one moment, so that consents lie before or after refusals as each fate wants it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from jobs.demo import alumni_list, campaign_list
from jobs.demo.people import WHOLE_DOMAIN, Fate, Person, alumni_people, campaign_people
from prefcenter.domain.errors import PrefcenterError
from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.terms import AddressKind, Channel, PurposeClass, RefusalReason
from prefcenter.domain.time import MS_PER_DAY
from prefcenter.services.acts import Outcome
from prefcenter.services.admission import Consent
from prefcenter.services.import_batches import RowOutcome
from prefcenter.services.importing import GrantRow, Importing, RefusalRow
from prefcenter.services.recording import Recording

BATCH_ROWS = 100
REGISTRY = "preference-service"
STRANGERS_ON_REGISTRY = 120
"""Addresses of the registry's list that are on neither of ours, as nearly all of a real registry's are."""

CONSENT_DAYS = 365


class DemoServices(Protocol):
    """The services of one controller, as far as the story needs them."""

    @property
    def recording(self) -> Recording: ...

    @property
    def importing(self) -> Importing: ...


@dataclass(frozen=True, slots=True)
class Story:
    """How many acts of each kind went into the store."""

    acts: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.acts.values())


@dataclass(frozen=True, slots=True)
class Setting:
    """Where the story of one list takes place, and what its people opt out of or consent to."""

    people: Callable[[], tuple[Person, ...]]
    cell: Cell
    another_purpose: str
    purpose_class: PurposeClass
    wording: str


CAMPAIGN = Setting(
    people=campaign_people,
    cell=Cell(campaign_list.PURPOSE, Channel.EMAIL),
    another_purpose="candidate-contact",
    purpose_class=PurposeClass.PROMOTIONAL,
    wording="client-news-form@3",
)
ALUMNI = Setting(
    people=alumni_people,
    cell=Cell(alumni_list.PURPOSE, Channel.EMAIL),
    another_purpose="alumni-publications",
    purpose_class=PurposeClass.INFORMATIONAL,
    wording="alumni-portal@2",
)


async def play(campaign: DemoServices, alumni: DemoServices, now_ms: int) -> Story:
    """Play everybody's part. `campaign` and `alumni` are the services of the two lists' controllers."""
    tally: Counter[str] = Counter()
    for setting, services, other in ((CAMPAIGN, campaign, alumni), (ALUMNI, alumni, campaign)):
        await _Stage(setting, services, other, now_ms, tally).play()
    return Story(dict(sorted(tally.items())))


def as_alias(address: str) -> str:
    """Another spelling of a Gmail mailbox: dots, tag, domain and capitals all differ."""
    local_part, _, _ = address.partition("@")
    return f"{'.'.join(local_part.replace('.', '')).upper()}+news@googlemail.com"


class _Stage:
    """The acts of one list's people, each counted once it has changed the store."""

    def __init__(
        self, setting: Setting, services: DemoServices, other: DemoServices, now_ms: int, tally: Counter[str]
    ) -> None:
        self._setting = setting
        self._recording = services.recording
        self._importing = services.importing
        self._elsewhere = other.recording
        self._now_ms = now_ms
        self._tally = tally

    async def play(self) -> None:
        """Imports first, as a new controller would, then the single acts, many at a time."""
        await self._import_old_opt_outs()
        await self._import_registry()
        await self._import_paper_consents()
        await self._count("whole domains", self._recording.suppress(
            f"@{WHOLE_DOMAIN}", RefusalReason.MANUAL, EVERYTHING, "account-team"
        ))  # fmt: skip
        parts = ((_PARTS.get(person.fate), person) for person in self._setting.people())
        await asyncio.gather(*(part(self, person) for part, person in parts if part is not None))

    async def opted_out(self, person: Person) -> None:
        await self._opt_out(person.address, EVERYTHING)

    async def opted_out_as_alias(self, person: Person) -> None:
        await self._opt_out(as_alias(person.address), EVERYTHING)

    async def opted_out_of_purpose(self, person: Person) -> None:
        await self._opt_out(person.address, Scope(purpose=self._setting.cell.purpose), days_ago=12)

    async def opted_out_of_channel(self, person: Person) -> None:
        await self._opt_out(person.address, Scope(channel=Channel.EMAIL), days_ago=33)

    async def opted_out_of_class(self, person: Person) -> None:
        await self._opt_out(person.address, Scope(purpose_class=self._setting.purpose_class), days_ago=47)

    async def opted_out_of_another_purpose(self, person: Person) -> None:
        await self._opt_out(person.address, Scope(purpose=self._setting.another_purpose))

    async def opted_out_elsewhere(self, person: Person) -> None:
        """One controller's data never answers for another's (OC-9)."""
        await self._count("opt-outs", self._elsewhere.opt_out(person.address, EVERYTHING, "one-click"))

    async def consented(self, person: Person) -> None:
        await self._consent(person, days_ago=20, days=CONSENT_DAYS)

    async def consent_expired(self, person: Person) -> None:
        await self._consent(person, days_ago=CONSENT_DAYS + 9, days=CONSENT_DAYS)

    async def consent_withdrawn(self, person: Person) -> None:
        await self._consent(person, days_ago=80, days=CONSENT_DAYS)
        await self._opt_out(person.address, EVERYTHING)

    async def consent_arrived_late(self, person: Person) -> None:
        """The form was signed before the opt-out and typed in after it, so the opt-out stands."""
        await self._opt_out(person.address, EVERYTHING, days_ago=5)
        await self._consent(person, days_ago=25, days=CONSENT_DAYS)

    async def consent_after_opt_out(self, person: Person) -> None:
        await self._opt_out(person.address, EVERYTHING, days_ago=90)
        await self._consent(person, days_ago=10, days=CONSENT_DAYS)

    async def consent_after_opt_out_ended(self, person: Person) -> None:
        await self._opt_out(person.address, EVERYTHING, days_ago=90)
        await self._consent(person, days_ago=60, days=30)

    async def bounced(self, person: Person) -> None:
        await self._count("bounces", self._recording.bounce_permanently(person.address, Channel.EMAIL, "mail-relay"))

    async def bounce_disproved(self, person: Person) -> None:
        await self.bounced(person)
        delivery = self._recording.record_delivery(person.address, Channel.EMAIL, "confirmed-link")
        await self._count("deliveries", delivery)

    async def complained(self, person: Person) -> None:
        await self._suppress("complaints", person, RefusalReason.COMPLAINED, "feedback-loop")

    async def consented_on_registry(self, person: Person) -> None:
        await self._consent(person, days_ago=200, days=CONSENT_DAYS)

    async def suppressed_by_hand(self, person: Person) -> None:
        await self._suppress("suppressed by hand", person, RefusalReason.MANUAL, "account-team")

    async def minor(self, person: Person) -> None:
        await self._suppress("minors", person, RefusalReason.MINOR, "age-check")

    async def restricted(self, person: Person) -> None:
        await self._suppress("restrictions", person, RefusalReason.RESTRICTED, "rights-desk")

    async def legal(self, person: Person) -> None:
        await self._suppress("legal holds", person, RefusalReason.LEGAL, "legal-team")

    async def erased(self, person: Person) -> None:
        """What is left of an opt-out after the erasure is the refusal alone (OCC-2)."""
        await self._opt_out(person.address, EVERYTHING, days_ago=3)
        await self._suppress("erasures", person, RefusalReason.ERASED, "rights-desk")

    async def _opt_out(self, address: str, scope: Scope, days_ago: int | None = None) -> None:
        at_ms = None if days_ago is None else self._days_ago(days_ago)
        await self._count("opt-outs", self._recording.opt_out(address, scope, "one-click", at_ms))

    async def _suppress(self, kind: str, person: Person, reason: RefusalReason, source: str) -> None:
        await self._count(kind, self._recording.suppress(person.address, reason, EVERYTHING, source))

    async def _consent(self, person: Person, days_ago: int, days: int) -> None:
        consent = self._consent_of("form", days_ago, days)
        await self._count("consents", self._recording.record_consent(person.address, consent))

    def _consent_of(self, method: str, days_ago: int, days: int) -> Consent:
        given_ms = self._days_ago(days_ago)
        wording, cell = self._setting.wording, self._setting.cell
        return Consent(cell, wording, method, "person", given_ms, given_ms + days * MS_PER_DAY)

    async def _import_old_opt_outs(self) -> None:
        """The unsubscribed of the system before this one, each with its date."""
        rows = [RefusalRow(person.address, self._days_ago(400)) for person in self._those(Fate.OPTED_OUT_LONG_AGO)]
        await self._import_refusals("imported opt-outs", rows, RefusalReason.OPTED_OUT, "old-newsletter")

    async def _import_registry(self) -> None:
        listed = [person.address for person in self._those(Fate.ON_REGISTRY, Fate.ON_REGISTRY_WITH_CONSENT)]
        strangers = [f"stranger{number}@example.net" for number in range(1, STRANGERS_ON_REGISTRY + 1)]
        rows = [RefusalRow(address, self._days_ago(150)) for address in (*listed, *strangers)]
        await self._import_refusals("registry rows", rows, RefusalReason.ON_REGISTRY, REGISTRY)

    async def _import_paper_consents(self) -> None:
        consent = self._consent_of("paper-form", days_ago=70, days=CONSENT_DAYS)
        rows = [GrantRow(person.address, consent) for person in self._those(Fate.CONSENTED_ON_PAPER)]
        for start in range(0, len(rows), BATCH_ROWS):
            self._count_rows("imported consents", await self._importing.grant(rows[start : start + BATCH_ROWS]))

    async def _import_refusals(self, kind: str, rows: Sequence[RefusalRow], reason: RefusalReason, source: str) -> None:
        email = AddressKind.EMAIL
        scope = self._importing.checked_scope(reason, EVERYTHING, source, email)
        for start in range(0, len(rows), BATCH_ROWS):
            batch = rows[start : start + BATCH_ROWS]
            self._count_rows(kind, await self._importing.refuse(batch, reason, scope, source, email))

    def _those(self, *fates: Fate) -> Iterable[Person]:
        return (person for person in self._setting.people() if person.fate in fates)

    def _days_ago(self, days: int) -> int:
        return self._now_ms - days * MS_PER_DAY

    async def _count(self, kind: str, act: Awaitable[Outcome]) -> None:
        """Awaited apart, for an addition that waits would lose what others count meanwhile."""
        outcome = await act
        self._tally[kind] += outcome is Outcome.RECORDED

    def _count_rows(self, kind: str, outcomes: Sequence[RowOutcome | PrefcenterError]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, PrefcenterError):
                raise outcome
            self._tally[kind] += outcome is not RowOutcome.ALREADY


_PARTS: Mapping[Fate, Callable[[_Stage, Person], Awaitable[None]]] = {
    Fate.OPTED_OUT: _Stage.opted_out,
    Fate.OPTED_OUT_AS_ALIAS: _Stage.opted_out_as_alias,
    Fate.OPTED_OUT_OF_PURPOSE: _Stage.opted_out_of_purpose,
    Fate.OPTED_OUT_OF_CHANNEL: _Stage.opted_out_of_channel,
    Fate.OPTED_OUT_OF_CLASS: _Stage.opted_out_of_class,
    Fate.OPTED_OUT_OF_ANOTHER_PURPOSE: _Stage.opted_out_of_another_purpose,
    Fate.OPTED_OUT_ELSEWHERE: _Stage.opted_out_elsewhere,
    Fate.CONSENTED: _Stage.consented,
    Fate.CONSENT_EXPIRED: _Stage.consent_expired,
    Fate.CONSENT_WITHDRAWN: _Stage.consent_withdrawn,
    Fate.CONSENT_ARRIVED_LATE: _Stage.consent_arrived_late,
    Fate.CONSENT_AFTER_OPT_OUT: _Stage.consent_after_opt_out,
    Fate.CONSENT_AFTER_OPT_OUT_ENDED: _Stage.consent_after_opt_out_ended,
    Fate.BOUNCED: _Stage.bounced,
    Fate.BOUNCE_DISPROVED: _Stage.bounce_disproved,
    Fate.COMPLAINED: _Stage.complained,
    Fate.ON_REGISTRY_WITH_CONSENT: _Stage.consented_on_registry,
    Fate.SUPPRESSED_BY_HAND: _Stage.suppressed_by_hand,
    Fate.MINOR: _Stage.minor,
    Fate.RESTRICTED: _Stage.restricted,
    Fate.LEGAL: _Stage.legal,
    Fate.ERASED: _Stage.erased,
}
"""The single acts of each fate; the other fates came with an import, or are nothing at all."""
