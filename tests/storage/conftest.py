"""Fixtures for the tests of the stores themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefcenter.security.keyring import Keyring, new_keyring
from prefcenter.storage import create_store
from tests.contract.coroutine_tests import pytest_pyfunc_call
from tests.mongo_server import database_hosts

__all__ = ["pytest_pyfunc_call"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of this folder may connect to this machine, where the test server is, and to one that is named."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.allow_hosts(database_hosts()))


@pytest.fixture(scope="session")
def keyring() -> Keyring:
    return new_keyring("2026-11-21T00:00:00.000Z")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of an empty store."""
    made = tmp_path / "store.sqlite3"
    create_store(f"sqlite://{made}")
    return made
