"""Seals: the MACs that make a changed ledger, record or head show (DESIGN §2, Ledger).

The fields of a seal are length-prefixed, so that no two different rows ever feed the same bytes to the MAC.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from prefcenter.security.keyring import Keyring, KeyUse, subkey

if TYPE_CHECKING:
    from prefcenter.security.vector_digests import VectorKey

MAC_BYTES = 16
SALT_BYTES = 8
LENGTH_BYTES = 4

Field = bytes | str | int


def salted_hash(salt: bytes, body: bytes) -> bytes:
    """What a chain keeps of an event's body: 16 bytes that outlive its erasure and cannot be guessed from it."""
    return hashlib.sha256(salt + body).digest()[:MAC_BYTES]


def framed(*fields: Field) -> bytes:
    """Fields one after the other, each behind its length in 4 bytes; a number is 8 bytes, a text UTF-8."""
    message: list[bytes] = []
    for field in fields:
        content = field if isinstance(field, bytes) else _octets(field)
        message += (len(content).to_bytes(LENGTH_BYTES, "big"), content)
    return b"".join(message)


def content_offsets(*fields: Field) -> list[int]:
    """Where in `framed` fields the content of each begins."""
    return [len(framed(*fields[:place])) + LENGTH_BYTES for place in range(len(fields))]


class Sealer:
    """MACs for one controller's ledger and tables; every MAC names the key it was made with.

    The first key stays in the keyring whatever rotates or retires, so what has to be the same for good is made with it.
    """

    def __init__(self, keyring: Keyring, controller: str) -> None:
        self._subkeys = {key.id: subkey(key, controller, KeyUse.LEDGER) for key in keyring.keys}
        self.active_key_id = keyring.active.id
        self.first_key_id = min(self._subkeys)
        self._vector_keys: dict[int, VectorKey] = {}

    def seal(self, key_id: int, label: str, *fields: Field) -> bytes:
        """The MAC over labelled fields; raises KeyError for a key that the keyring does not hold."""
        return hmac.digest(self._subkeys[key_id], framed(label, *fields), "sha256")[:MAC_BYTES]

    def vector_key(self, key_id: int) -> VectorKey:
        """The same key to make many MACs with at once; raises KeyError like `seal`."""
        from prefcenter.security.vector_digests import VectorKey

        if key_id not in self._vector_keys:
            self._vector_keys[key_id] = VectorKey(self._subkeys[key_id])
        return self._vector_keys[key_id]

    def holds(self, key_id: int, mac: bytes, label: str, *fields: Field) -> bool:
        """Whether a MAC is ours and of these fields."""
        return key_id in self._subkeys and hmac.compare_digest(mac, self.seal(key_id, label, *fields))


def _octets(field: str | int) -> bytes:
    return field.encode() if isinstance(field, str) else field.to_bytes(8, "big", signed=True)
