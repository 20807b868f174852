"""Counts in words."""

from __future__ import annotations


def counted(number: int, one: str) -> str:
    """A number with what it counts: `1 event`, `2,000 events`."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"
