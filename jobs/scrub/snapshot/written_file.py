"""A file that is written beside its place, to be moved there when it is whole; what killed runs left is removed."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def written_beside(directory: Path | None, name: str) -> Iterator[tuple[IO[bytes], Path]]:
    """A new file, readable by its owner only, and its path; it is gone afterwards unless it was moved.

    It stands in the directory of what it is to become, or where temporary files do.
    """
    file, path = _locked_file(directory, _prefix(name))
    try:
        with file:
            yield file, path
    finally:
        path.unlink(missing_ok=True)


def _locked_file(directory: Path | None, prefix: str) -> tuple[IO[bytes], Path]:
    """Another run may take the file for a leftover until it is locked; then it is gone, and another one is made."""
    while True:
        descriptor, path = tempfile.mkstemp(prefix=prefix, dir=directory)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return os.fdopen(descriptor, "w+b"), Path(path)
        os.close(descriptor)


def remove_leftovers(directory: Path, name: str) -> None:
    """Remove what killed runs left of a file; one whose maker still runs is locked, and stays. Raises OSError."""
    for leftover in [path for path in directory.iterdir() if path.name.startswith(_prefix(name))]:
        try:
            with leftover.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                leftover.unlink()
        except OSError:
            continue


def _prefix(name: str) -> str:
    return f".{name}."
