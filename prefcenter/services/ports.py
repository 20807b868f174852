"""What the use cases need of the outside: a store and a clock. Backends implement these; tests bring a fake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol

from prefcenter.domain.digest import Digest, Digests
from prefcenter.domain.events import Erased, Event, Refused
from prefcenter.domain.ledger import Head
from prefcenter.domain.record import Record, fold

Clock = Callable[[], int]
"""The time now, in UTC milliseconds."""

RECEIPT_LIFE_MS = 24 * 60 * 60 * 1_000
"""How long an idempotency key stands for what it was first used for; after that it may be used anew."""


@dataclass(frozen=True, slots=True)
class Change:
    """New events of one record: `after` is the fold of `before` and the events, and says so by its version.

    An erasure among the events drops what is sealed beside the record, and then nothing new is kept there either.
    """

    before: Record
    events: tuple[Event, ...]
    after: Record
    sealed: bytes | None = None
    """Encrypted plaintext that stands beside the record from now on; None leaves what stands there."""
    other_names: tuple[Digest, ...] = ()
    """What else the person of an erasure may be called: sends and letters stand under digests without a record too."""

    @property
    def forgotten(self) -> frozenset[Digest]:
        """The digests to which an erasure leaves no sends and no letters."""
        return frozenset((self.after.subject, *self.other_names))

    @property
    def erases_up_to(self) -> int:
        """The version of the last erasure among the events, before which no body may stay; 0 for none."""
        versions = enumerate(self.events, self.before.version + 1)
        return max((version for version, event in versions if isinstance(event, Erased)), default=0)


@dataclass(frozen=True, slots=True)
class AlikeRecords:
    """Records that say the same of their subjects, version included. `first` is that of the first subject."""

    first: Record
    subjects: Digests

    def of(self, subject: Digest) -> Record:
        return replace(self.first, subject=subject)


def alike_records(records: Iterable[Record]) -> Sequence[AlikeRecords]:
    """Records that were loaded one by one, those that say the same together."""
    together: dict[Record, list[Record]] = {}
    for record in records:
        without_value = replace(record, subject=replace(record.subject, value=b""))
        together.setdefault(without_value, []).append(record)
    return [_alike(group) for group in together.values()]


def _alike(records: Sequence[Record]) -> AlikeRecords:
    first = records[0].subject
    values = [record.subject.value for record in records]
    return AlikeRecords(records[0], Digests(first.kind, first.key, first.rules, values))


@dataclass(frozen=True, slots=True)
class Beginnings:
    """The first thing that ever happens to many subjects: an event for each. No subject may stand in it twice."""

    subjects: Digests
    events: Sequence[Refused]

    def __iter__(self) -> Iterator[Change]:
        """Each change by itself."""
        for subject, event in zip(self.subjects, self.events, strict=True):
            before = Record(subject)
            yield Change(before, (event,), fold(before, event))


@dataclass(frozen=True, slots=True)
class AlikeChanges:
    """The same change of many records that are there and say the same. `first` is that of the first.

    Nothing in it may name its subject, seal plaintext or erase; no subject may stand in it twice.
    """

    first: Change
    subjects: Digests

    def __iter__(self) -> Iterator[Change]:
        """Each change by itself."""
        before, after = self.first.before, self.first.after
        for subject in self.subjects:
            yield replace(self.first, before=replace(before, subject=subject), after=replace(after, subject=subject))


Alike = Beginnings | AlikeChanges
"""What an append does to many records together."""


def one_by_one(changes: Sequence[Change], alike: Sequence[Alike]) -> Sequence[Change]:
    """All changes of an append, for a store that writes each by itself."""
    return [*changes, *chain.from_iterable(alike)]


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """One event as the change feed gives it. `event` is None where an erasure took the body."""

    partition: int
    position: int
    subject: Digest
    version: int
    event: Event | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an idempotency key was used for, and what its user was told; nothing in it is plaintext of a person.

    `name` is a keyed digest of caller and idempotency key, `input` of what was sent, each of 16 bytes.
    """

    name: bytes
    input: bytes
    result: bytes
    received_ms: int


@dataclass(frozen=True, slots=True)
class Send:
    """One message that a tool says it sent. `campaign` is a keyed digest of 16 bytes."""

    subject: Digest
    campaign: bytes
    sent_ms: int


@dataclass(frozen=True, slots=True)
class WaitingLetter:
    """A letter that somebody claimed to send it. `subject` is the record of the address that it goes to.

    `content` is encrypted, address included, and bound to the subject and to `queued_ms`. `attempts`: how often it was
    claimed, this time included.
    """

    id: str
    controller: str
    subject: Digest
    queued_ms: int
    attempts: int
    content: bytes


LETTERS_COUNTED_MS = 60 * 60 * 1_000
"""How far back letters to one address are counted, whether they were sent or not."""


@dataclass(frozen=True, slots=True)
class RecordPage:
    """Some records of a controller, oldest first, and where the next page begins; None: there is none."""

    records: Sequence[Record]
    next: str | None


@dataclass(frozen=True, slots=True)
class RecordColumns:
    """Some records of a controller in columns: record i stands under `digests[i]`, and `told[like[i]]` tells of it.

    One record tells of another that is of its kind, key and rules and has the same on record. Those that have refusals
    and nothing else need the same ones in the same order only, whatever their sources and times.
    """

    digests: Sequence[bytes]
    like: Sequence[int]
    told: Sequence[Record]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A marketing tool's key: what it may do for whom. Only the hash of its secret is kept.

    `controllers` empty: every controller of the home. Times in UTC milliseconds.
    """

    id: str
    label: str
    secret_hash: bytes
    scopes: frozenset[str]
    controllers: frozenset[str]
    created_ms: int
    expires_ms: int | None = None
    revoked_ms: int | None = None
    last_used_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit read, and everything it found wrong; no finding: the ledger and records are whole."""

    events: int
    records: int
    findings: tuple[str, ...]


class Store(Protocol):
    """Records and ledger of all controllers. Every method raises StoreError, and then nothing was acknowledged."""

    async def load(self, controller: str, subjects: Sequence[Digest]) -> Sequence[Record]:
        """The records that exist among the subjects, in one round trip, in no particular order."""

    async def load_alike(self, controller: str, subjects: Sequence[Digests]) -> Sequence[AlikeRecords]:
        """The same for subjects by the thousand; records that say the same may come together."""

    async def load_sealed(self, controller: str, subjects: Sequence[Digest]) -> Mapping[Digest, bytes]:
        """The encrypted plaintext that stands beside those of the records that have some, in one round trip."""

    async def append(
        self,
        controller: str,
        changes: Sequence[Change],
        *,
        bulk: bool = False,
        receipt: Receipt | None = None,
        alike: Sequence[Alike] = (),
    ) -> None:
        """Append all changes and the receipt, or nothing, on disk when this returns.

        A bulk append lets single acts go first. No subject may stand in two of the changes.
        Raises VersionConflict when any record has moved on since it was read, or the receipt's name is taken: by one
        that came less than RECEIPT_LIFE_MS before it. An `Erased` event drops the bodies and salts of all events of its
        record before it, what is sealed beside it, and the sends and letters under all that is `forgotten`.
        """

    async def receipt(self, controller: str, name: bytes, since_ms: int) -> Receipt | None:
        """The receipt of that name, unless it is older than `since_ms`.

        Asked for as of RECEIPT_LIFE_MS ago, None means that an append may take the name, be it anew.
        """

    async def record_sends(
        self,
        controller: str,
        purpose: str,
        sends: Sequence[Send],
        *,
        forget_before_ms: int,
        receipt: Receipt | None = None,
    ) -> int:
        """Note messages of a purpose that were sent, once an address and campaign; gives how many are new.

        Sends of that purpose before `forget_before_ms` are forgotten, and new ones from before it are not noted.
        The receipt is as in `append`, and says that count in decimal digits for its result.
        """

    async def sends(
        self, controller: str, purpose: str, subjects: Sequence[Digest], since_ms: int
    ) -> Mapping[Digest, Sequence[int]]:
        """When messages of a purpose went to the subjects after a time, in order, in one round trip.

        Subjects that got none are left out.
        """

    def scan_sends(self, controller: str, purpose: str) -> AsyncIterator[Sequence[Send]]:
        """Every noted send of a purpose, oldest first, in pages."""

    async def page(self, controller: str, after: str | None, limit: int) -> RecordPage:
        """Up to `limit` records in the order they were first written in, from a place that an earlier page gave.

        Raises InvalidInput for a place that no page can have given.
        """

    async def marker(self) -> int:
        """A number that is another one after anything was written to this store, by whatever process.

        It is to be compared with what this very object gave before; another that opened the store counts for itself.
        """

    async def api_key(self, key_id: str) -> ApiKey | None:
        """An API key, whether in force or not."""

    async def api_keys(self) -> Sequence[ApiKey]:
        """All API keys, oldest first."""

    async def put_api_key(self, key: ApiKey) -> None:
        """Keep a new API key, or the present state of one.

        What was revoked stays revoked, as of the first time, and a last use is never forgotten for an earlier one.
        """

    def scan(self, controller: str) -> AsyncIterator[Sequence[Record]]:
        """Every record of a controller, in pages."""

    def scan_columns(self, controller: str) -> AsyncIterator[RecordColumns]:
        """The same in columns, at a fraction of the time where millions of records have the same to tell."""

    async def since(self, controller: str, positions: Sequence[int], limit: int) -> Sequence[LedgerEvent]:
        """Events after a position per partition, each partition in order and without gaps, `limit` in all at most.

        No partition waits for another to end: of what each still has, all give equally many, give or take one.
        """

    async def history(self, controller: str, subjects: Sequence[Digest]) -> Sequence[LedgerEvent]:
        """All events of some records, each record's in the order of its versions, in one round trip."""

    async def queue_letter(
        self, controller: str, subject: Digest, content: bytes | None, now_ms: int, *, letters_max: int
    ) -> bool:
        """Keep a letter until it is sent, on disk when this returns, or only count it where `content` is None.

        False, and nothing was kept, where as many letters to that subject were queued in the last LETTERS_COUNTED_MS.
        """

    async def claim_letters(self, now_ms: int, *, until_ms: int, limit: int) -> Sequence[WaitingLetter]:
        """Letters that are due, the oldest of a controller first. Nobody else gets them before `until_ms`."""

    async def finish_letter(self, letter_id: str) -> None:
        """The letter was sent, or never will be: its content is dropped for good. Nothing happens a second time."""

    async def postpone_letter(self, letter_id: str, due_ms: int) -> None:
        """The letter could not be sent: it may be claimed again from `due_ms` on."""

    async def heads(self, controller: str) -> tuple[Head, ...]:
        """The last event of each partition."""

    async def holds_heads(self, controller: str, heads: Sequence[Head]) -> bool:
        """Whether each head, signed some time ago, still lies on its chain: false for an older copy of the store."""

    async def unknown_keys(self) -> Sequence[int]:
        """Keys that wrote to this store and that the keyring does not hold: their records cannot be found."""

    async def controllers(self) -> Sequence[str]:
        """The controllers that the store knows."""

    async def policy_in_force(self, controller: str) -> str | None:
        """The canonical document of the policy last adopted."""

    async def adopt_policy(self, controller: str, document: str, *, instead_of: str | None) -> None:
        """Put a policy in force; raises VersionConflict when another than `instead_of` is in force by now."""

    async def first_import_ms(self, controller: str, fingerprint: bytes, now_ms: int) -> int:
        """When this very import was first begun: `now_ms` the first time, and the same ever after."""

    async def records_per_key(self) -> Mapping[int, int]:
        """How many records each key id still carries."""

    async def audit(self, controller: str, expected: Sequence[Sequence[Head]]) -> AuditReport:
        """Verify chains, records and tables of a controller, and that each expected head lies on its chain."""

    async def close(self) -> None:
        """Finish what was begun and let go of all resources."""
