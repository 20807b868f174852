"""Fields: plaintext that has to be read again, such as a contact's addresses, encrypted with AES-GCM (OCC-5, OC-5).

A field is one byte of key id, 12 bytes of nonce, then ciphertext and tag. It opens only beside the record and version
that it was made for, so that a row moved to another contact is not taken for that contact's.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import StoreDamaged
from prefcenter.security.keyring import Keyring, KeyUse, subkey
from prefcenter.security.seals import framed

NONCE_BYTES = 12
"""Drawn at random (NIST SP 800-38D, 8.2.2), which is safe for 2**32 fields a key and controller."""

_CONTENT_AT = 1 + NONCE_BYTES


class FieldCipher:
    """Encrypts under the active key, and decrypts what any key of the keyring made, for one controller."""

    def __init__(self, keyring: Keyring, controller: str) -> None:
        self._ciphers = {key.id: AESGCM(subkey(key, controller, KeyUse.FIELD)) for key in keyring.keys}
        self._active_key_id = keyring.active.id
        self._controller = controller

    def encrypt(self, subject: Digest, version: int, plaintext: bytes) -> bytes:
        """A field for one version of one record; never the same bytes twice."""
        nonce = os.urandom(NONCE_BYTES)
        bound_to = self._bound_to(subject, version)
        ciphertext = self._ciphers[self._active_key_id].encrypt(nonce, plaintext, bound_to)
        return bytes((self._active_key_id,)) + nonce + ciphertext

    def decrypt(self, subject: Digest, version: int, field: bytes) -> bytes:
        """The plaintext. Raises StoreDamaged for a field that is not ours, was altered, or belongs elsewhere."""
        nonce, ciphertext = field[1:_CONTENT_AT], field[_CONTENT_AT:]
        try:
            return self._ciphers[field[0]].decrypt(nonce, ciphertext, self._bound_to(subject, version))
        except (IndexError, KeyError, ValueError, InvalidTag):
            raise StoreDamaged("a sealed field was altered, moved, or made with a key that is not here") from None

    def _bound_to(self, subject: Digest, version: int) -> bytes:
        return framed("field", self._controller, subject.kind, subject.key, subject.rules, subject.value, version)
