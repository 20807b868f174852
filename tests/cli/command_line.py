"""The command line as tests run it: the real `main()`, in this process, with its streams captured as a shell would."""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefcenter.cli import main
from prefcenter.settings import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "fixtures" / "policies"

Environ = Mapping[str, str | None]
"""Variables for one run; None takes one away."""


@dataclass(frozen=True)
class Ran:
    """What a command left behind for its caller."""

    code: int
    out: str
    err: str

    @property
    def both(self) -> str:
        return self.out + self.err


@dataclass
class CommandLine:
    """Runs commands against one home and remembers everything that they printed."""

    home: Path
    transcript: list[str] = field(default_factory=list)

    def __call__(self, *arguments: str, stdin: str | bytes = "", environ: Environ | None = None) -> Ran:
        """Run `prefcenter ARGUMENTS` with this home."""
        return self.run(*arguments, stdin=stdin, environ={"PREFCENTER_HOME": str(self.home), **(environ or {})})

    def line(self, line: str, *, stdin: str | bytes = "") -> Ran:
        """Run a command as it is typed, without the leading `prefcenter`."""
        return self(*shlex.split(line), stdin=stdin)

    def done(self, line: str, *, stdin: str | bytes = "") -> str:
        """Run a command that has to succeed, and give what it printed."""
        ran = self.line(line, stdin=stdin)
        assert ran.code == 0, ran.both
        return ran.out

    def run(self, *arguments: str, stdin: str | bytes = "", environ: Environ | None = None) -> Ran:
        """Run `prefcenter ARGUMENTS` with no home but the one that the variables name."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        with _variables(environ or {}), _streams(given) as (out, err):
            code = _exit_code(arguments)
        ran = Ran(code, out.getvalue().decode(), err.getvalue().decode())
        self.transcript += [ran.out, ran.err]
        return ran


def _exit_code(arguments: tuple[str, ...]) -> int:
    try:
        main(arguments)
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else 0
    raise AssertionError("the program must exit by itself")


@contextmanager
def _streams(given: bytes) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    """Standard streams of our own; text that is no UTF-8 is an error, as it is on a terminal."""
    out, err = io.BytesIO(), io.BytesIO()
    before = sys.stdin, sys.stdout, sys.stderr
    written: list[Any] = [io.TextIOWrapper(stream, encoding="utf-8", write_through=True) for stream in (out, err)]
    sys.stdin = io.TextIOWrapper(io.BytesIO(given), encoding="utf-8", newline="")
    sys.stdout, sys.stderr = written
    try:
        yield out, err
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
        for stream in written:
            stream.detach()


@contextmanager
def _variables(environ: Environ) -> Iterator[None]:
    """The variables of one run. Those of whoever runs the suite never reach a test."""
    wanted: Environ = {**dict.fromkeys(VARIABLES), **environ}
    before = {name: os.environ.get(name) for name in wanted}
    _set_variables(wanted)
    try:
        yield
    finally:
        _set_variables(before)


def _set_variables(environ: Environ) -> None:
    for name, value in environ.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
