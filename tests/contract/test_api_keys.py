"""What every store promises about API keys: all of it comes back, and a revocation is for good."""

from __future__ import annotations

import asyncio

import pytest

from prefcenter.security.keyring import Keyring
from prefcenter.services.ports import ApiKey, Store
from tests.contract.acts import an_api_key, first_refusal
from tests.contract.backends import Opener
from tests.factories import NOW


async def put(store: Store, key: ApiKey) -> ApiKey | None:
    await store.put_api_key(key)
    return await store.api_key(key.id)


@pytest.mark.parametrize(
    "key",
    [
        an_api_key(),
        an_api_key(controllers=frozenset(), scopes=frozenset(), label="", secret_hash=bytes(range(256))),
        an_api_key(expires_ms=NOW + 1, revoked_ms=NOW + 2, last_used_ms=NOW + 3),
    ],
)
async def test_a_key_comes_back_as_it_was(store: Store, key: ApiKey) -> None:
    assert await put(store, key) == key


async def test_an_unknown_key_is_none(store: Store) -> None:
    assert await store.api_key("k1") is None
    await store.put_api_key(an_api_key("k1"))
    assert await store.api_key("k2") is None
    assert await store.api_key("K1") is None


async def test_all_keys_are_given_oldest_first(store: Store) -> None:
    assert list(await store.api_keys()) == []
    keys = [an_api_key(key_id, created_ms) for key_id, created_ms in (("c", NOW), ("a", NOW + 1), ("b", NOW + 1))]
    for key in reversed(keys):
        await store.put_api_key(key)
    assert list(await store.api_keys()) == keys


async def test_the_present_state_of_a_key_takes_the_place_of_the_last(store: Store) -> None:
    await store.put_api_key(an_api_key())
    changed = an_api_key(label="ERP", scopes=frozenset({"record"}), expires_ms=NOW + 5, last_used_ms=NOW + 1)
    assert await put(store, changed) == changed
    assert list(await store.api_keys()) == [changed]


async def test_a_revoked_key_stays_revoked_as_of_the_first_time(store: Store) -> None:
    revoked = an_api_key(revoked_ms=NOW + 10)
    await store.put_api_key(revoked)
    assert await put(store, an_api_key()) == revoked
    assert await put(store, an_api_key(revoked_ms=NOW + 20)) == revoked
    assert await put(store, an_api_key(revoked_ms=NOW + 5)) == an_api_key(revoked_ms=NOW + 5)


async def test_a_note_of_use_that_was_begun_before_a_revocation_does_not_undo_it(store: Store) -> None:
    await store.put_api_key(an_api_key())
    uses = (store.put_api_key(an_api_key(last_used_ms=NOW + number)) for number in range(20))
    await asyncio.gather(*uses, store.put_api_key(an_api_key(revoked_ms=NOW + 7)), store.put_api_key(an_api_key()))
    assert await store.api_key("k1") == an_api_key(revoked_ms=NOW + 7, last_used_ms=NOW + 19)


async def test_a_last_use_is_never_forgotten_for_an_earlier_one(store: Store) -> None:
    await store.put_api_key(an_api_key(last_used_ms=NOW + 9))
    assert await put(store, an_api_key(last_used_ms=NOW + 3)) == an_api_key(last_used_ms=NOW + 9)
    assert await put(store, an_api_key()) == an_api_key(last_used_ms=NOW + 9)


async def test_keys_belong_to_no_controller(store: Store) -> None:
    await store.put_api_key(an_api_key())
    assert list(await store.controllers()) == []


async def test_another_process_sees_a_key_and_its_revocation_at_once(
    store: Store, open_again: Opener, keyring: Keyring
) -> None:
    other = open_again(keyring)
    await store.append("acme", [first_refusal("pat")])
    await store.put_api_key(an_api_key())
    assert await other.api_key("k1") == an_api_key()
    await other.put_api_key(an_api_key(revoked_ms=NOW))
    assert await store.api_key("k1") == an_api_key(revoked_ms=NOW)
    await other.close()


async def test_a_restart_and_a_rotated_keyring_keep_keys(open_again: Opener, keyring: Keyring) -> None:
    store = open_again(keyring)
    await store.put_api_key(an_api_key())
    await store.close()
    store = open_again(keyring.rotated("2026-11-22T00:00:00.000Z"))
    assert await store.api_key("k1") == an_api_key()
    await store.put_api_key(an_api_key(last_used_ms=NOW))
    assert list(await store.api_keys()) == [an_api_key(last_used_ms=NOW)]
    await store.close()
