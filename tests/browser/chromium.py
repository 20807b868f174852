"""Debian's chromium: the one that is installed, or one that this machine's package tool brings.

As root it is installed. Without root its packages are only unpacked, below the environment, with a wrapper that finds
their libraries. Run as a program it makes sure that there is one, and prints where.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

UNPACKED = Path(sys.prefix) / "chromium"
WRAPPER = UNPACKED / "run"
APT_OPTIONS = ("--no-install-recommends", "--yes", "--quiet=2")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
"""It runs as whoever runs the tests, and is to talk to nobody but them."""

_WRAPPER_TEXT = """#!/bin/sh
root={root}
export LD_LIBRARY_PATH="$root/usr/lib/$(uname -m)-linux-gnu:$root/lib/$(uname -m)-linux-gnu:$root/usr/lib"
exec "$root/usr/lib/chromium/chromium" "$@"
"""


def chromium() -> Path:
    """Where it is. Raises FileNotFoundError where there is none yet: run this file first."""
    found = shutil.which("chromium")
    if found:
        return Path(found)
    if WRAPPER.exists():
        return WRAPPER
    raise FileNotFoundError("no chromium: `make test` brings one")


def bring() -> Path:
    """The same, brought first where there is none."""
    try:
        return chromium()
    except FileNotFoundError:
        if os.geteuid() == 0:
            subprocess.run(["apt-get", "update", "--quiet=2"], check=True)
            subprocess.run(["apt-get", "install", *APT_OPTIONS, "chromium"], check=True)
        else:
            unpack(UNPACKED)
        return chromium()


def unpack(into: Path) -> None:
    """Unpack chromium and what it needs that is not installed; whole, or not at all."""
    shutil.rmtree(into, ignore_errors=True)
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent) as place:
        made, packages = Path(place) / "root", Path(place) / "packages"
        packages.mkdir()
        subprocess.run(["apt-get", "download", "--quiet=2", *_needed()], cwd=packages, check=True)
        for package in packages.glob("*.deb"):
            subprocess.run(["dpkg-deb", "--extract", package, made], check=True)
        (made / "run").write_text(_WRAPPER_TEXT.format(root=into))
        (made / "run").chmod(0o755)
        made.rename(into)


def _needed() -> list[str]:
    """What installing it would install, chromium itself among it: a simulation, which needs no root."""
    command = ["apt-get", "install", "--simulate", *APT_OPTIONS, "chromium"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [line.split()[1] for line in told.splitlines() if line.startswith("Inst ")]


if __name__ == "__main__":
    print(bring())
