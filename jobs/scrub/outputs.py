"""Files that appear whole or not at all: built beside their place, put on disk, and moved there in one step.

A run that is killed leaves a hidden directory at most. The next run to the same place removes it, once the lock that
its maker held is free.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from jobs.scrub.c_library import begin_to_put_on_disk
from prefcenter.domain.errors import InvalidList, PrefcenterError

OWNER_ONLY = 0o600
READ_BYTES = 1 << 20
BEGIN_TO_PUT_ON_DISK_BYTES = 1 << 25


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """What a manifest says of an output."""

    sha256: str
    size: int


def written_file(path: Path) -> WrittenFile:
    """Size and hash of a file that stands there already."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return WrittenFile(digest.hexdigest(), size)


class HashedFile:
    """An output that knows its hash and size."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digest = hashlib.sha256()
        self._size = 0
        self._begun = 0
        self._is_abandoned = False
        self._file: BinaryIO = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "wb")

    @property
    def name(self) -> str:
        return self._path.name

    @property
    def directory(self) -> Path:
        """Where it is built; what is put beside it goes with it, whatever happens."""
        return self._path.parent

    def write(self, content: bytes | memoryview) -> None:
        """Take more bytes; libraries that close their files late may go on writing to one that was abandoned."""
        if self._is_abandoned:
            return
        self._file.write(content)
        self._digest.update(content)
        self._size += len(content)
        if self._size - self._begun >= BEGIN_TO_PUT_ON_DISK_BYTES:
            begin_to_put_on_disk(self._file.fileno(), self._begun, self._size - self._begun)
            self._begun = self._size

    def finish(self) -> WrittenFile:
        """Put the file on disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return WrittenFile(self._digest.hexdigest(), self._size)

    def abandon(self) -> None:
        """Let go of a file that is about to be removed; what could not be written no longer matters."""
        self._is_abandoned = True
        try:
            self._file.close()
        except OSError:
            return


class PartialDirectory:
    """The outputs while they are built. Leaving the context without `publish` removes all of them."""

    def __init__(self, out: Path) -> None:
        self._out = out.resolve()
        self._shown = out
        self._files: list[HashedFile] = []
        self._is_published = False

    def __enter__(self) -> Self:
        _remove_leftovers(self._out)
        try:
            self._path = Path(tempfile.mkdtemp(prefix=_prefix(self._out), dir=self._out.parent))
            # Another run to the same place may take it for a leftover until it is locked; then it is gone here.
            self._lock = os.open(self._path, os.O_RDONLY)
        except OSError as error:
            raise self._fault(error) from None
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files:
            file.abandon()
        if not self._is_published:
            shutil.rmtree(self._path, ignore_errors=True)
        os.close(self._lock)
        if isinstance(error, OSError):
            raise self._fault(error) from None

    @property
    def place(self) -> Path:
        """Where the outputs stand now."""
        return self._out if self._is_published else self._path

    def create(self, name: str) -> HashedFile:
        file = HashedFile(self._path / name)
        self._files.append(file)
        return file

    def write_whole(self, name: str, content: str) -> None:
        """Write a small file, in one step instead of an earlier one of that name."""
        written = HashedFile(self.place / f".{name}.new")
        self._files.append(written)
        written.write(content.encode())
        written.finish()
        (self.place / f".{name}.new").replace(self.place / name)

    def publish(self) -> None:
        """Move the directory into place, where there must still be none, or an empty one."""
        os.fsync(self._lock)
        self._path.rename(self._out)
        self._is_published = True
        parent = os.open(self._out.parent, os.O_RDONLY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)

    def sync_published(self) -> None:
        """Put later changes of the directory on disk."""
        os.fsync(self._lock)

    def _fault(self, error: OSError) -> PrefcenterError:
        state = "the outputs stand, but their manifest is not renewed" if self._is_published else "nothing was written"
        return PrefcenterError(f"--out: {self._shown}: {error.strerror}; {state}")


def require_free(out: Path) -> None:
    """Raise InvalidList unless the place of the outputs is absent or an empty directory, in a directory that exists."""
    try:
        if out.is_dir():
            if next(out.iterdir(), None) is not None:
                raise InvalidList(f"--out: {out}: is not empty")
        elif os.path.lexists(out):
            raise InvalidList(f"--out: {out}: is not a directory")
        elif not out.resolve().parent.is_dir():
            raise InvalidList(f"--out: {out}: the directory to put it in does not exist")
    except OSError as error:
        raise InvalidList(f"--out: {out}: {error.strerror}") from None


def _prefix(out: Path) -> str:
    return f".{out.name}.partial-"


def _remove_leftovers(out: Path) -> None:
    """Remove what killed runs to the same place left; a directory whose maker still runs is locked, and stays."""
    prefix = _prefix(out)
    for leftover in [path for path in out.parent.iterdir() if path.name.startswith(prefix)]:
        try:
            lock = os.open(leftover, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(leftover, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)
