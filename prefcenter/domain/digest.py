"""Keyed digests: how an address is known once its plaintext is gone (CONTRACTS: Digest)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
    MD5 = 7
    SHA1 = 8
    SHA256 = 9
    SHA512 = 10
    CONTACT = 11


CONTACT_RULES = 1
"""The CRM's own id of a contact has no forms, so its rules never change."""

HASH_RULES = 1
"""What vendors hash is the address as it is written, so its rules never change either."""

HASH_KINDS = (DigestKind.MD5, DigestKind.SHA1, DigestKind.SHA256, DigestKind.SHA512)
"""Hashes that vendors hand out instead of addresses; each is digested again, for anybody could guess at it alone."""

HASH_BYTES = {DigestKind.MD5: 16, DigestKind.SHA1: 20, DigestKind.SHA256: 32, DigestKind.SHA512: 64}

SUBJECT_KIND = {
    AddressKind.EMAIL: DigestKind.MAILBOX,
    AddressKind.PHONE: DigestKind.PHONE,
    AddressKind.POST: DigestKind.POST,
    AddressKind.PUSH: DigestKind.PUSH,
}
"""The kind of digest under which refusals of an address are kept."""

KIND_OF_SUBJECT = {digest_kind: address_kind for address_kind, digest_kind in SUBJECT_KIND.items()}
"""What an address is by the kind of its digest; whole domains and contacts are no addresses."""


@dataclass(frozen=True, slots=True)
class Digest:
    """A truncated HMAC of one form, with the key and the rules version it was made under."""

    kind: DigestKind
    key: int
    rules: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Digests:
    """Many digests of one kind, made under one key and one version of the rules."""

    kind: DigestKind
    key: int
    rules: int
    values: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Digest]:
        return (Digest(self.kind, self.key, self.rules, value) for value in self.values)

    def at(self, place: int) -> Digest:
        return Digest(self.kind, self.key, self.rules, self.values[place])

    @classmethod
    def grouped(cls, digests: Iterable[Digest]) -> list[Digests]:
        """The same digests, those of one kind, key and version of the rules together."""
        values: dict[tuple[DigestKind, int, int], list[bytes]] = {}
        for digest in digests:
            values.setdefault((digest.kind, digest.key, digest.rules), []).append(digest.value)
        return [cls(*columns, together) for columns, together in values.items()]

    def taken(self, places: Iterable[int]) -> Digests:
        """The digests at some places, in that order."""
        return Digests(self.kind, self.key, self.rules, [self.values[place] for place in places])
