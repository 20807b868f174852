"""What a defect is, and how a list gets some: a row has one at most, so that a failing test can say which it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from jobs.demo.chance import Chance
from jobs.demo.rows import Row, Sheet, Verdict

FIRST_ROWS_LEFT_ALONE = 5  # So that whoever opens a list sees at first what it is a list of.


def any_row(_: Row) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Defect:
    """One defect of a row. `is_added`: the spoilt row stands in the list besides the sound one.

    `counts_as_personal` says that the row loses its claim to be a business address.
    """

    name: str
    description: str
    apply: Callable[[Row], Row]
    suits: Callable[[Row], bool] = any_row
    rejected_as: Verdict | None = None
    is_exact: bool = True
    counts_as_personal: bool = False
    is_added: bool = False

    def spoil(self, row: Row) -> Row:
        """The row with the defect, and with what has to be expected of it now."""
        return replace(
            self.apply(row),
            defect=self.name,
            rejected_as=self.rejected_as,
            is_exact=self.is_exact,
            states_business=row.states_business and not self.counts_as_personal,
        )

    @property
    def outcome(self) -> str:
        """What the scrub makes of such a row, for the documentation."""
        if self.rejected_as is not None:
            return f"rejected, `{self.rejected_as.value}`"
        if not self.is_exact:
            return "read; refusals bind it, consents of another spelling do not count"
        return "read as a personal address" if self.counts_as_personal else "read as it was meant"


@dataclass(frozen=True, slots=True)
class FileDefect:
    """One defect of a whole file."""

    name: str
    description: str
    apply: Callable[[Sheet], Sheet]

    outcome = "read as it was meant"

    def spoil(self, sheet: Sheet) -> Sheet:
        return replace(self.apply(sheet), defects=(*sheet.defects, self.name))


def spoilt(rows: Sequence[Row], plan: Mapping[Defect, int], chance: Chance) -> tuple[Row, ...]:
    """The rows with so many of each defect, at drawn places; the last row stays sound.

    Raises ValueError where a list has too few rows that suit a defect.
    """
    order = chance.shuffled(range(FIRST_ROWS_LEFT_ALONE, len(rows) - 1))
    sound = set(order)
    result = [((place, 0), row) for place, row in enumerate(rows)]
    for defect, count in plan.items():
        chosen = list(islice((place for place in order if place in sound and defect.suits(rows[place])), count))
        if len(chosen) < count:
            raise ValueError(f"{defect.name}: the list has too few rows that suit it")
        sound.difference_update(chosen)
        for place in chosen:
            ruined = defect.spoil(rows[place])
            if defect.is_added:
                later = place + chance.below(len(rows) - 1 - place)
                result.append(((later, len(result)), ruined))
            else:
                result[place] = ((place, 0), ruined)
    return tuple(row for _, row in sorted(result, key=lambda item: item[0]))
