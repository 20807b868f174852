"""A home with the five controllers, made once and copied for each test."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.cli.command_line import POLICIES, CommandLine


@pytest.fixture(scope="session")
def untouched_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home as `init --policies fixtures/policies` makes it; tests get copies of it."""
    home = tmp_path_factory.mktemp("untouched") / "home"
    made = CommandLine(home)("init", "--policies", str(POLICIES))
    assert made.code == 0, made.err
    return home


@pytest.fixture
def prefcenter(untouched_home: Path, tmp_path: Path) -> CommandLine:
    """The command line with a fresh home of the five controllers."""
    home = tmp_path / "home"
    shutil.copytree(untouched_home, home)
    return CommandLine(home)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to work in, which is the current one; temporary files go beside it."""
    place = tmp_path / "workplace"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(place)
    return place
