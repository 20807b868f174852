"""Fixtures of the API's tests: a home that is made once and copied."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.api.served_api import make_home


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
