"""What one reading of a list came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.scrub.outputs import WrittenFile
from jobs.scrub.tally import Tally


@dataclass(frozen=True, slots=True)
class RowsResult:
    """Counts, the earliest moment at which the clock alone changes an answer, and the row files by name."""

    tally: Tally
    valid_until_ms: int
    files: Mapping[str, WrittenFile]
