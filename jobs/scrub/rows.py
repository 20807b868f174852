"""The row files of a scrub, in the list's own format: original rows, and cells more that say why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Protocol, TypeVar

from jobs.lists import Column, ContactList, Placed, RowBatch, RowSink
from jobs.lists.contacts import Found
from jobs.scrub.links import LINK_HEADINGS, RowLinks
from jobs.scrub.outputs import HashedFile, PartialDirectory, WrittenFile
from jobs.scrub.tally import Outcome, Output

SinkType_co = TypeVar("SinkType_co", bound=RowSink, covariant=True)

ADDED_HEADINGS = ("prefcenter_reason", "prefcenter_clause")


@dataclass(frozen=True)
class DecidedRow:
    """A row's outcome, and those of its addresses where the list has several columns of them."""

    outcome: Outcome
    cells: tuple[Outcome, ...] = ()

    @cached_property
    def added(self) -> tuple[str, ...]:
        """The cells that say why: for a kept row, only of its addresses."""
        per_cell = tuple(cell.reason for cell in self.cells)
        is_kept = self.outcome.output is Output.KEPT
        return per_cell if is_kept else (self.outcome.reason, self.outcome.clause, *per_cell)

    @cached_property
    def blanked(self) -> tuple[int, ...]:
        """Which of the addresses are blank in a kept row."""
        if self.outcome.output is not Output.KEPT:
            return ()
        return tuple(place for place, cell in enumerate(self.cells) if cell.output is not Output.KEPT)

    @cached_property
    def output(self) -> str:
        """Where the row goes, by name."""
        return self.outcome.output.value


class RowTaker(Protocol):
    """Takes decided rows, in the list's order, and counts what it took."""

    written: Counter[Output]

    def write(self, batch: RowBatch, rows: Sequence[DecidedRow]) -> None:
        """Take more rows."""

    def finish(self) -> Mapping[str, WrittenFile]:
        """The files, by name, once all rows are in them."""


class NoFiles:
    """What takes the rows of a dry run."""

    def __init__(self) -> None:
        self.written: Counter[Output] = Counter()

    def write(self, batch: RowBatch, rows: Sequence[DecidedRow]) -> None:  # noqa: ARG002 - they are written nowhere
        self.written.update(row.outcome.output for row in rows)

    def finish(self) -> Mapping[str, WrittenFile]:
        return {}


class BeginsOutputs(Protocol[SinkType_co]):
    """A list, as far as outputs begin like it."""

    @property
    def suffix(self) -> str: ...

    @property
    def found(self) -> Found: ...

    def sink(self, file: HashedFile, added: Sequence[str]) -> SinkType_co: ...


class OutputSinks(Generic[SinkType_co]):
    """`kept`, `suppressed` and `rejected`, each beginning as the list does.

    With several columns of addresses each file tells the outcome of each. With links, `kept` has those of each row too.
    """

    def __init__(
        self, contacts: BeginsOutputs[SinkType_co], partial: PartialDirectory, *, has_links: bool = False
    ) -> None:
        self._files = {output: partial.create(f"{output}{contacts.suffix}") for output in Output}
        per_cell = tuple(map(reason_heading, told_apart(contacts.found)))
        of_kept = (*per_cell, *LINK_HEADINGS) if has_links else per_cell
        self._sinks = {
            output: contacts.sink(file, of_kept if output is Output.KEPT else (*ADDED_HEADINGS, *per_cell))
            for output, file in self._files.items()
        }

    def __getitem__(self, output: Output) -> SinkType_co:
        return self._sinks[output]

    def finish(self) -> Mapping[str, WrittenFile]:
        """The files, by name, once all rows are in them."""
        for sink in self._sinks.values():
            sink.finish()
        return {file.name: file.finish() for file in self._files.values()}


class RowFiles:
    """Takes decided rows to their files; addresses that may not be used are blank in `kept`."""

    def __init__(self, contacts: ContactList, partial: PartialDirectory, links: RowLinks | None = None) -> None:
        self.written: Counter[Output] = Counter()
        self._links = links
        self._columns = told_apart(contacts.found)
        self._sinks = OutputSinks(contacts, partial, has_links=links is not None)

    def write(self, batch: RowBatch, rows: Sequence[DecidedRow]) -> None:
        placed: dict[str, list[Placed]] = {output.value: [] for output in Output}
        for place, row in enumerate(rows):
            blanked = tuple(self._columns[index] for index in row.blanked) if row.blanked else ()
            placed[row.output].append(Placed(place, row.added, blanked))
        if self._links is not None:
            placed[Output.KEPT.value] = self._links.added_to(placed[Output.KEPT.value], batch)
        for output in Output:
            self._sinks[output].write(batch, placed[output])
            self.written[output] += len(placed[output])

    def finish(self) -> Mapping[str, WrittenFile]:
        return self._sinks.finish()


def told_apart(found: Found) -> Sequence[Column]:
    """The columns of addresses whose outcomes are told one by one: all of them where there are several."""
    return found.addresses if len(found.addresses) > 1 else ()


def reason_heading(column: Column) -> str:
    """The heading over the outcomes of a column of addresses."""
    return f"prefcenter_{column.number if column.heading is None else column.heading}_reason"
