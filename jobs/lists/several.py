"""Several files as one list: of one format, with the same columns, their rows one file after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.lists.contacts import ContactList, Found, OutputFile, RowBatch, RowSink
from jobs.lists.faults import list_fault


@dataclass(frozen=True, slots=True)
class SeveralLists:
    """Lists that `require_alike` found to be alike; outputs begin as the first of them does."""

    lists: Sequence[ContactList]

    @property
    def name(self) -> str:
        return self.lists[0].name

    @property
    def suffix(self) -> str:
        return self.lists[0].suffix

    @property
    def found(self) -> Found:
        return self.lists[0].found

    @property
    def size(self) -> int:
        return sum(contacts.size for contacts in self.lists)

    @property
    def bytes_read(self) -> int:
        return sum(contacts.bytes_read for contacts in self.lists)

    def batches(self) -> Iterator[RowBatch]:
        for contacts in self.lists[:-1]:
            for batch in contacts.batches():
                yield batch.ended()
        yield from self.lists[-1].batches()

    def sink(self, file: OutputFile, added: Sequence[str]) -> RowSink:
        return self.lists[0].sink(file, added)

    def headings(self) -> Sequence[str] | None:
        return self.lists[0].headings()

    @property
    def names(self) -> Sequence[str]:
        return [name for contacts in self.lists for name in contacts.names]

    def inputs(self) -> Sequence[Mapping[str, Any]]:
        return [entry for contacts in self.lists for entry in contacts.inputs()]

    def described(self) -> Mapping[str, Any]:
        return self.lists[0].described()


def require_alike(lists: Sequence[ContactList]) -> None:
    """Raise InvalidList where a list differs from the first in what an output has only one of."""
    first = lists[0]
    for contacts in lists[1:]:
        if contacts.described() != first.described():
            message = f"differs from {first.name} in format, packing, encoding, delimiter or header; scrub it by itself"
            raise list_fault(contacts.name, 1, "list", message)
        if contacts.headings() != first.headings():
            raise list_fault(contacts.name, 1, "header", f"has other columns than {first.name}; scrub it by itself")
