"""Fixtures for the tests of the stores themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefcenter.security.keyring import Keyring, new_keyring
from prefcenter.storage import create_store


@pytest.fixture(scope="session")
def keyring() -> Keyring:
    return new_keyring("2026-11-21T00:00:00.000Z")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of an empty store."""
    made = tmp_path / "store.sqlite3"
    create_store(f"sqlite://{made}")
    return made
