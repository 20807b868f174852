"""What the fast engine takes from a list of any format: blocks of whole rows, and each block's part of an output."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import IO, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from jobs.lists.content import Content, unreadable
from jobs.scrub.fast.cells import Cells, Numbers, Octets
from jobs.scrub.fast.row_kinds import Kinds
from jobs.scrub.fast.stamping import FastStamps
from jobs.scrub.rows import DecidedRow
from jobs.scrub.tally import Output

LINE_ENDS = b"\r\n"


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
class SeveralBlocks:
    """Lists that are read as one, one after the other."""

    lists: Sequence[Blocks]

    def of(self, columns: Sequence[int]) -> Iterator[Block]:
        return chain.from_iterable(blocks.of(columns) for blocks in self.lists)


@dataclass(slots=True)
class TextBlock:
    """Bytes of a list. `used` is for the taker to tell how many it took; the next block begins with the others."""

    octets: Octets
    is_last: bool
    bytes_read: int
    used: int = 0


@dataclass(frozen=True, slots=True)
class TextSource:
    """The unpacked bytes of a list; `require_same` is told what they hash to when all were read, and may raise."""

    content: Content
    require_same: Callable[[str], None]

    def blocks(self, octets: int) -> Iterator[TextBlock]:
        """Blocks of so many bytes and what was left of the one before. Raises InvalidList as the lists' readers do."""
        digest, block = hashlib.sha256(), TextBlock(np.empty(0, np.uint8), is_last=False, bytes_read=0)
        try:
            with self.content.open("rb") as file:
                while not block.is_last:
                    left = block.octets[block.used :]
                    filled = np.empty(len(left) + octets, np.uint8)
                    filled[: len(left)] = left
                    room = filled[len(left) :].data
                    size = _filled(file, room)
                    digest.update(room[:size])
                    bytes_read = block.bytes_read + size
                    block = TextBlock(filled[: len(left) + size], size < octets, bytes_read)
                    yield block
        except OSError as error:
            raise unreadable(self.content.name, error) from None
        self.require_same(digest.hexdigest())


def ended(octets: Octets, line_end: bytes) -> Octets:
    """The rest of a list with a line end, if its last line has none."""
    is_ended = not len(octets) or octets[-1] in LINE_ENDS
    return octets if is_ended else np.concatenate([octets, np.frombuffer(line_end, np.uint8)])


def _filled(file: IO[bytes], room: memoryview) -> int:
    """Read until the room is full or the file at its end; gives how much was read."""
    size = 0
    while size < len(room) and (read := file.readinto(room[size:])):  # type: ignore[attr-defined]
        size += read
    return size
