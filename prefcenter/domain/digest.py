"""Keyed digests: how an address is known once its plaintext is gone (CONTRACTS: Digest)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from prefcenter.domain.terms import AddressKind

DIGEST_BYTES = 16


class DigestKind(IntEnum):
    """The byte that goes before a form when it is digested, so that no two kinds can collide."""

    EXACT = 1
    MAILBOX = 2
    PHONE = 3
    POST = 4
    PUSH = 5
    DOMAIN = 6


SUBJECT_KIND = {
    AddressKind.EMAIL: DigestKind.MAILBOX,
    AddressKind.PHONE: DigestKind.PHONE,
    AddressKind.POST: DigestKind.POST,
    AddressKind.PUSH: DigestKind.PUSH,
}
"""The kind of digest under which refusals of an address are kept."""


@dataclass(frozen=True, slots=True)
class Digest:
    """A truncated HMAC of one form, with the key and the rules version it was made under."""

    kind: DigestKind
    key: int
    rules: int
    value: bytes
