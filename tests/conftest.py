"""Settings that hold for the whole suite: how hypothesis draws, coroutine tests, and whom tests may talk to."""

from __future__ import annotations

import asyncio
import inspect
import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.mongo_server import database_hosts

# The suite says the same thing twice: its examples are derived from each test, not drawn anew. Other profiles search,
# either on request (`pytest --hypothesis-profile=search`) or at length (`make soak`). Shared machines stall now and
# then, so no example has a deadline; pytest's own timeout catches a test that hangs.
settings.register_profile("suite", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("search", deadline=None, print_blob=True)
settings.register_profile("soak", deadline=None, print_blob=True, max_examples=2_000)
settings.load_profile("soak" if os.environ.get("PREFCENTER_SOAK") == "1" else "suite")

HERE = Path(__file__).parent
FOLDERS_THAT_SERVE = ("api", "browser", "cli", "client", "mail", "spark", "web")
"""Their tests talk to servers of their own on this machine, and to no other."""
FOLDERS_WITH_DATABASE = ("contract", "storage")
"""Theirs talk to the test server on this machine, or to the database that the environment names."""


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test in an event loop of its own, with the fixtures it asks for; leave every other to pytest."""
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    asyncio.run(test(**{name: pyfuncitem.funcargs[name] for name in inspect.signature(test).parameters}))
    return True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sockets are closed to all tests but those of some folders."""
    hosts = {folder: ["127.0.0.1"] for folder in FOLDERS_THAT_SERVE}
    hosts |= {folder: database_hosts() for folder in FOLDERS_WITH_DATABASE}
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        if folder in hosts:
            item.add_marker(pytest.mark.allow_hosts(hosts[folder]))
