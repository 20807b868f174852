"""Homes and servers for the tests of the web: real SQLite, real sockets, on this machine only."""

from __future__ import annotations

import asyncio
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefcenter.bootstrap import init_home
from prefcenter.logs import configure_logs
from prefcenter.settings import Settings, read_settings
from tests.web.serving_home import POLICIES


@pytest.fixture(scope="session")
def untouched_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of the five controllers, of which each test gets a copy."""
    home = tmp_path_factory.mktemp("untouched") / "home"
    asyncio.run(init_home(read_settings({}, home), POLICIES))
    return home


@pytest.fixture
def settings(untouched_home: Path, tmp_path: Path) -> Settings:
    """Those of a fresh home of the five controllers."""
    home = tmp_path / "home"
    shutil.copytree(untouched_home, home)
    return read_settings({}, home)


@pytest.fixture(autouse=True)
def logged() -> Iterator[io.StringIO]:
    """Everything that is logged while the test runs."""
    stream = io.StringIO()
    configure_logs(stream)
    yield stream
    configure_logs()
