"""Lists that meet a drawn world: in every format that the fast engine cuts, and some that it does not.

They have defects, repeats, classes, audiences, several columns of addresses and employers' domains, and get links.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from jobs.scrub import AddressChoice, ScrubPlan
from prefcenter.domain.events import Cell
from prefcenter.domain.terms import AddressClass, Channel
from tests.jobs.lists.formats import MAKERS
from tests.jobs.scrub.fast.drawn_worlds import World, channel_of

WORDS = ("work", "private", "", "?", "Business", "HOME")
AUDIENCE_WORDS = ("client", "Alumni", "", "nobody")
SUFFIXES = (".csv", ".csv", ".ndjson", ".parquet", ".csv.gz")
HEADINGS = ("one", "two", "kind", "audience")


@dataclass(frozen=True)
class DrawnList:
    """Rows of two addresses, a class and an audience, and which of them a scrub is told of."""

    suffix: str
    asked: Cell
    other: Channel | None
    rows: tuple[tuple[str, ...], ...]
    encoding: str
    delimiter: str
    end: str
    is_ended: bool
    has_class: bool
    has_audience: bool
    stated: AddressClass | None
    dedupe: bool
    employers: str
    has_links: bool
    campaign: str | None
    block_octets: int

    def write(self, directory: Path) -> Path:
        """The list in a directory, and the employers' domains beside it."""
        (directory / "employers").write_text(self.employers, encoding="utf-8")
        path = directory / f"list{self.suffix}"
        path.write_bytes(self._content())
        return path

    def _content(self) -> bytes:
        if self.suffix != ".csv":
            # A row that is cut short lacks its last key; an empty cell is one that holds nothing.
            table = [dict(zip(HEADINGS, row, strict=False)) for row in (("",) * len(HEADINGS), *self.rows)]
            return MAKERS[self.suffix]([{key: cell or None for key, cell in row.items()} for row in table])
        lines = [self.delimiter.join(map(self._written, row)) for row in (HEADINGS, *self.rows)]
        text = self.end.join(lines) + (self.end if self.is_ended else "")
        try:
            return text.encode(self.encoding)
        except UnicodeEncodeError:
            return text.encode()

    def plan(self, path: Path, world: World) -> ScrubPlan:
        one, two = HEADINGS[:2]
        channel = channel_of(self.asked)
        columns = [AddressChoice(channel, one, self.stated)]
        columns += [] if self.other is None else [AddressChoice(self.other, two)]
        is_one = self.other is None and self.stated is None
        purpose, audience = world.policy.purpose_by_id[self.asked.purpose or ""], world.audience
        is_covered = audience is not None and purpose.covers_audience(audience)
        # Links go with one column of email addresses, and nobody can unsubscribe from an administrative message.
        is_linkable = sum(column.channel is Channel.EMAIL for column in columns) == 1 and not purpose.is_administrative
        has_links = self.has_links and is_linkable
        return ScrubPlan(
            path,
            purpose.id,
            channel,
            address_column=one if is_one else None,
            class_column="kind" if self.has_class else None,
            audience=audience if is_covered and not self.has_audience else None,
            audience_column="audience" if self.has_audience else None,
            addresses=() if is_one else tuple(columns),
            dedupe=self.dedupe,
            business_domains=path.with_name("employers") if self.employers else None,
            at_ms=world.at_ms,
            links=has_links,
            campaign=self.campaign if has_links else None,
        )

    def _written(self, cell: str) -> str:
        if not any(mark in cell for mark in f'"{self.delimiter}\n'):
            return cell
        return '"' + cell.replace('"', '""') + '"'


def a_list(chance: Random, world: World) -> DrawnList:
    """Most are such as the fast engine cuts itself."""
    asked = chance.choice(world.cells)
    others = [channel_of(cell) for cell in world.cells if cell.purpose == asked.purpose]
    is_simple = chance.random() < 0.5
    channels = (channel_of(asked), others[-1])
    return DrawnList(
        chance.choice(SUFFIXES),
        asked,
        None if is_simple else chance.choice([None, *others]),
        tuple(_row(chance, world, channels) for _ in range(chance.randint(3, 30))),
        chance.choice(["utf-8", "utf-8-sig", "cp1252"]),
        chance.choice(",;\t"),
        chance.choice(["\n", "\r\n"]),
        chance.random() < 0.7,
        chance.random() < 0.7,
        not is_simple and chance.random() < 0.3,
        None if is_simple else chance.choice([None, None, *AddressClass]),
        not is_simple and chance.random() < 0.3,
        "" if is_simple else chance.choice(["", "", "acme.example\nb-2.example\n"]),
        chance.random() < 0.8,
        chance.choice([None, "spring"]),
        chance.choice([64, 1 << 22]),
    )


def _row(chance: Random, world: World, channels: Sequence[Channel]) -> tuple[str, ...]:
    """A row of all cells, or now and then a ragged one."""
    addresses = [chance.choice(world.spellings(channel)) for channel in channels]
    cells = (*addresses, chance.choice(WORDS), chance.choice(AUDIENCE_WORDS))
    return cells if chance.random() < 0.9 else cells[:-1]
