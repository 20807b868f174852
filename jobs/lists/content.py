"""The bytes of a list, wherever they stand: in a file, packed with gzip or Zstandard, or on standard input.

A list is read more than once, so standard input is spooled: to a file that nobody else can open, since it has no name
by the time the first byte is in it. Packed lists are unpacked as they are read, so that few bytes that unpack to very
many take time and never memory.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import IO, BinaryIO, Literal, Protocol, cast

from prefcenter.domain.errors import InvalidList

CHUNK_BYTES = 1 << 18
STANDARD_INPUT = Path("-")
SIGNATURE_BYTES = 4


class Packing(StrEnum):
    """How the bytes of a list are packed: told by its first bytes, never by its name."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


SIGNATURES = {b"\x1f\x8b": Packing.GZIP, b"\x28\xb5\x2f\xfd": Packing.ZSTD}
SUFFIX_OF_PACKING = {Packing.NONE: "", Packing.GZIP: ".gz", Packing.ZSTD: ".zst"}
PACKED_SUFFIXES = frozenset({".gz", ".zst", ".zstd"})


class OctetStream(Protocol):
    """What can be read once, from its beginning to its end, as standard input can."""

    def read(self, size: int, /) -> bytes: ...


class HeldStream:
    """A stream of which the beginning can be looked at before it is read."""

    def __init__(self, stream: OctetStream) -> None:
        self._stream = stream
        self._held = b""

    def hold(self, octets: int) -> int:
        """Read so many bytes ahead, and tell how many there are; fewer than asked for are all of them."""
        while len(self._held) < octets and (more := self._stream.read(octets - len(self._held))):
            self._held += more
        return len(self._held)

    def read(self, size: int, /) -> bytes:
        if not self._held:
            return self._stream.read(size)
        given, self._held = self._held[:size], self._held[size:]
        return given


class Packer(Protocol):
    """What packs an output; `compress` and `flush` give the bytes to write, if there are any yet."""

    def compress(self, data: bytes | memoryview, /) -> bytes: ...

    def flush(self) -> bytes: ...


@dataclass(frozen=True)
class Content:
    """The unpacked bytes of one list. `name` is the list as the caller gave it, for errors."""

    path: Path
    name: str
    packing: Packing
    spool: int | None = None

    @property
    def is_plain_file(self) -> bool:
        """Whether the bytes of the list are those of the file at `path`."""
        return self.spool is None and self.packing is Packing.NONE

    @property
    def suffix(self) -> str:
        """The extension of the list, which outputs get too: `.csv`, or `.csv.gz`."""
        if self.spool is not None:
            return SUFFIX_OF_PACKING[self.packing]
        outer = self.path.suffix
        if self.packing is Packing.NONE or outer.lower() not in PACKED_SUFFIXES:
            return outer
        return self.path.with_suffix("").suffix + outer

    @property
    def inner_suffix(self) -> str:
        """The extension of what is packed, in lower case: `.csv` of `List.CSV.gz`."""
        return self.suffix.lower().removesuffix(self.path.suffix.lower() if not self.is_plain_file else "")

    @property
    def plain_size(self) -> int | None:
        """How many bytes there are, where the system tells; None where they have to be unpacked to be counted."""
        if self.packing is not Packing.NONE:
            return None
        return self.path.stat().st_size if self.spool is None else os.fstat(self.spool).st_size

    @property
    def state(self) -> tuple[int, ...]:
        """What differs after the file was written to, or another one put in its place."""
        if self.spool is not None:
            return ()
        status = self.path.stat()
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns

    @cached_property
    def file_sha256(self) -> str:
        """The hash of the file as it stands, packed as it is."""
        digest = hashlib.sha256()
        with self.open_packed() as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def open(self, mode: Literal["rb"] = "rb", /) -> IO[bytes]:  # noqa: ARG002 - as a path is opened
        """A stream of the unpacked bytes, which cannot be sought where they are packed."""
        if self.packing is Packing.NONE:
            return self.open_packed()
        from pyarrow import CompressedInputStream

        return cast(IO[bytes], CompressedInputStream(self.open_packed(), self.packing.value))

    def open_packed(self) -> BinaryIO:
        """A stream of the bytes as they stand."""
        if self.spool is None:
            return self.path.open("rb")
        return io.BufferedReader(_SpoolReader(self.spool))

    def packer(self) -> Packer | None:
        """What packs an output as this list is packed."""
        return PACKERS[self.packing]()


@contextmanager
def list_content(path: Path, standard_input: OctetStream | None = None) -> Iterator[Content]:
    """The content of a list; `-` is standard input, which is spooled until the context is left.

    Raises InvalidList for what cannot be read, and for what is no regular file.
    """
    if path != STANDARD_INPUT:
        yield file_content(path)
        return
    if standard_input is None:
        raise InvalidList("-: standard input is closed")
    with tempfile.TemporaryFile(prefix="prefcenter-") as spool:
        while chunk := standard_input.read(CHUNK_BYTES):
            spool.write(chunk)
        spool.flush()
        descriptor = spool.fileno()
        yield Content(path, "-", _packing_of(os.pread(descriptor, SIGNATURE_BYTES, 0)), descriptor)


def file_content(path: Path) -> Content:
    """The content of a list in a file. Raises InvalidList for what cannot be read, and for what is no regular file."""
    name = str(path)
    if path.is_dir():
        raise InvalidList(f"{name}: is a directory; name the files in it, or a pattern such as 'DIR/*.csv'")
    if path.exists() and not path.is_file():
        raise InvalidList(f"{name}: is not a regular file, and a list is read more than once")
    try:
        with path.open("rb") as file:
            return Content(path, name, _packing_of(file.read(SIGNATURE_BYTES)))
    except OSError as error:
        raise InvalidList(f"{name}: {error.strerror}") from None


def unreadable(name: str, error: OSError) -> InvalidList:
    """The fault of a list whose bytes do not come; those that are packed can fail without the system's saying so."""
    return InvalidList(f"{name}: {error.strerror or 'cannot be unpacked to its end; was it cut off?'}")


def _packing_of(start: bytes) -> Packing:
    return next((packing for signature, packing in SIGNATURES.items() if start.startswith(signature)), Packing.NONE)


def _zstd_packer() -> Packer:
    from zstandard import ZstdCompressor

    return cast(Packer, ZstdCompressor().compressobj())


PACKERS: dict[Packing, Callable[[], Packer | None]] = {
    Packing.NONE: lambda: None,
    Packing.GZIP: lambda: zlib.compressobj(wbits=16 + zlib.MAX_WBITS),
    Packing.ZSTD: _zstd_packer,
}


class _SpoolReader(io.RawIOBase):
    """Reads a spool from its beginning, however many others do so at the same time."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: os.fstat(self._descriptor).st_size}
        self._position = max(0, starts[whence] + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = os.preadv(self._descriptor, [buffer], self._position)
        self._position += count
        return count
