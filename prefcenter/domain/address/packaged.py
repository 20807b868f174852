"""The reviewed data files that ship beside this module: constants, each read at most once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any


def text_of(name: str) -> str:
    return (resources.files("prefcenter.domain.address") / "data" / name).read_text(encoding="utf-8")


def lines_of(name: str) -> frozenset[str]:
    """The entries of a list with one entry a line and `#` comments."""
    return frozenset(line for line in text_of(name).splitlines() if line and not line.startswith("#"))


def table_of(name: str) -> Mapping[str, Any]:
    return tomllib.loads(text_of(name))
