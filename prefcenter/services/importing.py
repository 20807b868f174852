"""Import whole lists of refusals or consents, a batch of rows at a time (CONTRACTS: Import).

An import of refusals can only tighten. It reads the records of a batch in one round trip, folds row by row, and appends
what changed in one bulk commit, so that an acknowledged batch is on disk and single acts go first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from prefcenter.domain.decision import covers
from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.errors import ActRefused, InvalidInput, PrefcenterError
from prefcenter.domain.events import Delisted, Event, Refusal, Refused, Scope
from prefcenter.domain.policy import Policy
from prefcenter.domain.record import Grant, Record, sets_aside
from prefcenter.domain.terms import AddressKind, Channel, RefusalReason
from prefcenter.domain.time import stated_time
from prefcenter.security.digests import Digester
from prefcenter.services.acts import Drafts, Outcome, until_first
from prefcenter.services.admission import Admission, Consent
from prefcenter.services.ports import Clock, Store
from prefcenter.services.reach import fold_far, load_within_reach
from prefcenter.services.recording import Recording, granted
from prefcenter.services.slugs import check_slug
from prefcenter.services.targets import Target, Targets


class RowOutcome(StrEnum):
    """What a row did. `reversed`: it refuses anew what a consent had opened."""

    ADDED = "added"
    ALREADY = "already"
    REVERSED = "reversed"


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
class _Prepared:
    target: Target
    event: Event


RowError = PrefcenterError
"""What is wrong with a row; the others of its batch are imported all the same."""

Row = TypeVar("Row")


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

        def prepare(row: RefusalRow) -> _Prepared:
            event = Refused(now_ms, stated_time(row.at_ms, now_ms), reason, scope, source)
            return _Prepared(self._target(row.address, kind, hashes), event)

        prepared = _prepare_all(rows, prepare)
        marks = [] if hashes is None else [row for row in prepared if isinstance(row, _Prepared)][:1]
        # A batch that holds a hash also marks the store as one that does, before anything in it can be looked up.
        marked = [_Prepared(self._targets.hash_mark, row.event) for row in marks]
        return (await self._import([*marked, *prepared]))[len(marked) :]

    def _target(self, text: str, kind: AddressKind, hashes: DigestKind | None) -> Target:
        return self._targets.of_kind(text, kind) if hashes is None else self._targets.of_hash(hashes, text)

    async def grant(self, rows: Sequence[GrantRow]) -> Sequence[RowOutcome | RowError]:
        """Import consents; an outcome for each row in order."""
        now_ms = self._clock()

        def prepare(row: GrantRow) -> _Prepared:
            self._admission.check_consent(row.consent)
            target = self._targets.of(row.address, row.consent.cell.channel or row.channel)
            given_ms = row.consent.given_ms
            if given_ms is None:
                raise InvalidInput("time: a consent must say when it was given")
            return _Prepared(target, granted(target, row.consent, now_ms, stated_time(given_ms, now_ms)))

        return await self._import(_prepare_all(rows, prepare))

    def subjects(self, address: str, kind: AddressKind, hashes: DigestKind | None = None) -> Sequence[Digest]:
        """Every digest under which an address (or a hash) of a list may be on record. Raises InvalidAddress."""
        return self._target(address, kind, hashes).records_of

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

    async def _import(self, rows: Sequence[_Prepared | RowError]) -> Sequence[RowOutcome | RowError]:
        prepared = [row for row in rows if isinstance(row, _Prepared)]
        subjects = [subject for row in prepared for subject in row.target.records_of]

        async def append() -> Sequence[RowOutcome | RowError]:
            drafts = await load_within_reach(self._store, self._policy.controller, subjects)
            batch = _Batch(self._policy, drafts)
            outcomes = [row if isinstance(row, RowError) else batch.apply(row) for row in rows]
            if drafts.changes:
                await self._store.append(self._policy.controller, drafts.changes, bulk=True)
            return outcomes

        return await until_first(append)


class _Batch:
    """The records of a batch while its rows are folded into them, one after the other."""

    def __init__(self, policy: Policy, drafts: Drafts) -> None:
        self._policy = policy
        self._drafts = drafts

    def apply(self, row: _Prepared) -> RowOutcome:
        """Fold one row in and say what it did."""
        before = self._dossier(row.target)
        if not self._fold(row, before):
            return RowOutcome.ALREADY
        if not isinstance(row.event, Refused):
            return RowOutcome.ADDED
        if self._open(before, row.event) - self._open(self._dossier(row.target), row.event):
            return RowOutcome.REVERSED
        return RowOutcome.ALREADY if _stands(before, row.event) else RowOutcome.ADDED

    def _fold(self, row: _Prepared, dossier: Sequence[Record]) -> bool:
        if isinstance(row.event, Refused):
            return fold_far(self._drafts, row.target, row.event)
        return self._drafts.fold(row.target.write_to, row.event, dossier, row.target.exacts) is not None

    def _dossier(self, target: Target) -> list[Record]:
        return self._drafts.existing(target.records_of)

    def _open(self, records: Sequence[Record], refused: Refused) -> frozenset[Grant]:
        """The consents in its scope that refusals of this reason leave open."""
        alike = [(refusal, record) for record in records for refusal in record.refusals if _is_alike(refusal, refused)]
        return frozenset(
            grant
            for holder in records
            for grant in holder.grants
            if (grant.expires_ms is None or grant.expires_ms > refused.received_ms)
            and self._is_in_scope(grant, refused.scope)
            and all(sets_aside(grant, refusal, same_record=holder is record) for refusal, record in alike)
        )

    def _is_in_scope(self, grant: Grant, scope: Scope) -> bool:
        purpose = self._policy.purpose_by_id.get(grant.cell.purpose or "")
        if purpose is None:
            return scope.data_use is not None and scope.data_use == grant.cell.data_use
        return covers(scope, purpose, grant.cell.channel)


def _stands(records: Iterable[Record], refused: Refused) -> bool:
    return any(_is_alike(refusal, refused) for record in records for refusal in record.refusals)


def _is_alike(refusal: Refusal, refused: Refused) -> bool:
    return (refusal.reason, refusal.scope) == (refused.reason, refused.scope)


def _is_on(record: Record, registry: str) -> bool:
    reason = RefusalReason.ON_REGISTRY
    return any(refusal.reason is reason and refusal.source == registry for refusal in record.refusals)


def _prepare_all(rows: Sequence[Row], prepare: Callable[[Row], _Prepared]) -> list[_Prepared | RowError]:
    prepared: list[_Prepared | RowError] = []
    for row in rows:
        try:
            prepared.append(prepare(row))
        except (InvalidInput, ActRefused) as error:
            prepared.append(error)
    return prepared
