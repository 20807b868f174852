"""A home with two of the shipped policies, open on a real store, for the tests of the services."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories import NOW
from tests.running_home import RunningHome

POLICIES = Path(__file__).resolve().parents[3] / "fixtures" / "policies"


@pytest.fixture
def home() -> Iterator[RunningHome]:
    """`opencontact` and `contact-center-1`; the clock stands at `NOW` until a test turns it."""
    yield from opened("opencontact", "contact-center-1")


@pytest.fixture
def community() -> Iterator[RunningHome]:
    """`opencontact` and `contact-centre-community`, whose news have a frequency cap (TCC-2)."""
    yield from opened("opencontact", "contact-centre-community")


def opened(*names: str) -> Iterator[RunningHome]:
    home = RunningHome({name: (POLICIES / f"{name}.toml").read_text("utf-8") for name in names}, NOW)
    yield home
    home.close()
