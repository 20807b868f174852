"""Several serving processes: a supervisor that restarts those that die and passes on what it is told."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from prefcenter.logs import kind_of, place_of

STOPPING_SIGNALS = (signal.SIGTERM, signal.SIGINT)
YOUNG_SECONDS = 1.0
"""A worker that died younger than this is not replaced at once, or a fault at the start would keep a core busy."""

ENDED_WELL = frozenset({0, -signal.SIGTERM, -signal.SIGINT})
"""A worker that is told to stop before it has begun to listen for it just ends."""

RunWorker = Callable[[int, int], int]
"""Serves until told to stop; is given its number and a descriptor that ends with the supervisor. Gives an exit code."""


@dataclass(slots=True)
class Supervisor:
    """Runs workers until it is told to stop by SIGTERM or SIGINT.

    A worker that does not stop within `stop_seconds_max` is killed: what it acknowledged is on disk.
    """

    run_worker: RunWorker
    workers: int
    stop_seconds_max: float
    after_death: Callable[[int], None]
    """Told of each process id that is no more."""

    _running: dict[int, tuple[int, float]] = field(default_factory=dict)

    def run(self) -> int:
        """Exit code: 0 where all workers ended well."""
        handled = {*STOPPING_SIGNALS, signal.SIGCHLD}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, handled)
        lifeline, held = os.pipe()
        try:
            for number in range(1, self.workers + 1):
                self._start(number, before, lifeline, held)
            while signal.sigwait(handled) == signal.SIGCHLD:
                for number in self._buried().values():
                    self._start(number, before, lifeline, held)
            return self._stop()
        finally:
            os.close(held)
            os.close(lifeline)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _start(self, number: int, mask: set[int | signal.Signals], lifeline: int, held: int) -> None:
        child = os.fork()
        if child:
            self._running[child] = number, time.monotonic()
            return
        code = 2
        try:
            os.close(held)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            code = self.run_worker(number, lifeline)
        except BaseException as failure:
            structlog.get_logger().error("failed", failure=kind_of(failure), place=place_of(failure), worker=number)
        finally:
            os._exit(code)

    def _buried(self) -> dict[int, int]:
        """The workers that ended, by process id; those that ended young are waited for a little."""
        ended = {}
        for child in list(self._running):
            gone, status = os.waitpid(child, os.WNOHANG)
            if gone:
                number, born_s = self._running.pop(child)
                ended[child] = number
                self.after_death(child)
                structlog.get_logger().error("worker_ended", worker=number, pid=child, code=_exit_code(status))
                time.sleep(max(0.0, born_s + YOUNG_SECONDS - time.monotonic()))
        return ended

    def _stop(self) -> int:
        for child in self._running:
            os.kill(child, signal.SIGTERM)
        deadline_s = time.monotonic() + self.stop_seconds_max
        codes = []
        for child in list(self._running):
            codes.append(self._waited_for(child, deadline_s))
            self.after_death(child)
        return 0 if set(codes) <= ENDED_WELL else 2

    def _waited_for(self, child: int, deadline_s: float) -> int:
        while time.monotonic() < deadline_s:
            gone, status = os.waitpid(child, os.WNOHANG)
            if gone:
                return _exit_code(status)
            signal.sigtimedwait({signal.SIGCHLD}, max(0.0, min(0.5, deadline_s - time.monotonic())))
        os.kill(child, signal.SIGKILL)
        return _exit_code(os.waitpid(child, 0)[1])


def _exit_code(status: int) -> int:
    return os.waitstatus_to_exitcode(status)
