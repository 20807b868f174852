"""Fixtures of the contract suite: it runs unchanged on every backend."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefcenter.security.keyring import Keyring, new_keyring
from prefcenter.services.ports import Store
from tests.contract.backends import BACKENDS, Opener
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


@pytest.fixture(params=sorted(BACKENDS))
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens the store of this test, as often as the test likes."""
    return BACKENDS[request.param](tmp_path)


@pytest.fixture
def store(open_again: Opener, keyring: Keyring) -> Iterator[Store]:
    opened = open_again(keyring)
    yield opened
    asyncio.run(opened.close())
