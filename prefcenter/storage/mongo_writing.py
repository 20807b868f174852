"""One controller as a transaction writes for it: its number, its ledger, the numbers of its texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from prefcenter.domain.digest import Digest
from prefcenter.domain.ledger import Head, partition_of
from prefcenter.security.seals import Sealer
from prefcenter.storage.chain import EventRow, link
from prefcenter.storage.mongo_client import Database, Session
from prefcenter.storage.mongo_documents import event_id, subject_fields
from prefcenter.storage.mongo_ledger import Ledger, lock_ledger, save_ledger
from prefcenter.storage.mongo_tables import add_controller, controller_numbers, load_terms, new_term, note_key
from prefcenter.storage.sealers import SealerByController


@dataclass
class Known:
    """What never changes once it is committed, and so need not be read again."""

    numbers: dict[str, int] = field(default_factory=dict)
    terms: dict[str, dict[str, int]] = field(default_factory=dict)
    has_noted_key: bool = False


class Writing:
    """The writing side of one controller, inside one transaction. Begin it with `begin_writing`."""

    def __init__(
        self, database: Database[Any], session: Session, sealers: SealerByController, controller: str, known: Known
    ) -> None:
        self.database = database
        self.session = session
        self.sealer: Sealer = sealers[controller]
        self.ledger = Ledger()
        self.number: int | None = None
        self._sealers = sealers
        self._controller = controller
        self._known = known
        self._numbers = known.numbers
        self._terms: dict[str, int] = {}
        self._new_terms: list[dict[str, Any]] = []

    async def begin(self) -> None:
        """Take one's turn among the writers of this controller, if there is such a controller yet."""
        if self._controller not in self._numbers:
            self._numbers = await controller_numbers(self.database, self._sealers, self.session)
        self.number = self._numbers.get(self._controller)
        if self.number is not None:
            self.ledger = await lock_ledger(self.database, self.sealer, self.number, self.session)

    async def prepare(self) -> int:
        """The controller's number, a new one where it has none; so it comes after every check."""
        if self.number is None:
            self.number = await add_controller(
                self.database, self._sealers, self._controller, self._numbers, self.session
            )
        if not self._known.has_noted_key:
            await note_key(self.database, self._sealers, self.session)
        self._terms = dict(self._known.terms.get(self._controller, {}))
        if len(self._terms) != self.ledger.terms:
            stored = await load_terms(self.database, self.sealer, self.number, self.session)
            self._terms = {text: number for number, text in stored.items()}
        return self.number

    def intern(self, text: str) -> int:
        """The number of a text."""
        if text not in self._terms:
            document = new_term(self.sealer, self.number or 0, text, self._terms)
            self._new_terms.append(document)
            self._terms[text] = document["number"]
        return self._terms[text]

    def event(self, subject: Digest, version: int, salt: bytes, body: bytes) -> dict[str, Any]:
        """The document of the next event of its partition, chained to the one before."""
        number = self.number or 0
        partition = partition_of(subject.value)
        head = self.ledger.heads[partition]
        key = self.sealer.active_key_id
        row = EventRow(head.position + 1, subject, version, key, salt, body, b"")
        mac = link(self.sealer, key, partition, row, head.mac)
        self.ledger.heads[partition] = Head(row.position, mac)
        return {
            "_id": event_id(number, partition, row.position),
            "digest": subject.value,
            "controller": number,
            **subject_fields(subject),
            "version": version,
            "salt": salt,
            "body": body,
            "key": key,
            "mac": mac,
        }

    async def insert(self, collection: str, documents: Sequence[dict[str, Any]]) -> None:
        """Insert new documents, if there are any."""
        if documents:
            await self.database[collection].insert_many(documents, session=self.session)

    async def finish(self) -> None:
        """Write new texts and the ledger, last of all."""
        await self.insert("terms", self._new_terms)
        self.ledger.terms += len(self._new_terms)
        await save_ledger(self.database, self.sealer, self.number or 0, self.ledger, self.session)

    def remember(self) -> None:
        """Keep what was committed in mind for the next transaction."""
        if self.number is not None:
            self._known.numbers[self._controller] = self.number
        if self._terms:
            self._known.terms[self._controller] = self._terms
            self._known.has_noted_key = True
