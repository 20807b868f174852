"""Blocks of delimited text: its bytes, cut into records by compiled code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from jobs.lists import OpenList
from jobs.lists.delimited import DelimitedSink
from jobs.lists.faults import changed
from jobs.lists.records import MAX_RECORD_BYTES
from jobs.scrub.engine import HandedBack, Misjudged
from jobs.scrub.fast.blocks import Decided, LinkColumn, Part, TextSource, ended
from jobs.scrub.fast.cells import Cells, Numbers, Octets
from jobs.scrub.fast.gathering import changes_for, gathered
from jobs.scrub.fast.records import Records
from jobs.scrub.fast.splitting import split
from jobs.scrub.fast.utf8 import is_utf8
from jobs.scrub.links import NO_LINKS
from jobs.scrub.tally import Output

ASCII_SUPERSETS = frozenset(
    {
        "utf-8", "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "iso8859_2", "koi8_r",
        "mac_roman",
    }
)  # fmt: skip
"""Encodings in which every byte below 128 is that character, wherever it stands."""


@dataclass(frozen=True, slots=True)
class DelimitedBlock:
    """Records of a list."""

    contacts: OpenList
    records: Records
    bytes_read: int

    def __len__(self) -> int:
        return len(self.records)

    def whole_rows(self) -> Numbers:
        return np.flatnonzero(self.records.widths == self.contacts.width)

    def cells(self, wanted: int, rows: Numbers) -> Cells:
        return self.records.cells(wanted, rows, self.decode)

    def decode(self, octets: bytes) -> str:
        """The text of some bytes of the list, as the lists' own reader gives it."""
        return octets.decode(self.contacts.encoding.name, self.contacts.encoding.errors)

    def part(self, sink: DelimitedSink, output: Output, decided: Decided) -> Part:
        changes = changes_for(output, decided, sink.added)
        links = self._links_of_kept(decided, decided.links) if output is Output.KEPT and decided.links else None
        return Part(*gathered(self.records, decided.kinds, changes, further=links))

    def _links_of_kept(self, decided: Decided, links: LinkColumn) -> Sequence[bytes]:
        """The links of each kept row; they are empty where its email address may not be used."""
        wanted = decided.wanted[links.address]
        is_usable = np.array([wanted not in decided.blanked(row) for row in decided.rows], np.bool_)
        kept = np.flatnonzero(decided.are_taken(Output.KEPT))
        usable = is_usable[decided.kinds[kept]]
        made = iter(links.stamps.appended(self.cells(wanted, kept[usable]), self.contacts))
        none = self.contacts.encoding.encode_added(self.contacts.dialect.appended(NO_LINKS))
        return [next(made) if is_made else none for is_made in usable.tolist()]


@dataclass(frozen=True, slots=True)
class DelimitedBlocks:
    """A list in an encoding of which ASCII is a part, in blocks of about so many bytes.

    Where `is_followed` by another list the last row has a line end. `bytes_before` were read of others before.
    """

    contacts: OpenList
    octets_a_block: int
    bytes_before: int = 0
    is_followed: bool = False

    def of(self, columns: Sequence[int]) -> Iterator[DelimitedBlock]:
        """Blocks with the cells of these columns. Raises HandedBack for a record that the lists' reader refuses."""
        contacts, above = self.contacts, self.contacts.octets_before_rows
        if contacts.is_presumed and not is_utf8(np.frombuffer(above, np.uint8)):
            raise Misjudged
        for block in TextSource(contacts.content, contacts.require_same).blocks(self.octets_a_block):
            block.used = _size_of_start(block.octets, above, contacts.name)
            above = above[block.used :]
            octets = block.octets[block.used :]
            if self.is_followed and block.is_last:
                octets = ended(octets, contacts.encoding.encode(contacts.line_end))
            records, is_left_open = split(octets, contacts.dialect.delimiter, columns, is_last=block.is_last)
            block.used += records.used
            if contacts.is_presumed and not is_utf8(octets[: records.used]):
                raise Misjudged
            if is_left_open or _longest(records) > MAX_RECORD_BYTES:
                raise HandedBack
            if len(records):
                yield DelimitedBlock(contacts, records, self.bytes_before + block.bytes_read)


def _size_of_start(octets: Octets, above: bytes, name: str) -> int:
    """How much of a block is above the first row. Raises InvalidList where something else stands there by now."""
    start = octets[: len(above)].tobytes()
    if not above.startswith(start):
        raise changed(name)
    return len(start)


def _longest(records: Records) -> int:
    """The size of the longest record, of which one may be what is left of the block."""
    return int((records.text_ends - records.begins).max(initial=len(records.octets) - records.used))
