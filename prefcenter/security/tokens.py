"""The tokens of links, sealed with AES-SIV (RFC 5297): whoever holds one learns nothing from it and can alter nothing.

A token is one byte of key id, then what AES-SIV makes of the payload under that key's subkey of the controller. It
holds digests and no address, and no row of a database stands behind it, so that a marketing tool can stamp millions.
Equal payloads make equal tokens, which tells nobody more than the link itself does.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from prefcenter.domain.digest import DIGEST_BYTES, SUBJECT_KIND, Digest, DigestKind
from prefcenter.domain.terms import KIND_OF_CHANNEL, Channel
from prefcenter.security.keyring import Keyring, KeyUse, subkey
from prefcenter.security.seals import framed

TOKEN_CHARACTERS_MAX = 119
TAG_BYTES = 8
SIV_BYTES = 16

_NUMBERS = struct.Struct(">BBBBI")
_HEAD = struct.Struct(f"{_NUMBERS.format}{DIGEST_BYTES}s{DIGEST_BYTES}s")
ABOUT_BYTES_MAX = TOKEN_CHARACTERS_MAX * 3 // 4 - 1 - SIV_BYTES - _HEAD.size
"""What is left for the part that differs from kind to kind."""

_CHANNEL_CODE = {Channel.EMAIL: 1, Channel.SMS: 2, Channel.VOICE: 3, Channel.POST: 4, Channel.PUSH: 5}
_CHANNEL = {code: channel for channel, code in _CHANNEL_CODE.items()}


class LinkKind(IntEnum):
    """What a link is for; the numbers are part of tokens that are out in the world and never change."""

    UNSUBSCRIBE = 1
    MANAGE = 2
    FRESH = 3
    CONFIRM = 4
    UNDO = 5


@dataclass(frozen=True, slots=True)
class LinkToken:
    """What a token says. `issued_s`: UTC seconds. `about`: up to ABOUT_BYTES_MAX bytes whose meaning is the kind's."""

    kind: LinkKind
    channel: Channel
    subject: Digest
    exact: Digest
    issued_s: int
    about: bytes = b""


class LinkCipher:
    """Seals tokens under the active key, and opens what any key of the keyring made, for one controller."""

    def __init__(self, keyring: Keyring, controller: str) -> None:
        self._ciphers = {key.id: AESSIV(subkey(key, controller, KeyUse.LINK)) for key in keyring.keys}
        self._active_key_id = keyring.active.id
        self._controller = controller

    def seal(self, token: LinkToken) -> str:
        """The token as text for a URL, of TOKEN_CHARACTERS_MAX characters at most."""
        (sealed,) = self.seal_each(token, [(token.subject.value, token.exact.value)])
        return sealed

    def seal_each(self, token: LinkToken, digests: Iterable[tuple[bytes, bytes]]) -> list[str]:
        """The same token for many addresses, given by the values of subject and exact under its digests' key and rules.

        All are of the same length.
        """
        digest, key_id = token.subject, self._active_key_id
        numbers = (token.kind, _CHANNEL_CODE[token.channel], digest.key, digest.rules, token.issued_s)
        head, about = _NUMBERS.pack(*numbers), token.about
        encrypt, bound_to, first = self._ciphers[key_id].encrypt, [self._bound_to(key_id)], bytes((key_id,))
        sealed = [encrypt(b"".join((head, subject, exact, about)), bound_to) for subject, exact in digests]
        return [base64.urlsafe_b64encode(first + each).rstrip(b"=").decode() for each in sealed]

    def open(self, text: str) -> LinkToken | None:
        """What a token says; None for everything that this controller's keys did not make, and why is not told."""
        sealed = _octets(text)
        if sealed is None or sealed[0] not in self._ciphers:
            return None
        try:
            payload = self._ciphers[sealed[0]].decrypt(sealed[1:], [self._bound_to(sealed[0])])
        except (InvalidTag, ValueError):
            return None
        return _read(payload)

    def _bound_to(self, key_id: int) -> bytes:
        return framed("link", self._controller, key_id)


def tag(label: str, text: str) -> bytes:
    """A short name of something that a token is about. It is no secret: only who can open the token sees it."""
    return hashlib.sha256(framed(label, text)).digest()[:TAG_BYTES]


def _octets(text: str) -> bytes | None:
    """The bytes of a token; a text that is not the one way to write them is none."""
    if not TAG_BYTES < len(text) <= TOKEN_CHARACTERS_MAX or not text.isascii():
        return None
    try:
        octets = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    return octets if base64.urlsafe_b64encode(octets).rstrip(b"=").decode() == text else None


def _read(payload: bytes) -> LinkToken:
    kind, channel_code, key, rules, issued_s, subject, exact = _HEAD.unpack_from(payload)
    channel = _CHANNEL[channel_code]
    subject_kind = SUBJECT_KIND[KIND_OF_CHANNEL[channel]]
    digests = Digest(subject_kind, key, rules, subject), Digest(DigestKind.EXACT, key, rules, exact)
    return LinkToken(LinkKind(kind), channel, *digests, issued_s, payload[_HEAD.size :])
