"""A naive second opinion: the list of all acts on addresses, and the rules of DESIGN §2 read straight off it.

Nothing here folds, prunes or indexes, and nothing is shared with the record and the decision of the domain: only the
field's words are. What is not modelled: frequency caps, contacts, audiences, and clauses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.terms import AddressKind, Basis, Channel, PurposeClass, RefusalReason
from tests.properties.promises import DATA_USES, Promise, Promises

MINUTE_MS = 60_000
LIFTED_BY_CONSENT = {RefusalReason.OPTED_OUT, RefusalReason.COMPLAINED, RefusalReason.ERASED}
LIFTED_BY_ADMINISTRATOR = {
    RefusalReason.BOUNCED,
    RefusalReason.MANUAL,
    RefusalReason.MINOR,
    RefusalReason.RESTRICTED,
    RefusalReason.LEGAL,
}
SILENCES_ADMINISTRATIVE = {
    RefusalReason.BOUNCED,
    RefusalReason.ERASED,
    RefusalReason.MINOR,
    RefusalReason.RESTRICTED,
    RefusalReason.LEGAL,
}
SILENCES_DATA_USES = SILENCES_ADMINISTRATIVE - {RefusalReason.BOUNCED}
WEAKEST_FIRST = (
    "bounced",
    "on_registry",
    "manual",
    "opted_out",
    "complained",
    "erased",
    "minor",
    "restricted",
    "legal",
)


@dataclass(frozen=True)
class Place:
    """One exact address of the test's world. `subject` names its mailbox, `written` is another way to spell it."""

    text: str
    subject: str
    written: str
    kind: AddressKind = AddressKind.EMAIL
    domains: tuple[str, ...] = ()

    @property
    def channels(self) -> tuple[Channel, ...]:
        return (Channel.EMAIL,) if self.kind is AddressKind.EMAIL else (Channel.SMS, Channel.VOICE)

    @property
    def is_business(self) -> bool:
        """Every caller says that an address is a business one; only free mail is personal all the same."""
        return self.kind is AddressKind.PHONE or bool(self.domains)


@dataclass(frozen=True)
class Act:
    """When and where: acts of one mailbox under one generation of the keyring share a record."""

    record: tuple[str, int]
    order: int
    time_ms: int
    is_stated: bool


@dataclass(frozen=True)
class Refusing:
    act: Act
    reason: RefusalReason
    scope: Scope
    source: str


@dataclass(frozen=True)
class Granting:
    act: Act
    exact: str
    cell: Cell
    expires_ms: int | None

    def is_in_force(self, now_ms: int) -> bool:
        return self.act.time_ms <= now_ms and (self.expires_ms is None or now_ms < self.expires_ms)


@dataclass(frozen=True)
class Ending:
    """A permanent bounce of one exact address."""

    act: Act
    exact: str


@dataclass
class Model:
    """Everything that was done at one controller."""

    refusals: list[Refusing] = field(default_factory=list)
    grants: list[Granting] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    paused_until: dict[tuple[str, int], int | None] = field(default_factory=dict)
    records: set[tuple[str, int]] = field(default_factory=set)
    acts: int = 0

    def times(self) -> list[int]:
        """The times of all standing acts, around which the interesting moments lie."""
        standing: list[Refusing | Granting | Ending] = [*self.refusals, *self.grants, *self.endings]
        return sorted({item.act.time_ms for item in standing})

    def _received(self, subject: str, clock_ms: int) -> int:
        """A clock that was set back does not write before what the mailbox already holds."""
        standing: list[Refusing | Granting | Ending] = [*self.refusals, *self.grants, *self.endings]
        return max([clock_ms, *(item.act.time_ms for item in standing if item.act.record[0] == subject)])

    def act(self, subject: str, generation: int, clock_ms: int, at_ms: int | None) -> Act:
        self.acts += 1
        self.records.add((subject, generation))
        time_ms = self._received(subject, clock_ms) if at_ms is None else min(at_ms, clock_ms)
        return Act((subject, generation), self.acts, time_ms, at_ms is not None)

    def erase(self, subject: str, generation: int, clock_ms: int) -> None:
        received = self._received(subject, clock_ms)
        self.records.add((subject, generation))
        self.grants = [item for item in self.grants if item.act.record[0] != subject]
        self.endings = [item for item in self.endings if item.act.record[0] != subject]
        self.refusals = [
            item for item in self.refusals if item.act.record[0] != subject or item.reason in LIFTED_BY_ADMINISTRATOR
        ]
        for record in self.records_of(subject):
            self.acts += 1
            self.paused_until.pop(record, None)
            act = Act(record, self.acts, received, is_stated=False)
            self.refusals.append(Refusing(act, RefusalReason.ERASED, EVERYTHING, "person"))

    def pause(self, subject: str, generation: int, until_ms: int | None) -> None:
        """A pause is written under the present key; an end, and another length, to whatever is paused already."""
        paused = [record for record in self.records_of(subject) if self.paused_until.get(record) is not None]
        if until_ms is not None:
            self.records.add((subject, generation))
            paused.append((subject, generation))
        self.paused_until.update(dict.fromkeys(paused, until_ms))

    def records_of(self, subject: str) -> list[tuple[str, int]]:
        return [record for record in self.records if record[0] == subject]

    def lift(self, subject: str, reason: RefusalReason, purpose: str | None, channel: Channel | None) -> None:
        def is_lifted(item: Refusing) -> bool:
            fits = purpose in (None, item.scope.purpose) and channel in (None, item.scope.channel)
            return item.act.record[0] == subject and item.reason is reason and fits

        self.refusals = [item for item in self.refusals if not is_lifted(item)]

    def deliver(self, subject: str, channel: Channel) -> None:
        """A bounce is disproved on its own channel, however its scope was narrowed."""

        def is_disproved(item: Refusing) -> bool:
            is_bounce = item.reason is RefusalReason.BOUNCED and item.scope.channel is channel
            return is_bounce and item.act.record[0] == subject

        self.refusals = [item for item in self.refusals if not is_disproved(item)]

    def delist(self, registry: str, channel: Channel, listed: set[str], begun_ms: int) -> None:
        """A whole list for one channel says nothing about another, nor about whom the registry named since."""

        def is_gone(item: Refusing) -> bool:
            is_on_it = item.reason is RefusalReason.ON_REGISTRY and item.source == registry
            is_spoken_of = item.scope.channel is channel and item.act.time_ms <= begun_ms
            return is_on_it and is_spoken_of and item.act.record[0] not in listed

        self.refusals = [item for item in self.refusals if not is_gone(item)]

    def answer(self, promises: Promises, place: Place, cell: Cell, now_ms: int) -> str:
        """The reason that a decision has to give."""
        promise = None if cell.purpose is None else promises.get(cell.purpose)
        if cell.purpose is not None and promise is None:
            return "unknown_purpose"
        standing = {item.reason.value for item in self._standing(promise, place, cell, now_ms)}
        if standing:
            return max(standing, key=WEAKEST_FIRST.index)
        if promise is not None:
            if promise.purpose_class is PurposeClass.ADMINISTRATIVE:
                return "permitted"
            if any(now_ms < (self.paused_until.get(record) or 0) for record in self.records_of(place.subject)):
                return "paused"
        if _basis(promise, place, cell) is not Basis.CONSENT:
            return "permitted"
        given = [grant for grant in self._valid_grants(place, cell) if grant.act.time_ms <= now_ms]
        if any(grant.is_in_force(now_ms) for grant in given):
            return "permitted"
        return "consent_expired" if given else "no_consent"

    def _standing(self, promise: Promise | None, place: Place, cell: Cell, now_ms: int) -> Iterator[Refusing]:
        for item in self.refusals:
            is_about = item.act.record[0] in (place.subject, *place.domains)
            if is_about and _binds(item, promise, cell) and not self._is_set_aside(item, place, cell, now_ms):
                yield item

    def _is_set_aside(self, refusal: Refusing, place: Place, cell: Cell, now_ms: int) -> bool:
        in_force = [grant for grant in self._valid_grants(place, cell) if grant.is_in_force(now_ms)]
        if refusal.reason is RefusalReason.ON_REGISTRY:
            return bool(in_force)
        if refusal.reason not in LIFTED_BY_CONSENT:
            return False
        return any(_came_later(grant.act, refusal.act) for grant in in_force)

    def _valid_grants(self, place: Place, cell: Cell) -> list[Granting]:
        """Consents of exactly this address for exactly this cell, given after its last permanent bounce."""
        endings = [ending for ending in self.endings if ending.exact == place.text]
        return [
            grant
            for grant in self.grants
            if (grant.exact, grant.cell) == (place.text, cell)
            and not self._was_given_before(grant)
            and all(_came_later(grant.act, ending.act) for ending in endings)
        ]

    def _was_given_before(self, grant: Granting) -> bool:
        """The same consent again, by address, cell and time of giving, is a no-op, whatever end it names."""
        same = (grant.exact, grant.cell, grant.act.time_ms)
        return grant.act.is_stated and any(
            other.act.is_stated and other.act.order < grant.act.order
            for other in self.grants
            if (other.exact, other.cell, other.act.time_ms) == same
        )

    def is_before_a_consent(self, place: Place, cell: Cell, now_ms: int) -> bool:
        """Whether a consent is on record from which the clock was set back."""
        return any(grant.act.time_ms > now_ms for grant in self._valid_grants(place, cell))

    def begins_to_count(self, place: Place, cell: Cell, before_ms: int, now_ms: int) -> bool:
        """Whether a consent is in force now that was not at another time."""
        grants = self._valid_grants(place, cell)
        return any(grant.is_in_force(now_ms) and not grant.is_in_force(before_ms) for grant in grants)


def _came_later(grant: Act, refusal: Act) -> bool:
    both_live = not grant.is_stated and not refusal.is_stated
    if both_live and grant.record == refusal.record:
        return grant.order > refusal.order
    return grant.time_ms - refusal.time_ms > MINUTE_MS


def _binds(item: Refusing, promise: Promise | None, cell: Cell) -> bool:
    scope = item.scope
    if promise is None:
        return item.reason in SILENCES_DATA_USES if scope == EVERYTHING else scope.data_use == cell.data_use
    if promise.purpose_class is PurposeClass.ADMINISTRATIVE and item.reason not in SILENCES_ADMINISTRATIVE:
        return False
    return (
        scope.data_use is None
        and scope.purpose in (None, cell.purpose, *promise.succeeds)
        and scope.purpose_class in (None, promise.purpose_class)
        and scope.channel in (None, cell.channel)
    )


def _basis(promise: Promise | None, place: Place, cell: Cell) -> Basis:
    if promise is None:
        return DATA_USES[cell.data_use or ""]
    return promise.business if place.is_business else promise.personal
