"""A running server, as a process of its own that a test starts, asks and stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

PROGRAM = [sys.executable, "-c", "from prefcenter.cli import main; main()"]
STOP_SECONDS_MAX = 60


def on_a_free_port(arguments: Sequence[str]) -> list[str]:
    """The arguments of `serve`, with whatever port they name replaced: tests run side by side."""
    given = list(arguments)
    if "--port" in given:
        place = given.index("--port")
        del given[place : place + 2]
    return [*given, "--port", "0"]


@contextmanager
def server(arguments: Sequence[str], variables: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start `prefcenter ARGUMENTS` and give the process, and all that it has said once it says that it serves."""
    environ = {**os.environ, **variables}
    started = subprocess.Popen(
        [*PROGRAM, *on_a_free_port(arguments)],
        env=environ,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert started.stdout is not None
    try:
        yield started, "".join(_until_serving(started.stdout))
    finally:
        if started.poll() is None:
            started.send_signal(signal.SIGTERM)
        started.communicate(timeout=STOP_SECONDS_MAX)


def _until_serving(said: IO[str]) -> Iterator[str]:
    for line in said:
        yield line
        if line.startswith("serving "):
            return


def served(arguments: Sequence[str], variables: Mapping[str, str]) -> str:
    """What a server says that is stopped at once; it has to end well."""
    with server(arguments, variables) as (process, said):
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=STOP_SECONDS_MAX)
    assert process.returncode == 0, err
    return said
