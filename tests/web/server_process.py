"""The server as people run it: a process of its own, which tests ask, signal and kill."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from prefcenter.settings import Settings
from tests.web.serving_home import CONTROLLER, HOST

PROGRAM = (sys.executable, "-c", "from prefcenter.cli import main; main()")
OPERATIONS = Path(__file__).resolve().parents[2] / "graphql" / "operations"
PATIENCE_SECONDS = 60.0


def operation(name: str) -> str:
    """A document that ships."""
    return (OPERATIONS / f"{name}.graphql").read_text(encoding="utf-8")


@dataclass
class ServerProcess:
    """A running `prefcenter serve`, and everything that it logged so far."""

    process: asyncio.subprocess.Process
    first_line: str
    session: aiohttp.ClientSession
    token: str
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.first_line.partition(f"http://{HOST}:")[2].partition("/")[0])

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]

    async def read_log(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(json.loads(line))

    async def run(self, name: str, **wanted: Any) -> Any:
        """What the one field of an operation gives."""
        document = await self.answer(name, **wanted)
        (data,) = document["data"].values()
        return data

    async def answer(self, name: str, **wanted: Any) -> Any:
        """The answer to an operation; raises where there is none."""
        body = {"query": operation(name), "variables": {"input": {"controller": CONTROLLER, **wanted}}}
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.session.post(f"{self.url}/graphql", json=body, headers=headers) as response:
            response.raise_for_status()
            return await response.json()

    async def decide(self, address: str = "pat@acme.example") -> Any:
        wanted = {"purpose": "client-marketing", "channel": "email", "addressClass": "business"}
        return await self.run("decision", address=address, **wanted)

    async def ended(self) -> int:
        return await asyncio.wait_for(self.process.wait(), PATIENCE_SECONDS)

    async def stopped(self, signal_number: signal.Signals = signal.SIGTERM) -> int:
        """The exit code after a signal."""
        self.process.send_signal(signal_number)
        return await self.ended()


@asynccontextmanager
async def serving_process(
    settings: Settings, token: str = "", *arguments: str, variables: Mapping[str, str] | None = None
) -> AsyncIterator[ServerProcess]:
    """Start the server on a free port, wait until it says that it serves, and stop it on the way out."""
    environ = {**os.environ, "PREFCENTER_HOME": str(settings.home), **(variables or {})}
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "serve", "--port", "0", *arguments,
        env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    first_line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE_SECONDS)).decode()
    async with aiohttp.ClientSession() as session:
        server = ServerProcess(process, first_line, session, token)
        reading = asyncio.create_task(server.read_log())
        try:
            yield server
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await server.ended()
            await reading


async def until(is_so: Any) -> None:
    """Wait until something is so, for a minute at most."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():  # noqa: ASYNC110 - another process makes it so
            await asyncio.sleep(0.02)


def is_running(process_id: int) -> bool:
    """Whether a process is there, and no mere entry that nobody has asked about yet."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
