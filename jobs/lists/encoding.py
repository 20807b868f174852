"""Which characters a list's bytes stand for, found so that encoding a record's text gives exactly its bytes again.

A byte order mark decides; then strict UTF-8 over the whole file; then, for the few lists left, a guess. A byte that the
encoding does not know travels through the text as a lone surrogate (PEP 383), which no address may contain: a cell that
could not be read is refused, and its bytes come out as they went in.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Literal, Protocol

from jobs.lists.content import CHUNK_BYTES
from jobs.lists.faults import list_fault

SAMPLE_BYTES = 1 << 15
PATTERN_BYTES = 1 << 12
GLANCE_BYTES = 1 << 21
FALLBACK = "cp1252"
LEGACY_ENCODINGS = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "iso8859_2", "koi8_r", "mac_roman",
    "cp932", "cp949", "big5", "gb18030", "euc_jp",
)  # fmt: skip
"""Encodings without shift states only: in these, the bytes of a text are the bytes of its parts in a row."""

SYMBOL_IN_A_WORD = re.compile(r"[¢-©¬®-³µ¶¸¹¼-¾×÷](?=[^\W\d_])|(?<=[^\W\d_])[¢-©¬®-³µ¶¸¹¼-¾×÷]")
"""What a letter looks like when it is read in the wrong encoding: `£ukasz`."""

ESCAPED_BYTE = re.compile("[\udc80-\udcff]")
NOT_TEXT = {
    b"PK\x03\x04": "a spreadsheet or a ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "compressed with gzip",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF document",
}


class Openable(Protocol):
    """What can be opened again and again to be read: the content of a list, or a path."""

    def open(self, mode: Literal["rb"], /) -> IO[bytes]: ...


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding of Python's by name, the byte order mark that goes before it, and what is done about odd bytes."""

    name: str
    bom: bytes = b""
    errors: str = "surrogateescape"
    has_damaged_bytes: bool = False

    @property
    def label(self) -> str:
        """The encoding as manifest and report name it."""
        label = f"{self.name}-sig" if self.bom == codecs.BOM_UTF8 else self.name
        return f"{label} (damaged)" if self.has_damaged_bytes else label

    @classmethod
    def of_label(cls, label: str, start: bytes) -> Encoding:
        """The encoding that a label names, for a file that begins so."""
        name = label.removesuffix(" (damaged)")
        if name.startswith("utf-16"):
            mark = codecs.BOM_UTF16_LE if name == "utf-16-le" else codecs.BOM_UTF16_BE
            return cls(name, mark if start.startswith(mark) else b"", "surrogatepass")
        is_marked = name.endswith("-sig")
        return cls(name.removesuffix("-sig"), codecs.BOM_UTF8 if is_marked else b"")

    def encode(self, text: str) -> bytes:
        """The bytes that a text of this list was read from."""
        return text.encode(self.name, self.errors)

    def encode_added(self, text: str) -> bytes:
        """The bytes of a text that we add; a character that the encoding lacks is written as its escape."""
        return text.encode(self.name, "backslashreplace")

    def decode_stream(self, chunks: Iterable[bytes]) -> Iterator[str]:
        """Decode the chunks of a file whose byte order mark has been taken off."""
        decoder = codecs.getincrementaldecoder(self.name)(self.errors)
        for chunk in chunks:
            yield decoder.decode(chunk)
        yield decoder.decode(b"", True)


@dataclass(frozen=True, slots=True)
class Survey:
    """What a look at a file tells: its encoding, and what it must still hash to later.

    Without a hash only the beginning was looked at: the encoding is presumed to be that of the rest.
    """

    encoding: Encoding
    sha256: str | None
    size: int


@dataclass(slots=True)
class _Utf8Census:
    """How far a file is UTF-8: valid characters beyond ASCII, bytes that are none, and where the first of those is."""

    beyond_ascii: int = 0
    damaged: int = 0
    first_damaged: int = 0
    position: int = 0

    def add(self, text: str) -> None:
        if text.isascii():
            self.position += len(text)
            return
        damaged = len(ESCAPED_BYTE.findall(text))
        if damaged and not self.damaged:
            first = ESCAPED_BYTE.search(text)
            intact = text[: first.start()] if first else text
            self.first_damaged = self.position + len(intact.encode())
        self.damaged += damaged
        self.beyond_ascii += len(text) - len(text.encode("ascii", "ignore")) - damaged
        self.position += len(text.encode("utf-8", "surrogateescape"))


def survey(content: Openable, name: str) -> Survey:
    """Read a list once from end to end. Raises InvalidList for what is no list: empty, cut off, a spreadsheet."""
    with content.open("rb") as file:
        start = file.read(PATTERN_BYTES)
    _require_text(start, name)
    utf16 = _utf16(start, content)
    if utf16 is not None:
        return _survey_utf16(content, name, utf16)
    bom = codecs.BOM_UTF8 if start.startswith(codecs.BOM_UTF8) else b""
    intact = _intact_utf8(content)
    if intact is not None:
        return _survey_of(Encoding("utf-8", bom), *intact, name)
    digest, census = hashlib.sha256(), _Utf8Census()
    for text in Encoding("utf-8").decode_stream(_hashed(file_chunks(content), digest)):
        census.add(text)
    encoding = Encoding("utf-8", bom, has_damaged_bytes=census.damaged > 0)
    if census.damaged > census.beyond_ascii and not bom:
        encoding = _legacy_encoding(content, census.first_damaged, digest.hexdigest())
    return _survey_of(encoding, digest.hexdigest(), census.position, name)


def glance(content: Openable, name: str, size: int) -> Survey | None:
    """What the beginning of a list of a known size tells, where it is UTF-8; None: it takes a survey to tell.

    Raises InvalidList as `survey` does.
    """
    with content.open("rb") as file:
        start = file.read(GLANCE_BYTES)
    _require_text(start[:PATTERN_BYTES], name)
    if _utf16(start[:PATTERN_BYTES], content) is not None:
        return None
    try:
        codecs.getincrementaldecoder("utf-8")("strict").decode(start, len(start) == size)
    except UnicodeDecodeError:
        return None
    bom = codecs.BOM_UTF8 if start.startswith(codecs.BOM_UTF8) else b""
    encoding = Encoding("utf-8", bom)
    _require_content(encoding, size, name)
    return Survey(encoding, None, size)


def _intact_utf8(content: Openable) -> tuple[str, int] | None:
    """Hash and size of a list that is UTF-8 throughout, as most are; None as soon as a byte says that it is not."""
    digest, size = hashlib.sha256(), 0
    decode = codecs.getincrementaldecoder("utf-8")("strict").decode
    try:
        for chunk in _hashed(file_chunks(content), digest):
            decode(chunk)
            size += len(chunk)
        decode(b"", True)
    except UnicodeDecodeError:
        return None
    return digest.hexdigest(), size


def known_survey(content: Openable, label: str) -> Survey:
    """The survey of a list whose encoding is known."""
    with content.open("rb") as file:
        encoding = Encoding.of_label(label, file.read(PATTERN_BYTES))
    digest = hashlib.sha256()
    size = sum(map(len, _hashed(file_chunks(content), digest)))
    return Survey(encoding, digest.hexdigest(), size)


def file_chunks(content: Openable) -> Iterator[bytes]:
    """The bytes of a file, a chunk at a time."""
    with content.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _hashed(chunks: Iterable[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _survey_of(encoding: Encoding, sha256: str, size: int, name: str) -> Survey:
    _require_content(encoding, size, name)
    return Survey(encoding, sha256, size)


def _require_content(encoding: Encoding, size: int, name: str) -> None:
    if size == len(encoding.bom):
        raise list_fault(name, 1, "list", "the list is empty")


def _require_text(start: bytes, name: str) -> None:
    for signature, what in NOT_TEXT.items():
        if start.startswith(signature):
            raise list_fault(name, 1, "list", f"is {what}; export it as CSV")


def _utf16(start: bytes, content: Openable) -> Encoding | None:
    """UTF-16 by its byte order mark, or by the NUL in every other byte that Latin text has in it."""
    if start.startswith(codecs.BOM_UTF16_LE):
        return Encoding("utf-16-le", codecs.BOM_UTF16_LE, "surrogatepass")
    if start.startswith(codecs.BOM_UTF16_BE):
        return Encoding("utf-16-be", codecs.BOM_UTF16_BE, "surrogatepass")
    high_first, low_first = start[0::2].count(0), start[1::2].count(0)
    fewest = max(1, len(start) // 10)
    if max(high_first, low_first) < fewest or _size_of(content) % 2:
        return None
    if low_first >= fewest and low_first > 10 * high_first:
        return Encoding("utf-16-le", b"", "surrogatepass")
    if high_first >= fewest and high_first > 10 * low_first:
        return Encoding("utf-16-be", b"", "surrogatepass")
    return None


def _size_of(content: Openable) -> int:
    return sum(map(len, file_chunks(content)))


def _survey_utf16(content: Openable, name: str, encoding: Encoding) -> Survey:
    digest = hashlib.sha256()
    chunks = _hashed(file_chunks(content), digest)
    try:
        for _ in encoding.decode_stream(chunks):
            continue
    except UnicodeDecodeError:
        raise list_fault(name, 1, "list", "ends in the middle of a character; was it cut off?") from None
    return _survey_of(encoding, digest.hexdigest(), _size_of(content), name)


def _legacy_encoding(content: Openable, first_damaged: int, sha256: str) -> Encoding:
    """The best guess for bytes that are not UTF-8, where every byte of the file survives it; else cp1252."""
    guess = _guess(_sample(content, first_damaged))
    if guess is not None and _is_lossless(content, guess, sha256):
        return guess
    return Encoding(FALLBACK)


def _sample(content: Openable, first_damaged: int) -> bytes:
    """The lines beyond ASCII near the first bytes that are not UTF-8; the others say nothing about the encoding."""
    with content.open("rb") as file:
        skipped = max(0, first_damaged - PATTERN_BYTES)
        while skipped:
            skipped -= len(file.read(min(skipped, CHUNK_BYTES)))
        around = file.read(SAMPLE_BYTES)
    return b"\n".join(line for line in around.splitlines() if not line.isascii())


def _guess(sample: bytes) -> Encoding | None:
    """The likeliest encoding of a sample, and the Western one wherever that explains it equally well."""
    from charset_normalizer import from_bytes

    matches = list(from_bytes(sample, cp_isolation=list(LEGACY_ENCODINGS)))
    fitting = [match for match in matches if not SYMBOL_IN_A_WORD.search(str(match))] or matches
    if not fitting:
        return None
    best = fitting[0]
    as_good = (match for match in fitting if (match.chaos, -match.coherence) <= (best.chaos, -best.coherence))
    if any(FALLBACK in match.could_be_from_charset for match in as_good):
        return Encoding(FALLBACK)
    return Encoding(best.encoding) if best.encoding in LEGACY_ENCODINGS else None


def _is_lossless(content: Openable, encoding: Encoding, sha256: str) -> bool:
    """Whether the file survives; some East Asian encodings have two codes for one character."""
    digest = hashlib.sha256()
    for text in encoding.decode_stream(file_chunks(content)):
        digest.update(encoding.encode(text))
    return digest.hexdigest() == sha256
