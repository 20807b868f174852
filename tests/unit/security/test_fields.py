"""Facts about encrypted fields: they open beside their own record and version, and nowhere else (OC-5)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.errors import StoreDamaged
from prefcenter.security.fields import FieldCipher
from prefcenter.security.keyring import Key, Keyring, KeyState, KeyUse, subkey

CREATED = "2026-11-24T00:00:00.000Z"
NEW, OLD, GONE = (
    Key(3, CREATED, KeyState.ACTIVE, b"n" * 32),
    Key(2, CREATED, KeyState.LIVE, b"o" * 32),
    Key(1, CREATED, KeyState.RETIRED, b"g" * 32),
)
KEYRING = Keyring((NEW, OLD, GONE))
CIPHER = FieldCipher(KEYRING, "acme")
SUBJECT = Digest(DigestKind.MAILBOX, 2, 1, bytes(range(16)))
VERSION = 7
PLAINTEXT = b"pat@acme.example"
NONCE = bytes(range(100, 112))
KNOWN = bytes.fromhex("036465666768696a6b6c6d6e6f15cd7a289986d86f9df56178c2c05e73e77d5e38216d6de50dcde3269943d4c9")


def bound_to() -> bytes:
    """What a field is bound to, written out byte by byte."""
    kind, key, rules, version = (number.to_bytes(8, "big") for number in (2, 2, 1, 7))
    parts = (b"field", b"acme", kind, key, rules, bytes(range(16)), version)
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def test_a_field_is_key_id_nonce_and_aes_gcm_under_the_field_subkey() -> None:
    ciphertext = AESGCM(subkey(NEW, "acme", KeyUse.FIELD)).encrypt(NONCE, PLAINTEXT, bound_to())
    assert b"\x03" + NONCE + ciphertext == KNOWN


def test_a_known_field_is_opened() -> None:
    assert CIPHER.decrypt(SUBJECT, VERSION, KNOWN) == PLAINTEXT


@given(plaintext=st.binary(max_size=200), version=st.integers(0, 2**40))
def test_what_is_encrypted_is_decrypted(plaintext: bytes, version: int) -> None:
    field = CIPHER.encrypt(SUBJECT, version, plaintext)
    assert field[0] == NEW.id
    assert len(field) == 1 + 12 + len(plaintext) + 16
    assert CIPHER.decrypt(SUBJECT, version, field) == plaintext


def test_the_same_plaintext_is_never_encrypted_alike() -> None:
    assert len({CIPHER.encrypt(SUBJECT, VERSION, PLAINTEXT) for _ in range(100)}) == 100


@pytest.mark.parametrize("key", [NEW, OLD, GONE], ids=lambda key: key.state.value)
def test_fields_of_every_key_of_the_keyring_are_opened(key: Key) -> None:
    made_then = FieldCipher(Keyring((replace(key, state=KeyState.ACTIVE),)), "acme")
    assert CIPHER.decrypt(SUBJECT, VERSION, made_then.encrypt(SUBJECT, VERSION, PLAINTEXT)) == PLAINTEXT


@pytest.mark.parametrize("at", range(len(KNOWN)))
def test_one_flipped_bit_anywhere_is_damage(at: int) -> None:
    altered = bytearray(KNOWN)
    altered[at] ^= 1
    with pytest.raises(StoreDamaged):
        CIPHER.decrypt(SUBJECT, VERSION, bytes(altered))


@pytest.mark.parametrize("length", [0, 1, 5, 13, 28, len(KNOWN) - 1])
def test_a_field_cut_short_is_damage(length: int) -> None:
    with pytest.raises(StoreDamaged):
        CIPHER.decrypt(SUBJECT, VERSION, KNOWN[:length])


@pytest.mark.parametrize(
    ("subject", "version"),
    [
        (SUBJECT, VERSION + 1),
        (replace(SUBJECT, kind=DigestKind.PHONE), VERSION),
        (replace(SUBJECT, key=3), VERSION),
        (replace(SUBJECT, rules=2), VERSION),
        (replace(SUBJECT, value=bytes(16)), VERSION),
    ],
)
def test_a_field_moved_to_another_record_or_version_is_damage(subject: Digest, version: int) -> None:
    with pytest.raises(StoreDamaged):
        CIPHER.decrypt(subject, version, KNOWN)


def test_one_controller_never_opens_a_field_of_another() -> None:
    with pytest.raises(StoreDamaged):
        FieldCipher(KEYRING, "globex").decrypt(SUBJECT, VERSION, KNOWN)


def test_another_keyring_opens_nothing_and_no_error_quotes_the_field() -> None:
    stranger = FieldCipher(Keyring((replace(NEW, secret=b"x" * 32),)), "acme")
    with pytest.raises(StoreDamaged) as caught:
        stranger.decrypt(SUBJECT, VERSION, KNOWN)
    assert "pat" not in str(caught.value)
    assert caught.value.__cause__ is None
