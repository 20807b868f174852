"""Whether a list is read in blocks by compiled code, which takes a second to load and a tenth of the time a row."""

from __future__ import annotations

from jobs.imports.plans import RefusalImport
from jobs.imports.sources import Source
from jobs.lists import OpenList
from prefcenter.domain.terms import KIND_OF_CHANNEL, AddressKind

FEWEST_OCTETS = 1 << 20
"""A list below this is imported record by record before the compiled code is loaded."""

FEWEST_OCTETS_ELSE = 1 << 18
"""The same of other formats: workbooks and Parquet pack their rows, and lines of JSON take longer to read."""


def is_read_in_blocks(opened: Source, plan: RefusalImport) -> bool:
    """Whether compiled code pays, and reads the addresses of such a list at all."""
    fewest = FEWEST_OCTETS if isinstance(opened, OpenList) else FEWEST_OCTETS_ELSE
    if opened.size < fewest or plan.hashes is not None:
        return False
    return KIND_OF_CHANNEL[plan.channel] is AddressKind.EMAIL
