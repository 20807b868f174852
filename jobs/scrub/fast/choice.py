"""Which engine a scrub runs on, where the caller leaves it open."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from prefcenter.services.ports import Store

FEWEST_OCTETS = 1 << 21
"""A list below this is through with the reference engine before the fast one is loaded."""

EVENTS_AN_OCTET = 0.1
"""How many events of a ledger each byte of a list is worth exporting, where there is no snapshot yet."""


MEMORY_MIB = 512
FEWEST_MIB = 320
"""What the fast engine may take if nothing is said, and the least that it runs with."""


class EngineChoice(StrEnum):
    """`auto`: the fast engine for lists that are long enough for it to pay."""

    AUTO = "auto"
    FAST = "fast"
    REFERENCE = "reference"


async def pays(path: Path, controller: str, store: Store, cache: Path) -> bool:
    """Whether the fast engine pays for a list: it is long, and the store's snapshot is there or is soon made."""
    octets = _size_of(path)
    if octets < FEWEST_OCTETS:
        return False
    if _size_of(cache / f"{controller}.snapshot"):
        return True
    heads = await store.heads(controller)
    return sum(head.position for head in heads) <= octets * EVENTS_AN_OCTET


def _size_of(path: Path) -> int:
    """The size of a file; 0 where there is none, which whoever reads it will tell."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
