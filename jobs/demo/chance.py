"""Chance that falls alike on every machine and every version of Python, so that the demo's lists never change."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

DRAW_BYTES = 8

Item = TypeVar("Item")


class Chance:
    """A sequence of draws that its seed alone decides; the standard generator promises that for raw numbers only."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._drawn = 0

    def below(self, limit: int) -> int:
        """A number from 0 to limit - 1."""
        self._drawn += 1
        draw = blake2b(f"{self._seed}/{self._drawn}".encode(), digest_size=DRAW_BYTES).digest()
        return int.from_bytes(draw) % limit

    def pick(self, items: Sequence[Item]) -> Item:
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """All the items in a drawn order."""
        keyed = [(self.below(1 << 62), place) for place in range(len(items))]
        return [items[place] for _, place in sorted(keyed)]
