"""Fixtures of the contract suite: it runs unchanged on every backend."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefcenter.security.keyring import Keyring, new_keyring
from prefcenter.services.ports import Store
from tests.contract.backends import BACKENDS, Opener


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
