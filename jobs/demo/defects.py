"""The register of all defects that the demo's lists have; docs/list-defects.md says the same to people."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.demo.address_defects import ADDRESS_DEFECTS
from jobs.demo.cell_defects import CELL_DEFECTS
from jobs.demo.spoiling import Defect, FileDefect
from jobs.demo.structure_defects import FILE_DEFECTS, STRUCTURE_DEFECTS

DEFECTS: tuple[Defect | FileDefect, ...] = (*ADDRESS_DEFECTS, *CELL_DEFECTS, *STRUCTURE_DEFECTS, *FILE_DEFECTS)
DEFECT_BY_NAME: Mapping[str, Defect | FileDefect] = {defect.name: defect for defect in DEFECTS}


def row_defects(rows_of_each: int, other_numbers: Mapping[Defect, int]) -> dict[Defect, int]:
    """How many rows get which defect; a number of 0 leaves a defect out."""
    planned = dict.fromkeys((*ADDRESS_DEFECTS, *CELL_DEFECTS, *STRUCTURE_DEFECTS), rows_of_each)
    return {defect: count for defect, count in {**planned, **other_numbers}.items() if count}
