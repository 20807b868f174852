"""Fixtures of the API's tests: a home that is made once and copied, coroutine tests, and the loopback interface."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.api.served_api import make_home
from tests.contract.coroutine_tests import pytest_pyfunc_call

__all__ = ["pytest_pyfunc_call"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of this folder serve on 127.0.0.1 and talk to nobody else."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1"]))


@pytest.fixture(scope="session")
def untouched_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the five controllers, which no test writes to."""
    home = tmp_path_factory.mktemp("untouched") / "home"
    asyncio.run(make_home(home))
    return home


@pytest.fixture
def home(untouched_home: Path, tmp_path: Path) -> Path:
    """A home of the test's own."""
    copied = tmp_path / "home"
    shutil.copytree(untouched_home, copied)
    return copied
