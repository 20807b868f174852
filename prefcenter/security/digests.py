"""Keyed digests of address forms, under every key and rules version that a record may still carry."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING

from prefcenter.domain.address import RULES_VERSIONS, Address, Forms
from prefcenter.domain.digest import (
    CONTACT_RULES,
    DIGEST_BYTES,
    HASH_KINDS,
    HASH_RULES,
    SUBJECT_KIND,
    Digest,
    DigestKind,
    Digests,
)
from prefcenter.domain.terms import AddressKind
from prefcenter.security.keyring import Key, Keyring, KeyUse, subkey

if TYPE_CHECKING:
    from prefcenter.security import vector_digests
    from prefcenter.security.vector_digests import VectorKey


HASH_MARK = DigestKind.SHA256
_HASHERS: Mapping[DigestKind, Callable[[bytes], hashlib._Hash]] = {
    # Broken as they are, MD5 and SHA-1 are what vendors hand out; here they only find an entry.
    DigestKind.MD5: partial(hashlib.md5, usedforsecurity=False),
    DigestKind.SHA1: partial(hashlib.sha1, usedforsecurity=False),
    DigestKind.SHA256: hashlib.sha256,
    DigestKind.SHA512: hashlib.sha512,
}


def digest(match_key: bytes, kind: DigestKind, form: str) -> bytes:
    """HMAC-SHA-256(match key, kind byte ‖ UTF-8 form), first 16 bytes (CONTRACTS: Digest)."""
    return hmac.digest(match_key, bytes((kind,)) + form.encode(), "sha256")[:DIGEST_BYTES]


def vendors_hash(kind: DigestKind, text: str) -> str:
    """What vendors hand out instead of an address, as lower-case hex."""
    return _HASHERS[kind](text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class AddressDigests:
    """All digests of one address. `subject` and `exact` are those that new events are written under."""

    subject: Digest
    exact: Digest
    subjects: tuple[Digest, ...]
    exacts: frozenset[Digest]
    domains: tuple[Digest, ...]
    hashes: tuple[Digest, ...] = ()

    @property
    def looked_up(self) -> tuple[Digest, ...]:
        """Every record that can speak about this address: its own, whole-domain ones, and those of vendors' hashes."""
        return self.subjects + self.domains + self.hashes


class Digester:
    """Digests for one controller: new ones under the active key, look-ups under all live keys and rules."""

    def __init__(self, keyring: Keyring, controller: str) -> None:
        self._keys = tuple((key.id, _match_key(key, controller)) for key in keyring.lookup_keys)

    def of_address(self, address: Address, *, with_hashes: bool = False) -> AddressDigests:
        """All digests of an address; those of vendors' hashes only where a store holds any, for they take time."""
        subjects, exacts, domains = [], [], []
        subject_kind = SUBJECT_KIND[address.kind]
        for key_id, match_key in self._keys:
            for forms in address.forms:
                subjects.append(_digest(match_key, subject_kind, key_id, forms, forms.mailbox))
                exacts.append(_digest(match_key, DigestKind.EXACT, key_id, forms, forms.exact))
                domains += [_digest(match_key, DigestKind.DOMAIN, key_id, forms, name) for name in forms.domains]
        hashes = self._hashes_of(address) if with_hashes else ()
        return AddressDigests(subjects[0], exacts[0], tuple(subjects), frozenset(exacts), tuple(domains), hashes)

    def written_under(self, kind: AddressKind) -> tuple[Digest, Digest]:
        """The subject and the exact digest of addresses of a kind, all but their values, as new events have them."""
        key_id, rules = self._keys[0][0], RULES_VERSIONS[0]
        return Digest(SUBJECT_KIND[kind], key_id, rules, b""), Digest(DigestKind.EXACT, key_id, rules, b"")

    def _hashes_of(self, address: Address) -> tuple[Digest, ...]:
        hashed = [(kind, vendors_hash(kind, text)) for text in address.hashed for kind in HASH_KINDS]
        return tuple(digest for kind, form in hashed for digest in self.of_hash(kind, form))

    def of_hash(self, kind: DigestKind, form: str) -> tuple[Digest, ...]:
        """The digests of a vendor's hash, as lower-case hex; the one that new events are written under first."""
        return tuple(
            Digest(kind, key_id, HASH_RULES, digest(match_key, kind, form)) for key_id, match_key in self._keys
        )

    @cached_property
    def hash_marks(self) -> tuple[Digest, ...]:
        """The digests of no hash at all: one of them has a record as soon as any vendor's hash has one.

        Looked up with every batch of addresses, it says whether their hashes have to be looked up too.
        """
        return self.of_hash(HASH_MARK, "")

    def vector_keys(self) -> dict[int, VectorKey]:
        """The match keys by id, the active one first, to digest the forms of whole lists with."""
        from prefcenter.security.vector_digests import VectorKey

        return {key_id: VectorKey(match_key) for key_id, match_key in self._keys}

    @cached_property
    def _vector_keys(self) -> dict[int, VectorKey]:
        return self.vector_keys()

    def of_mailboxes(self, forms: Mapping[int, vector_digests.Forms]) -> tuple[Digests, ...]:
        """The digests of many mailboxes, whose forms are given by rules version and begin with the byte of their kind.

        As `of_address` has it: each key and version has its digests, and those to write under come first.
        """
        return tuple(
            Digests(DigestKind.MAILBOX, key_id, rules, key.digests(of_rules).values())
            for key_id, key in self._vector_keys.items()
            for rules, of_rules in forms.items()
        )

    def of_domain(self, domain: str, rules_versions: Sequence[int]) -> tuple[Digest, ...]:
        """The digests of a whole domain, the one that new events are written under first."""
        return tuple(
            Digest(DigestKind.DOMAIN, key_id, rules, digest(match_key, DigestKind.DOMAIN, domain))
            for key_id, match_key in self._keys
            for rules in rules_versions
        )

    def of_contact(self, contact_id: str) -> tuple[Digest, ...]:
        """The digests of a contact by the CRM's own id of it, the one that a new contact is written under first."""
        kind = DigestKind.CONTACT
        return tuple(
            Digest(kind, key_id, CONTACT_RULES, digest(match_key, kind, contact_id)) for key_id, match_key in self._keys
        )


def _digest(match_key: bytes, kind: DigestKind, key_id: int, forms: Forms, form: str) -> Digest:
    return Digest(kind, key_id, forms.rules, digest(match_key, kind, form))


@lru_cache(maxsize=1024)
def _match_key(key: Key, controller: str) -> bytes:
    return subkey(key, controller, KeyUse.MATCH)
