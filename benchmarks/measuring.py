"""Measuring a program from outside: seconds, processor time, and the most memory that it and its children had."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MIB_KIB = 1024
POLL_S = 0.01
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. `cpu_seconds` is what all cores together spent on it, which other work on the machine hardly changes."""

    name: str
    seconds: float
    cpu_seconds: float
    peak_mib: float


class Failed(Exception):
    """The program did not end well."""


def measured(name: str, command: Sequence[str | Path]) -> Measured:
    """Run a program to its end. Raises Failed."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT, env=environment())
    peaks: dict[int, int] = {}
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        peaks |= {one: max(peaks.get(one, 0), _peak_kib(one)) for one in _with_children(process.pid)}
        time.sleep(POLL_S)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failed(f"{name} ended with {process.returncode}")
    return Measured(name, seconds, usage.ru_utime + usage.ru_stime, sum(peaks.values()) / MIB_KIB)


def environment() -> Mapping[str, str]:
    """That of users: Python keeps what it compiled of modules."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _with_children(process_id: int) -> list[int]:
    try:
        children = Path(f"/proc/{process_id}/task/{process_id}/children").read_text(encoding="ascii").split()
    except OSError:
        return [process_id]
    return [process_id, *(one for child in children for one in _with_children(int(child)))]


def _peak_kib(process_id: int) -> int:
    """The most memory that a process has had so far; what a parent had when it forked counts in `getrusage`."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)
