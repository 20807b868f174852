"""Fixtures of the client's tests: the API's home and server, and the loopback interface."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.conftest import home, untouched_home
from tests.contract.coroutine_tests import pytest_pyfunc_call

__all__ = ["home", "pytest_pyfunc_call", "untouched_home"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of this folder serve on 127.0.0.1 and talk to nobody else."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1"]))
