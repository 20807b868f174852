"""Which engine a scrub runs on, where the caller leaves it open."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from jobs.lists.content import STANDARD_INPUT, HeldStream
from jobs.lists.inputs import expanded
from prefcenter.services.ports import Store

FEWEST_OCTETS = 1 << 21
"""A list below this is through with the reference engine before the fast one is loaded."""

EVENTS_AN_OCTET = 0.2
"""How many events of a ledger each byte of a list is worth exporting, where there is no snapshot yet."""


MEMORY_MIB = 512
FEWEST_MIB = 320
"""What the fast engine may take if nothing is said, and the least that it runs with."""


class EngineChoice(StrEnum):
    """`auto`: the fast engine for lists that are long enough for it to pay."""

    AUTO = "auto"
    FAST = "fast"
    REFERENCE = "reference"


async def pays(octets: int, controller: str, store: Store, cache: Path) -> bool:
    """Whether the fast engine pays for lists of so many bytes, and the store's snapshot is there or is soon made."""
    if octets < FEWEST_OCTETS:
        return False
    if _size_of(cache / f"{controller}.snapshot"):
        return True
    heads = await store.heads(controller)
    return sum(head.position for head in heads) <= octets * EVENTS_AN_OCTET


def octets_at_hand(paths: Sequence[Path], standard_input: HeldStream | None) -> int:
    """The size of lists together; of standard input, as far as it matters.

    Raises as `expanded` does, which whoever reads them would do too.
    """
    held = 0
    if STANDARD_INPUT in paths and standard_input is not None:
        held = standard_input.hold(FEWEST_OCTETS)
    return held + sum(_size_of(path) for path in expanded(paths) if path != STANDARD_INPUT)


def _size_of(path: Path) -> int:
    """The size of a file; 0 where there is none, which whoever reads it will tell."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
