"""How a fault of a list is worded: `FILE:LINE: FIELD: message` (CONTRACTS: Exit codes), and never with cell text."""

from __future__ import annotations

from prefcenter.domain.errors import InvalidList


def list_fault(name: str, line: int, field: str, message: str) -> InvalidList:
    """A fault at a line of a list; `name` is the file as the caller gave it."""
    return InvalidList(f"{name}:{line}: {field}: {message}")


def changed(name: str) -> InvalidList:
    """The fault of a list whose bytes are not those that were looked at before."""
    return list_fault(name, 1, "list", "changed while it was being read")
