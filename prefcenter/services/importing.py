"""Import whole lists of refusals or consents, a batch of rows at a time (CONTRACTS: Import).

An import of refusals can only tighten. It reads the records of a batch in one round trip, folds its rows in, and
appends what changed in one bulk commit, so that an acknowledged batch is on disk and single acts go first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from prefcenter.domain.digest import Digest, DigestKind, Digests
from prefcenter.domain.errors import ActRefused, InvalidInput, PrefcenterError
from prefcenter.domain.events import Delisted, Refused, Scope
from prefcenter.domain.policy import Policy
from prefcenter.domain.record import Record
from prefcenter.domain.terms import AddressKind, Channel, RefusalReason
from prefcenter.domain.time import stated_time
from prefcenter.security.digests import Digester
from prefcenter.services.acts import Outcome, until_first
from prefcenter.services.admission import Admission, Consent
from prefcenter.services.import_batches import NONE_DIGESTED, Batch, DigestedRows, Prepared, RowOutcome, Sorting
from prefcenter.services.ports import Alike, Change, Clock, Store
from prefcenter.services.reach import with_reached
from prefcenter.services.recording import Recording, granted
from prefcenter.services.slugs import check_slug
from prefcenter.services.targets import Target, Targets

if TYPE_CHECKING:
    from prefcenter.security.vector_digests import Forms


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """One address or `@domain` to refuse; `at_ms` is when, by the list."""

    address: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class GrantRow:
    """One consent of one address; its `given_ms` must be set. `channel` says what the address of a data use is."""

    address: str
    consent: Consent
    channel: Channel | None = None


@dataclass(frozen=True, slots=True)
class RefusalBlock:
    """Some rows of a list of email addresses, in its order; `at_ms` is when each was refused, by the list.

    `plain` are the places of those whose mailboxes are known: `mailboxes` has their forms by rules version, newest
    first, each beginning with the byte of its kind. `others` are those to be parsed, by their places; they count for
    more than what is known.
    """

    at_ms: Sequence[int]
    plain: Sequence[int]
    mailboxes: Mapping[int, Forms]
    others: Mapping[int, str]


RowError = PrefcenterError
"""What is wrong with a row; the others of its batch are imported all the same."""

Item = TypeVar("Item")
Made = TypeVar("Made")
_Row = Prepared | RowError | None
"""A row on its way; None: it is among those that were digested together."""

_Outcomes = dict[int, RowOutcome | RowError]


class Importing:
    """Bulk acts of one controller."""

    def __init__(self, policy: Policy, digester: Digester, store: Store, clock: Clock, recording: Recording) -> None:
        self._policy = policy
        self._store = store
        self._clock = clock
        self._recording = recording
        self._targets = Targets(policy.country, digester)
        self._admission = Admission(policy, clock)

    async def begin(self, file_sha256: bytes, options: Iterable[str]) -> int:
        """The time of this import: the same for the same file with the same options, whenever it is run again.

        It is never after now: a clock that was set back since the first time must not put every row in the future.
        """
        fingerprint = hashlib.sha256(file_sha256 + "\0".join(options).encode()).digest()[:16]
        now_ms = self._clock()
        return min(now_ms, await self._store.first_import_ms(self._policy.controller, fingerprint, now_ms))

    def checked_scope(self, reason: RefusalReason, scope: Scope, source: str, kind: AddressKind) -> Scope:
        """What each row will refuse. Raises InvalidInput or ActRefused before any row is read."""
        check_slug(source, "source")
        if reason is RefusalReason.ERASED:
            raise InvalidInput("reason: erasures are single acts")
        return self._admission.checked_scope(reason, scope, kind)

    async def refuse(
        self,
        rows: Sequence[RefusalRow],
        reason: RefusalReason,
        scope: Scope,
        source: str,
        kind: AddressKind,
        hashes: DigestKind | None = None,
    ) -> Sequence[RowOutcome | RowError]:
        """Import refusals; an outcome for each row in order. The scope is one that `checked_scope` gave.

        With `hashes` the rows hold a vendor's hashes of that kind instead of addresses.
        """
        now_ms = self._clock()

        def prepare(row: RefusalRow) -> Prepared:
            event = Refused(now_ms, stated_time(row.at_ms, now_ms), reason, scope, source)
            return Prepared(self._target(row.address, kind, hashes), event)

        prepared: list[_Row] = [*_made_of(rows, prepare)]
        marks = [] if hashes is None else [row for row in prepared if isinstance(row, Prepared)][:1]
        # A batch that holds a hash also marks the store as one that does, before anything in it can be looked up.
        marked = [Prepared(self._targets.hash_mark, row.event) for row in marks]
        return (await self._import([*marked, *prepared]))[len(marked) :]

    async def refuse_block(
        self, block: RefusalBlock, reason: RefusalReason, scope: Scope, source: str
    ) -> Sequence[RowOutcome | RowError]:
        """The same for rows of email addresses, of which the plain ones were read together."""
        now_ms = self._clock()

        def event(at_ms: int) -> Refused:
            return Refused(now_ms, stated_time(at_ms, now_ms), reason, scope, source)

        times = list(dict.fromkeys(block.at_ms))
        event_of = dict(zip(times, _made_of(times, event), strict=True))
        events = [event_of[at_ms] for at_ms in block.at_ms]
        rows: list[_Row] = [event if isinstance(event, RowError) else None for event in events]
        for place, text in block.others.items():
            its_event = events[place]
            if isinstance(its_event, Refused):
                rows[place] = self._parsed(text, its_event)
        return await self._import(rows, self._digested(block, events))

    def _parsed(self, text: str, event: Refused) -> _Row:
        try:
            return Prepared(self._targets.of_kind(text, AddressKind.EMAIL), event)
        except InvalidInput as error:
            return error

    def _digested(self, block: RefusalBlock, events: Sequence[Refused | RowError]) -> DigestedRows:
        """The plain rows that can be imported."""
        valid: list[tuple[int, int, Refused]] = []
        for index, place in enumerate(block.plain):
            event = events[place]
            if isinstance(event, Refused) and place not in block.others:
                valid.append((index, place, event))
        subjects = self._targets.of_mailboxes(block.mailboxes)
        if len(valid) < len(block.plain):
            subjects = tuple(digests.taken(index for index, *_ in valid) for digests in subjects)
        return DigestedRows([place for _, place, _ in valid], subjects, [event for *_, event in valid])

    def _target(self, text: str, kind: AddressKind, hashes: DigestKind | None) -> Target:
        return self._targets.of_kind(text, kind) if hashes is None else self._targets.of_hash(hashes, text)

    async def grant(self, rows: Sequence[GrantRow]) -> Sequence[RowOutcome | RowError]:
        """Import consents; an outcome for each row in order."""
        now_ms = self._clock()

        def prepare(row: GrantRow) -> Prepared:
            self._admission.check_consent(row.consent)
            target = self._targets.of(row.address, row.consent.cell.channel or row.channel)
            given_ms = row.consent.given_ms
            if given_ms is None:
                raise InvalidInput("time: a consent must say when it was given")
            return Prepared(target, granted(target, row.consent, now_ms, stated_time(given_ms, now_ms)))

        return await self._import([*_made_of(rows, prepare)])

    def subjects(self, address: str, kind: AddressKind, hashes: DigestKind | None = None) -> Sequence[Digest]:
        """Every digest under which an address (or a hash) of a list may be on record. Raises InvalidAddress."""
        return self._target(address, kind, hashes).records_of

    def subjects_of_block(self, block: RefusalBlock) -> Iterable[bytes]:
        """The same digests, by their values, of all rows of a block that hold an address."""
        plain = [index for index, place in enumerate(block.plain) if place not in block.others]
        for digests in self._targets.of_mailboxes(block.mailboxes):
            yield from digests.taken(plain).values
        for target in _made_of(list(block.others.values()), lambda text: self._target(text, AddressKind.EMAIL, None)):
            if isinstance(target, Target):
                yield from (digest.value for digest in target.records_of)

    async def delist(self, registry: str, scope: Scope, listed: frozenset[bytes], begun_ms: int) -> int:
        """A registry's list for a scope was replaced in full: lift its refusals from every record it no longer names.

        `begun_ms` is the time of that import: whom the registry has named since stays refused.
        """
        lifted = 0
        async for page in self._store.scan(self._policy.controller):
            unlisted = (record for record in page if record.subject.value not in listed)
            marks = self._targets.hash_mark.records_of
            for record in [record for record in unlisted if _is_on(record, registry) and record.subject not in marks]:
                target = Target(record.subject, (record.subject,), None)
                outcome = await self._recording.record_on_all(
                    target, lambda received, _: Delisted(received, registry, scope, begun_ms)
                )
                lifted += outcome is Outcome.RECORDED
        return lifted

    async def _import(
        self, rows: Sequence[_Row], digested: DigestedRows = NONE_DIGESTED
    ) -> Sequence[RowOutcome | RowError]:
        """Outcomes of the rows, in order; those of digested ones stand at their places."""
        subjects = {subject for row in rows if isinstance(row, Prepared) for subject in row.target.records_of}

        async def append() -> Sequence[RowOutcome | RowError]:
            asked = [*digested.subjects, *Digests.grouped(subjects)]
            found = await self._store.load_alike(self._policy.controller, asked)
            sorting = Sorting(digested, found, subjects)
            outcomes, alike = self._of_alike(digested, sorting)
            single = {digested.places[index]: digested.at(index) for index in sorting.single}
            single |= {place: row for place, row in enumerate(rows) if isinstance(row, Prepared)}
            of_single, changes = await self._of_single(single, sorting)
            if changes or alike:
                await self._store.append(self._policy.controller, changes, bulk=True, alike=alike)
            outcomes |= of_single | {place: row for place, row in enumerate(rows) if isinstance(row, RowError)}
            return [outcomes[place] for place in range(len(rows))]

        return await until_first(append)

    def _of_alike(self, digested: DigestedRows, sorting: Sorting) -> tuple[_Outcomes, list[Alike]]:
        outcomes, changes = _Outcomes(), []
        for rows in sorting.alike:
            outcome, change = rows.come_to(self._policy, digested)
            outcomes.update(dict.fromkeys([digested.places[index] for index in rows.indexes], outcome))
            changes += [] if change is None else [change]
        return outcomes, changes

    async def _of_single(self, rows: Mapping[int, Prepared], sorting: Sorting) -> tuple[_Outcomes, Sequence[Change]]:
        subjects = {subject for row in rows.values() for subject in row.target.records_of}
        drafts = await with_reached(self._store, self._policy.controller, sorting.records_of(subjects), subjects)
        batch = Batch(self._policy, drafts)
        outcomes: _Outcomes = {place: batch.apply(rows[place]) for place in sorted(rows)}
        return outcomes, drafts.changes


def _is_on(record: Record, registry: str) -> bool:
    reason = RefusalReason.ON_REGISTRY
    return any(refusal.reason is reason and refusal.source == registry for refusal in record.refusals)


def _made_of(items: Sequence[Item], make: Callable[[Item], Made]) -> list[Made | RowError]:
    """What is made of each, or what is wrong with it."""
    made: list[Made | RowError] = []
    for item in items:
        try:
            made.append(make(item))
        except (InvalidInput, ActRefused) as error:
            made.append(error)
    return made
