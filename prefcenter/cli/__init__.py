"""The commands. Each is in a file of its own that is imported only when that command runs."""

from __future__ import annotations

from prefcenter.cli.program import main

__all__ = ["main"]
