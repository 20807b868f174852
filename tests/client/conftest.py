"""Fixtures of the client's tests: the home that those of the API have."""

from __future__ import annotations

from tests.api.conftest import home, untouched_home

__all__ = ["home", "untouched_home"]
