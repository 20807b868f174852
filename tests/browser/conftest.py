"""Browsers on a real server on this machine; they reach no other."""

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
from tests.browser.visitors import MAIL, put_on_file
from tests.web.serving_home import POLICIES


@pytest.fixture(scope="session")
def untouched_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of the five controllers with one contact, of which each test gets a copy."""
    home = tmp_path_factory.mktemp("untouched") / "home"
    settings = read_settings(MAIL, home)
    asyncio.run(init_home(settings, POLICIES))
    asyncio.run(put_on_file(settings))
    return home


@pytest.fixture
def settings(untouched_home: Path, tmp_path: Path) -> Settings:
    home = tmp_path / "home"
    shutil.copytree(untouched_home, home)
    return read_settings(MAIL, home)


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    configure_logs(io.StringIO())
    yield
    configure_logs()
