"""Looks for addresses in bytes, in every spelling and encoding in which one could have been left behind."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote, quote_plus

from prefcenter.domain.address import infer_kind, parse
from prefcenter.domain.errors import InvalidAddress
from prefcenter.domain.terms import AddressKind

SHORTEST_PART_CHARACTERS = 6
"""A shorter part of an address could be found in random bytes by chance."""


def spellings(address: str) -> frozenset[str]:
    """An address as typed, its parts that tell who it is, its match forms, and all of these in other letters."""
    kind = infer_kind(address)
    found = {address, *_PARTS[kind](address), *_forms(address, kind)}
    found |= {unicodedata.normalize(form, text) for text in found for form in ("NFC", "NFKC", "NFD")}
    found |= {change(text) for text in found for change in (str.lower, str.upper, str.casefold)}
    return frozenset(text for text in found if len(text) >= SHORTEST_PART_CHARACTERS)


def _forms(address: str, kind: AddressKind) -> Iterator[str]:
    try:
        forms = parse(address, kind, country="GB").forms
    except InvalidAddress:
        return
    for form in forms:
        for text in (form.exact, form.mailbox):
            yield text
            yield from _PARTS[kind](text)


def _email_parts(text: str) -> Iterator[str]:
    """The local part, with and without its tag, and the whole with the domain in letters and in punycode."""
    local, _, domain = text.rpartition("@")
    yield local
    yield local.partition("+")[0]
    if not local:
        yield domain
        return
    try:
        punycode = domain.lower().encode("idna")
    except UnicodeError:
        return
    for other in (punycode.decode(), punycode.decode("idna")):
        yield f"{local}@{other}"


def _phone_parts(text: str) -> Iterator[str]:
    """Digits alone: as typed, without an extension, and from the right, as a country's prefix comes and goes."""
    number = re.split(r"(?i)\s*(?:;?ext|x)", text)[0]
    digits = "".join(filter(str.isdigit, number))
    yield from ("".join(filter(str.isdigit, text)), digits, digits[-10:])


def _post_parts(text: str) -> Iterator[str]:
    """Each line, and each without its blanks."""
    for line in re.split(r"[,|\n]", text):
        yield line.strip()
        yield re.sub(r"\s", "", line)


def _push_parts(text: str) -> Iterator[str]:
    yield text.removeprefix("push:")


_PARTS: dict[AddressKind, Callable[[str], Iterable[str]]] = {
    AddressKind.EMAIL: _email_parts,
    AddressKind.PHONE: _phone_parts,
    AddressKind.POST: _post_parts,
    AddressKind.PUSH: _push_parts,
}


def encodings(text: str) -> dict[str, bytes]:
    """A text in every encoding that is looked for, by the name of the encoding."""
    utf8 = text.encode()
    plain = {"utf-8": utf8, "utf-16-le": text.encode("utf-16-le"), "utf-16-be": text.encode("utf-16-be")}
    found = dict(plain)
    for name, content in plain.items():
        found[f"{name}, hex"] = content.hex().encode()
        found[f"{name}, upper-case hex"] = content.hex().upper().encode()
        found |= {f"{name}, {encoded}": value for encoded, value in _base64(content)}
    found["percent"] = quote(text, safe="").encode()
    found["lower-case percent"] = re.sub(r"%..", lambda match: match[0].lower(), quote(text, safe="")).encode()
    found["percent, but @"] = quote(text, safe="@+").encode()
    found["form"] = quote_plus(text).encode()
    found["json"] = json.dumps(text)[1:-1].encode()
    for name in ("md5", "sha1", "sha256", "sha512"):
        digest = hashlib.new(name, utf8, usedforsecurity=False)
        found[f"{name} without a key"] = digest.digest()
        found[f"{name} without a key, hex"] = digest.hexdigest().encode()
    return found


def _base64(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Base64 at each of the three alignments, without the letters that the bytes around it take part in."""
    for offset in range(3):
        first, after = -(-offset * 8 // 6), (offset + len(content)) * 8 // 6
        for name, encode in (("base64", base64.b64encode), ("url base64", base64.urlsafe_b64encode)):
            yield f"{name} at {offset}", encode(bytes(offset) + content)[first:after]


class Searched:
    """What was searched for addresses, and what was found there, in words that a failing test can print."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._patterns = {
            pattern: f"{encoding} of {spelling!r}"
            for address in addresses
            for spelling in sorted(spellings(address), key=len)
            for encoding, pattern in encodings(spelling).items()
        }

    @property
    def patterns(self) -> Iterable[bytes]:
        return self._patterns.keys()

    def found_in(self, content: bytes) -> list[str]:
        return [what for pattern, what in self._patterns.items() if pattern in content]
