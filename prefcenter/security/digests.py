"""Keyed digests of address forms, under every key and rules version that a record may still carry."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from prefcenter.domain.address import Address, Forms
from prefcenter.domain.digest import CONTACT_RULES, DIGEST_BYTES, SUBJECT_KIND, Digest, DigestKind
from prefcenter.security.keyring import Key, Keyring, KeyUse, subkey

if TYPE_CHECKING:
    from prefcenter.security.vector_digests import VectorKey


def digest(match_key: bytes, kind: DigestKind, form: str) -> bytes:
    """HMAC-SHA-256(match key, kind byte ‖ UTF-8 form), first 16 bytes (CONTRACTS: Digest)."""
    return hmac.digest(match_key, bytes((kind,)) + form.encode(), "sha256")[:DIGEST_BYTES]


@dataclass(frozen=True, slots=True)
class AddressDigests:
    """All digests of one address. `subject` and `exact` are those that new events are written under."""

    subject: Digest
    exact: Digest
    subjects: tuple[Digest, ...]
    exacts: frozenset[Digest]
    domains: tuple[Digest, ...]

    @property
    def looked_up(self) -> tuple[Digest, ...]:
        """Every record that can speak about this address: its own, and whole-domain ones."""
        return self.subjects + self.domains


class Digester:
    """Digests for one controller: new ones under the active key, look-ups under all live keys and rules."""

    def __init__(self, keyring: Keyring, controller: str) -> None:
        self._keys = tuple((key.id, _match_key(key, controller)) for key in keyring.lookup_keys)

    def of_address(self, address: Address) -> AddressDigests:
        subjects, exacts, domains = [], [], []
        subject_kind = SUBJECT_KIND[address.kind]
        for key_id, match_key in self._keys:
            for forms in address.forms:
                subjects.append(_digest(match_key, subject_kind, key_id, forms, forms.mailbox))
                exacts.append(_digest(match_key, DigestKind.EXACT, key_id, forms, forms.exact))
                domains += [_digest(match_key, DigestKind.DOMAIN, key_id, forms, name) for name in forms.domains]
        return AddressDigests(subjects[0], exacts[0], tuple(subjects), frozenset(exacts), tuple(domains))

    def vector_keys(self) -> dict[int, VectorKey]:
        """The match keys by id, the active one first, to digest the forms of whole lists with."""
        from prefcenter.security.vector_digests import VectorKey

        return {key_id: VectorKey(match_key) for key_id, match_key in self._keys}

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
