"""The ledger's shape: which partition an event belongs to, and what a chain's head says (DESIGN §2, Ledger)."""

from __future__ import annotations

from dataclasses import dataclass

PARTITIONS = 8
"""Partitions a controller, fixed when a home is made: a subject never moves to another one."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last event of a partition: its position (0: none yet) and its MAC."""

    position: int = 0
    mac: bytes = b""


def partition_of(digest: bytes) -> int:
    """The partition, 0 to 7, that holds the events of a subject."""
    return digest[0] % PARTITIONS
