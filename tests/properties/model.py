"""A naive second opinion: the list of all acts on addresses, and the rules of DESIGN §2 read straight off it.

Nothing here folds, prunes or indexes, and nothing is shared with the record and the decision of the domain: only the
field's words are. What is not modelled: frequency caps, audiences, and clauses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

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
OF_ONE_ADDRESS = {RefusalReason.BOUNCED, RefusalReason.ON_REGISTRY}
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


Row = tuple[str, int]
"""A record: the name of a mailbox, domain or contact, and the generation of the keyring it was first written under."""


@dataclass(frozen=True)
class Act:
    """When and where: acts of one mailbox under one generation of the keyring share a record."""

    record: Row
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
class Kept:
    """A contact: its own record, whether it says of a place that it is personal, and the records that it is noted on.

    `since` says for each of those when the contact was noted there first.
    """

    record: Row
    places: Mapping[Place, bool] = field(default_factory=dict)
    since: Mapping[Row, int] = field(default_factory=dict)
    is_there: bool = False

    @property
    def subjects(self) -> set[str]:
        return {place.subject for place in self.places}

    def is_reached(self, subject: str, channel: Channel | None) -> bool:
        """Whether a refusal of a channel can mean one of its addresses."""
        return any(place.subject == subject and channel in (None, *place.channels) for place in self.places)


@dataclass
class Model:
    """Everything that was done at one controller."""

    refusals: list[Refusing] = field(default_factory=list)
    grants: list[Granting] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    waiting: dict[tuple[Row, str, Cell], Act] = field(default_factory=dict)
    paused_until: dict[Row, int | None] = field(default_factory=dict)
    records: set[Row] = field(default_factory=set)
    contacts: dict[str, Kept] = field(default_factory=dict)
    acts: int = 0

    def times(self) -> list[int]:
        """The times of all standing acts, around which the interesting moments lie."""
        return sorted({act.time_ms for act in self._standing_acts()})

    def _standing_acts(self) -> Iterator[Act]:
        for items in (self.refusals, self.grants, self.endings):
            yield from (item.act for item in items)
        yield from self.waiting.values()

    # How far an act reaches, and what it has to look at on the way.

    def is_known(self, contact: str) -> bool:
        return contact in self.contacts and self.contacts[contact].is_there

    def _holders(self, subject: str) -> list[Kept]:
        return [kept for kept in self.contacts.values() if any(record[0] == subject for record in kept.since)]

    def _contact_of(self, name: str) -> Kept | None:
        """A contact itself, or the only one that holds an address."""
        if name in self.contacts:
            return self.contacts[name]
        holders = self._holders(name)
        return holders[0] if len(holders) == 1 else None

    def _reached(self, name: str, generation: int, channel: Channel | None) -> list[Row]:
        own = [] if name in self.contacts else [(name, generation)]
        contact = self._contact_of(name)
        if contact is None:
            return own
        others = (row for row in contact.since if row[0] != name and contact.is_reached(row[0], channel))
        return [*own, contact.record, *others]

    def _looked_at(self, name: str) -> set[Row]:
        contacts = [self.contacts[name]] if name in self.contacts else self._holders(name)
        noted = (row for contact in contacts for row in contact.since)
        return {*self.records_of(name), *(contact.record for contact in contacts), *noted}

    def _received(self, rows: Collection[Row], clock_ms: int) -> int:
        """A clock that was set back does not write before what the records already hold."""
        return max([clock_ms, *(act.time_ms for act in self._standing_acts() if act.record in rows)])

    def _act(self, record: Row, time_ms: int, *, is_stated: bool) -> Act:
        self.acts += 1
        self.records.add(record)
        return Act(record, self.acts, time_ms, is_stated)

    def time_of(self, name: str, clock_ms: int, at_ms: int | None, elsewhere: Iterable[str] = ()) -> int:
        """When an act counts as done: a live one not before anything that it looked at."""
        rows = {row for each in (name, *elsewhere) for row in self._looked_at(each)}
        return self._received(rows, clock_ms) if at_ms is None else min(at_ms, clock_ms)

    # Acts. Each gives the mailboxes, domains and contacts that it wrote to.

    def refuse(
        self,
        name: str,
        generation: int,
        time_ms: int,
        reason: RefusalReason,
        scope: Scope,
        source: str,
        *,
        stated: bool,
    ) -> set[str]:
        rows = [(name, generation)]
        if reason not in OF_ONE_ADDRESS:
            rows = self._reached(name, generation, scope.channel)
        for row in rows:
            self.refusals.append(Refusing(self._act(row, time_ms, is_stated=stated), reason, scope, source))
        return {row[0] for row in rows}

    def grant(
        self, place: Place, generation: int, time_ms: int, cell: Cell, expires_ms: int | None, *, stated: bool
    ) -> None:
        row = (place.subject, generation)
        granting = Granting(self._act(row, time_ms, is_stated=stated), place.text, cell, expires_ms)
        self.grants.append(granting)
        if not self._was_given_before(granting):
            self.waiting.pop((row, place.text, cell), None)

    def propose(self, place: Place, generation: int, time_ms: int, cell: Cell, *, stated: bool) -> None:
        """The same proposal again is a no-op, also where it waits under an older key."""
        act = self._act((place.subject, generation), time_ms, is_stated=stated)
        same = [
            known
            for (_, exact, its_cell), known in self.waiting.items()
            if (exact, its_cell, known.time_ms) == (place.text, cell, time_ms) and known.is_stated and stated
        ]
        if not same and not self._was_given_before(Granting(act, place.text, cell, None)):
            self.waiting[act.record, place.text, cell] = act

    def end_grants(self, place: Place, generation: int, time_ms: int) -> None:
        self.endings.append(Ending(self._act((place.subject, generation), time_ms, is_stated=False), place.text))

    def erase(self, name: str, generation: int, clock_ms: int) -> set[str]:
        contact = self._contact_of(name)
        gone = set() if name in self.contacts else {(name, generation), *self.records_of(name)}
        if contact is not None:
            gone |= {contact.record, *(row for subject in contact.subjects for row in self.records_of(subject))}
        sharing = [kept for kept in self.contacts.values() if kept.record not in gone and gone & kept.since.keys()]
        seen = {*self._looked_at(name), *gone, *(kept.record for kept in sharing)}
        received = self._received(seen, clock_ms)
        self._drop(gone)
        for row in gone:
            act = self._act(row, received, is_stated=False)
            self.refusals.append(Refusing(act, RefusalReason.ERASED, EVERYTHING, "person"))
        names = {row[0] for row in gone}
        for kept in sharing:
            kept.places = {place: said for place, said in kept.places.items() if place.subject not in names}
            kept.since = {row: since for row, since in kept.since.items() if row not in gone}
        if contact is not None:
            contact.places, contact.since, contact.is_there = {}, {}, False
        return names

    def _drop(self, gone: set[Row]) -> None:
        self.grants = [item for item in self.grants if item.act.record not in gone]
        self.endings = [item for item in self.endings if item.act.record not in gone]
        self.waiting = {key: act for key, act in self.waiting.items() if act.record not in gone}
        self.refusals = [
            item for item in self.refusals if item.act.record not in gone or item.reason in LIFTED_BY_ADMINISTRATOR
        ]
        for row in gone:
            self.paused_until.pop(row, None)

    def describe(self, contact: str, places: Mapping[Place, bool], generation: int, clock_ms: int) -> set[str]:
        """Make a contact what is given; a mailbox that is new to it takes over what the contact refused."""
        kept = self.contacts.setdefault(contact, Kept((contact, generation)))
        if kept.is_there and kept.places == places:
            return set()
        known, names = kept.subjects, {place.subject for place in places}
        rows = {*((name, generation) for name in names), *(row for row in kept.since if row[0] in names)}
        received = self._received({kept.record, *kept.since, *rows}, clock_ms)
        touched = {contact, *known, *names}
        self.records |= {kept.record, *rows}
        kept.places, kept.is_there = dict(places), True
        kept.since = {row: kept.since.get(row, received) for row in rows}
        for row in rows:
            if row[0] not in known:
                self._take_over(kept, row)
        return touched

    def _take_over(self, kept: Kept, row: Row) -> None:
        for item in [item for item in self.refusals if item.act.record == kept.record]:
            is_there = any(
                (own.act.record, own.reason, own.scope) == (row, item.reason, item.scope)
                and own.act.time_ms >= item.act.time_ms
                for own in self.refusals
            )
            if kept.is_reached(row[0], item.scope.channel) and not is_there:
                self.refusals.append(replace(item, act=self._act(row, item.act.time_ms, is_stated=True)))

    def pause(self, name: str, generation: int, until_ms: int | None) -> set[str]:
        """A pause is written under the present key; an end, and another length, to whatever is paused already."""
        contact = self._contact_of(name)
        names = {name} | (set() if contact is None else contact.subjects)
        rows = [row for each in names for row in self.records_of(each) if self.paused_until.get(row) is not None]
        if until_ms is not None:
            rows += self._reached(name, generation, None)
        self.records.update(rows)
        self.paused_until.update(dict.fromkeys(rows, until_ms))
        return {row[0] for row in rows}

    def records_of(self, subject: str) -> list[Row]:
        return [record for record in self.records if record[0] == subject]

    def lift(self, name: str, reason: RefusalReason, purpose: str | None, channel: Channel | None) -> set[str]:
        """At an address only there, at a contact with all that it holds."""
        names = {name} | (self.contacts[name].subjects if name in self.contacts else set())

        def is_lifted(item: Refusing) -> bool:
            fits = purpose in (None, item.scope.purpose) and channel in (None, item.scope.channel)
            return item.act.record[0] in names and item.reason is reason and fits

        self.refusals = [item for item in self.refusals if not is_lifted(item)]
        return names

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
        if self._basis(promise, place, cell) is not Basis.CONSENT:
            return "permitted"
        given = [grant for grant in self._valid_grants(place, cell) if grant.act.time_ms <= now_ms]
        if any(grant.is_in_force(now_ms) for grant in given):
            return "permitted"
        return "consent_expired" if given else "no_consent"

    def _standing(self, promise: Promise | None, place: Place, cell: Cell, now_ms: int) -> Iterator[Refusing]:
        for item in self.refusals:
            is_about = item.act.record[0] in (place.subject, *place.domains)
            if not is_about or self._is_over(item, promise, place) or not _binds(item, promise, cell):
                continue
            if not self._is_set_aside(item, place, cell, now_ms):
                yield item

    def _is_over(self, item: Refusing, promise: Promise | None, place: Place) -> bool:
        """An erasure stops administrative messages only until a later contact holds the address."""
        if promise is None or promise.purpose_class is not PurposeClass.ADMINISTRATIVE:
            return False
        noted = [ms for kept in self.contacts.values() for row, ms in kept.since.items() if row[0] == place.subject]
        return item.reason is RefusalReason.ERASED and any(since_ms > item.act.time_ms for since_ms in noted)

    def _basis(self, promise: Promise | None, place: Place, cell: Cell) -> Basis:
        """What a contact says to be personal is so, whatever callers say; free mail is in any case."""
        if promise is None:
            return DATA_USES[cell.data_use or ""]
        said = [kept.places[held] for kept in self.contacts.values() for held in kept.places if _is_alike(held, place)]
        return promise.business if place.is_business and not any(said) else promise.personal

    def is_refused(self, promises: Promises, place: Place, cell: Cell, now_ms: int, until_ms: int | None) -> bool:
        """Whether a refusal stands for a cell now, or will again before a time when a consent that opened it ends."""
        promise = None if cell.purpose is None else promises[cell.purpose]
        ends = [item.expires_ms for item in self._valid_grants(place, cell) if item.expires_ms is not None]
        moments = [now_ms, *(end for end in ends if now_ms < end and (until_ms is None or end < until_ms))]
        return any(next(self._standing(promise, place, cell, moment), None) for moment in moments)

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


def _is_alike(one: Place, other: Place) -> bool:
    return one.subject == other.subject
