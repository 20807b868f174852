"""`prefcenter serve`: the server."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from prefcenter.bootstrap.live import LiveHome, live_home
from prefcenter.domain.errors import InvalidInput, InvalidPolicy
from prefcenter.logs import configure_logs
from prefcenter.settings import ServingSettings, Settings, read_serving_settings
from prefcenter.web.listening import listening_socket

WORKERS_MAX = 64
STOP_SECONDS = 5
"""What a worker gets beyond its draining time before it is killed."""


Announce = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Serving:
    """What one run of the command serves, and where."""

    settings: Settings
    given: ServingSettings
    host: str
    port: int
    tell_url: Announce

    def announce(self) -> None:
        host = f"[{self.host}]" if ":" in self.host else self.host
        self.tell_url(f"http://{host}:{self.port}/graphql")


@click.command(short_help="Answer over HTTP: GraphQL for marketing tools.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65_535), help="0: one that is free.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, WORKERS_MAX), help="Processes.")
@click.pass_obj
def serve(settings: Settings, host: str, port: int, workers: int) -> int:
    """Answer over HTTP until SIGTERM or Ctrl-C: /graphql, /healthz, /readyz and /metrics.

    \b
    Example:
      prefcenter serve --port 8080

    Callers need an API key: see `prefcenter apikey create --help`. Logs go to standard error.
    """
    return serve_settings(settings, read_serving_settings(os.environ), host, port, _announce, workers)


def serve_settings(
    settings: Settings, given: ServingSettings, host: str, port: int, announce: Announce, workers: int = 1
) -> int:
    """Serve a home until told to stop; `announce` is told the URL of the API once it answers. Gives the exit code."""
    configure_logs()
    asyncio.run(_try(settings, given))
    reserved = _bound("--port", host, port)
    metrics = _metrics_socket(given)
    serving = Serving(settings, given, host, reserved.getsockname()[1], announce)
    if workers == 1:
        return _run(serving, [reserved], metrics)
    for bound in (reserved, *metrics):
        bound.close()
    return _run_workers(serving, workers)


def _announce(url: str) -> None:
    click.echo(f"serving {url} until SIGTERM or Ctrl-C")


async def _try(settings: Settings, given: ServingSettings) -> None:
    """Open the home once, so that what is wrong with it is one clear line and no server."""
    async with live_home(LiveHome(settings)) as home:
        if given.portal is not None and given.portal.controller not in home.controllers():
            raise InvalidInput("PREFCENTER_PORTAL_CONTROLLER: not one of this home's policies")
        for controller in home.controllers():
            with suppress(InvalidPolicy):  # it is logged, and the others are served
                if fault := await home.fault_of(controller):
                    raise fault


def _bound(setting: str, host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    try:
        return listening_socket(host, port, is_shared=is_shared)
    except socket.gaierror:
        raise InvalidInput(f"{setting}: its host is not known here") from None
    except OSError as error:
        in_use = f"{port} is in use" if error.errno == errno.EADDRINUSE else str(error.strerror)
        raise InvalidInput(f"{setting}: {in_use}") from None


def _metrics_socket(given: ServingSettings, *, is_shared: bool = False) -> list[socket.socket]:
    return [] if given.metrics is None else [_bound("PREFCENTER_METRICS", *given.metrics, is_shared=is_shared)]


def _run(serving: Serving, public: Sequence[socket.socket], metrics: Sequence[socket.socket]) -> int:
    from prefcenter.cli.server_process import Listeners, run_until_stopped

    running = run_until_stopped(serving.settings, serving.given, Listeners(public, metrics), serving.announce)
    return asyncio.run(running)


def _run_workers(serving: Serving, workers: int) -> int:
    """Each worker binds the ports for itself; that nobody else has them was found out before.

    Metrics of all workers are kept in files of a directory that must be named before the library is imported.
    """
    from prefcenter.web.workers import Supervisor

    shared = tempfile.mkdtemp(prefix="prefcenter-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
    stop_seconds_max = serving.given.limits.drain_seconds_max + STOP_SECONDS
    try:
        return Supervisor(partial(_work, serving), workers, stop_seconds_max, partial(_forget, shared)).run()
    finally:
        shutil.rmtree(shared, ignore_errors=True)


def _work(serving: Serving, number: int, lifeline: int) -> int:
    from prefcenter.cli.server_process import Listeners, run_until_stopped

    public = _bound("--port", serving.host, serving.port, is_shared=True)
    listeners = Listeners([public], _metrics_socket(serving.given, is_shared=True))
    announce = serving.announce if number == 1 else _say_nothing
    return asyncio.run(run_until_stopped(serving.settings, serving.given, listeners, announce, lifeline))


def _say_nothing() -> None:
    """Only one of the workers announces the server."""


def _forget(shared: str, process_id: int) -> None:
    """Take a worker that is no more out of the numbers that are about now."""
    for path in Path(shared).glob(f"gauge_live*_{process_id}.db"):
        path.unlink(missing_ok=True)
