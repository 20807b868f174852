"""The test server itself: nothing of it outlives the tests, however they end."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import PyMongoError

_TESTS = """
import sys
from pathlib import Path
from tests.mongo_server import MongoServer
server = MongoServer(Path(sys.argv[1]))
server.start()
print(server.address, flush=True)
sys.stdin.read()
"""


def test_a_server_and_its_directory_are_gone_when_the_tests_were_killed(tmp_path: Path) -> None:
    directory = tmp_path / "server"
    directory.mkdir()
    command = [sys.executable, "-c", _TESTS, str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        address = tests.stdout.readline().strip()
        assert _answers(address)
        tests.kill()
    deadline = time.monotonic() + 30
    while directory.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not directory.exists()
    assert not _answers(address)


def _answers(address: str) -> bool:
    with MongoClient[dict[str, object]](address, serverSelectionTimeoutMS=300) as client:
        try:
            client.admin.command("ping")
        except PyMongoError:
            return False
    return True
