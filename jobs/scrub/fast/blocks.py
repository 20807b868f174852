"""What the fast engine takes from a list of any format: blocks of whole rows, and each block's part of an output."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from jobs.lists.content import Content, unreadable
from jobs.lists.faults import list_fault
from jobs.scrub.fast.cells import Cells, Numbers
from jobs.scrub.fast.row_kinds import Kinds
from jobs.scrub.fast.stamping import FastStamps
from jobs.scrub.rows import DecidedRow
from jobs.scrub.tally import Output


@dataclass(frozen=True, slots=True)
class LinkColumn:
    """What makes the links of kept rows, and which of the columns of addresses they are for."""

    stamps: FastStamps
    address: int


@dataclass(frozen=True, slots=True)
class Decided:
    """The kind of each row of a block, and what rows of each kind are.

    `wanted` is the wanted column in which each address stands. With `links` kept rows get links.
    """

    kinds: Kinds
    rows: Sequence[DecidedRow]
    wanted: Sequence[int]
    links: LinkColumn | None = None

    def are_taken(self, output: Output) -> NDArray[np.bool_]:
        """Which rows go to an output."""
        return np.array([row.outcome.output is output for row in self.rows], np.bool_)[self.kinds]

    def blanked(self, row: DecidedRow) -> frozenset[int]:
        """The wanted columns that are blank in a row."""
        return frozenset(self.wanted[address] for address in row.blanked)


class Part(NamedTuple):
    """What an output gets of a block, as its sink takes it, and how many rows that is."""

    content: Any
    rows: int


class Block(Protocol):
    """Rows of a list, in its order. `bytes_read`: how much of the list was read with it."""

    @property
    def bytes_read(self) -> int: ...

    def __len__(self) -> int: ...

    def whole_rows(self) -> Numbers:
        """The rows whose columns can be told; all others are ragged."""

    def cells(self, wanted: int, rows: Numbers) -> Cells:
        """The cells of a wanted column in some rows. Raises InvalidList for a type that holds no address."""

    def part(self, sink: Any, output: Output, decided: Decided) -> Part:
        """What an output gets of the block."""


class Blocks(Protocol):
    """A list in blocks."""

    def of(self, columns: Sequence[int]) -> Iterator[Block]:
        """Blocks with the cells of these columns, each named once. Raises HandedBack for what is not to be cut."""


@dataclass(frozen=True, slots=True)
class TextSource:
    """The unpacked bytes of a list, which must hash to `sha256`."""

    content: Content
    sha256: str

    def chunks(self, octets: int) -> Iterator[tuple[bytes, bool]]:
        """The bytes in chunks of a size, and whether each is the last. Raises InvalidList as the lists' readers do."""
        digest = hashlib.sha256()
        try:
            with self.content.open("rb") as file:
                is_last = False
                while not is_last:
                    chunk = _exactly(file.read, octets)
                    digest.update(chunk)
                    is_last = len(chunk) < octets
                    yield chunk, is_last
        except OSError as error:
            raise unreadable(self.content.name, error) from None
        if digest.hexdigest() != self.sha256:
            raise list_fault(self.content.name, 1, "list", "changed while it was being read")


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    """That many bytes, fewer only at the end of the file."""
    parts = []
    while size and (part := read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
