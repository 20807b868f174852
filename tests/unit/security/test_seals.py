"""Facts about the MACs of ledger and tables (DESIGN §2, Ledger)."""

from __future__ import annotations

import hashlib
import hmac
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefcenter.security.keyring import Key, Keyring, KeyState, KeyUse, subkey
from prefcenter.security.seals import MAC_BYTES, SALT_BYTES, Field, Sealer, salted_hash

CREATED = "2026-11-21T00:00:00.000Z"
NEW, OLD, GONE = (
    Key(3, CREATED, KeyState.ACTIVE, b"n" * 32),
    Key(2, CREATED, KeyState.LIVE, b"o" * 32),
    Key(1, CREATED, KeyState.RETIRED, b"g" * 32),
)
SEALER = Sealer(Keyring((NEW, OLD, GONE)), "acme")
FIELDS: tuple[Field, ...] = (7, b"subject", "form", -1)


def test_macs_have_16_bytes_and_salts_8() -> None:
    assert (MAC_BYTES, SALT_BYTES) == (16, 8)


def test_a_salted_hash_is_a_truncated_sha_256_of_salt_and_body() -> None:
    assert salted_hash(b"12345678", b"body") == hashlib.sha256(b"12345678body").digest()[:16]
    assert salted_hash(b"12345679", b"body") != salted_hash(b"12345678", b"body")


def test_a_seal_is_a_truncated_hmac_over_framed_fields() -> None:
    parts = [b"event", struct.pack(">q", 7), b"subject", b"form", struct.pack(">q", -1)]
    message = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    expected = hmac.new(subkey(OLD, "acme", KeyUse.LEDGER), message, "sha256").digest()[:16]
    assert SEALER.seal(2, "event", *FIELDS) == expected
    assert SEALER.holds(2, expected, "event", *FIELDS)


def test_new_seals_are_made_with_the_active_key() -> None:
    assert SEALER.active_key_id == 3


@pytest.mark.parametrize("key_id", [3, 2, 1])
def test_seals_of_live_and_retired_keys_still_verify(key_id: int) -> None:
    assert SEALER.holds(key_id, SEALER.seal(key_id, "event", *FIELDS), "event", *FIELDS)


def test_a_seal_names_its_key() -> None:
    mac = SEALER.seal(3, "event", *FIELDS)
    assert not SEALER.holds(2, mac, "event", *FIELDS)
    assert not SEALER.holds(9, mac, "event", *FIELDS)
    with pytest.raises(KeyError):
        SEALER.seal(9, "event", *FIELDS)


def test_a_seal_is_of_one_controller_and_one_label() -> None:
    mac = SEALER.seal(3, "event", *FIELDS)
    assert not Sealer(Keyring((NEW,)), "other").holds(3, mac, "event", *FIELDS)
    assert not SEALER.holds(3, mac, "record", *FIELDS)


@pytest.mark.parametrize("position", range(4))
def test_a_change_of_any_field_shows(position: int) -> None:
    mac = SEALER.seal(3, "event", *FIELDS)
    changed = list(FIELDS)
    changed[position] = 8
    assert not SEALER.holds(3, mac, "event", *changed)
    assert not SEALER.holds(3, mac, "event", *FIELDS[:position], *FIELDS[position + 1 :])


@pytest.mark.parametrize("bit", range(0, MAC_BYTES * 8, 9))
def test_a_flipped_bit_of_the_mac_shows(bit: int) -> None:
    mac = bytearray(SEALER.seal(3, "event", *FIELDS))
    mac[bit // 8] ^= 1 << bit % 8
    assert not SEALER.holds(3, bytes(mac), "event", *FIELDS)
    assert not SEALER.holds(3, bytes(mac)[:-1], "event", *FIELDS)


@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_two_rows_share_a_seal_only_where_they_are_the_same(one: list[bytes], other: list[bytes]) -> None:
    assert (SEALER.seal(3, "row", *one) == SEALER.seal(3, "row", *other)) is (one == other)


def test_moving_a_border_between_fields_shows() -> None:
    assert SEALER.seal(3, "row", "ab", "c") != SEALER.seal(3, "row", "a", "bc")
    assert SEALER.seal(3, "row", "abc") != SEALER.seal(3, "row", "abc", "")
    assert SEALER.seal(3, "rowa", "b") != SEALER.seal(3, "row", "ab")
