"""How a page of the change feed is shared out among the partitions."""

from __future__ import annotations

from collections.abc import Sequence


def fair_shares(waiting: Sequence[int], limit: int, *, first: int) -> list[int]:
    """How many events each partition gives, of the `waiting` that each has: all alike, and `limit` together at most.

    What does not divide evenly goes to partitions in turn from `first` on, which a reader that moves on moves too: with
    any limit every partition has its turn.
    """
    shares = [0] * len(waiting)
    left = min(limit, sum(waiting))
    while left > 0:
        hungry = [number for number in _in_turn(len(waiting), first) if shares[number] < waiting[number]]
        share = left // len(hungry)
        for number in hungry[: left if share == 0 else None]:
            given = min(max(share, 1), waiting[number] - shares[number])
            shares[number] += given
            left -= given
    return shares


def _in_turn(count: int, first: int) -> list[int]:
    return [(first + step) % count for step in range(count)]
