"""A MongoDB server for tests: the one that PREFCENTER_TEST_MONGODB names, else one of our own, a process beside us.

Our own speaks MongoDB's protocol and keeps what it acknowledged over a kill; it is started at most once a test process,
and each test has a database of its own on it.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

VARIABLE = "PREFCENTER_TEST_MONGODB"
SUBJECTS_PER_QUERY = 50
"""The time that our own server takes for a look-up grows with the square of what it finds."""

START_SECONDS_MAX = 60
MEMORY = Path("/dev/shm")  # noqa: S108 - a directory with a random name is made in it
"""A file system in memory, where there is one: it outlives a killed server, and waits for no disk."""


_KEEPER = 'cat > /dev/null; test -f "$0/server.pid" && kill -9 "$(cat "$0/server.pid")"; rm -rf "$0"'
"""Waits for the end of what it reads from, which is that of the test process, and then leaves nothing behind."""


class MongoServer:
    """A server of our own, which can be killed and started again on the same data.

    It has its directory for itself. Neither outlives the test process, even where that is killed.
    """

    def __init__(self, directory: Path, *options: str, **client_options: Any) -> None:
        self._directory = directory
        self._options = options
        self._client_options = client_options
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper = subprocess.Popen(
            ["sh", "-c", _KEEPER, str(directory)], stdin=subprocess.PIPE, start_new_session=True
        )

    @classmethod
    def in_memory(cls) -> MongoServer:
        """One with a directory that waits for no disk, where there is such a place."""
        return cls(Path(tempfile.mkdtemp(prefix="prefcenter-mongo-", dir=MEMORY if MEMORY.is_dir() else None)))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [
            str(Path(sys.executable).with_name("secantusd-py")),
            *("--host", "127.0.0.1", "--port", str(self.port), "--storage-path", str(self._directory / "data")),
            *("--sync-on-commit", "--enable-test-commands", "--log-level", "ERROR", *self._options),
        ]
        with (self._directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._directory, stdout=log, stderr=log)
        self._pid_file.write_text(str(self._process.pid))
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the test server did not start: {(self._directory / 'server.log').read_text()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut would: it can finish nothing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self._pid_file.unlink()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """It holds its connections and says nothing meanwhile."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Leave nothing of it."""
        self.kill()
        self._keeper.communicate()

    @property
    def _pid_file(self) -> Path:
        return self._directory / "server.pid"

    def demand(self, option: str) -> None:
        """Start it with one more option."""
        self._options = (*self._options, option)
        self.start()

    def admin(self, command: Mapping[str, object]) -> None:
        """Run a command of the server itself, such as one that makes it fail on purpose."""
        with self._client(directConnection=True) as client:
            client.admin.command(dict(command))

    def _answers(self) -> bool:
        with self._client(serverSelectionTimeoutMS=200) as client:
            try:
                client.admin.command("ping")
            except PyMongoError:
                return False
        return True

    def _client(self, **options: Any) -> MongoClient[dict[str, object]]:
        return MongoClient(self.address, **self._client_options, **options)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def database_hosts() -> list[str]:
    """The hosts that a test of the database may talk to."""
    named = os.environ.get(VARIABLE)
    hosts = [host for host, _ in parse_uri(named.partition("?")[0])["nodelist"]] if named else []
    return ["127.0.0.1", *hosts]


_ours: list[MongoServer] = []


def new_store_url() -> str:
    """The URL of a database that no test has used yet."""
    named = os.environ.get(VARIABLE)
    database = f"prefcenter_test_{token_hex(8)}"
    if named:
        address, _, options = named.partition("?")
        return f"{address.rstrip('/')}/{database}" + (f"?{options}" if options else "")
    if not _ours:
        _ours.append(_started())
    return store_url(_ours[0], database)


def store_url(server: MongoServer, database: str) -> str:
    """The URL of a store on a server of our own."""
    return f"mongodb://{server.address}/{database}?subjectsPerQuery={SUBJECTS_PER_QUERY}"


def _started() -> MongoServer:
    server = MongoServer.in_memory()
    atexit.register(server.end)
    server.start()
    return server
