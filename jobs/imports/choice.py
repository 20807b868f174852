"""Whether a list is read in blocks by compiled code, which takes a second to load and a tenth of the time a row."""

from __future__ import annotations

from jobs.imports.plans import RefusalImport
from jobs.lists import OpenList
from prefcenter.domain.terms import KIND_OF_CHANNEL, AddressKind

FEWEST_OCTETS = 1 << 20
"""A list below this is imported record by record before the compiled code is loaded."""


def is_read_in_blocks(opened: OpenList, plan: RefusalImport) -> bool:
    """Whether compiled code pays, and reads the addresses of such a list at all."""
    if opened.size < FEWEST_OCTETS or plan.hashes is not None:
        return False
    return KIND_OF_CHANNEL[plan.channel] is AddressKind.EMAIL
