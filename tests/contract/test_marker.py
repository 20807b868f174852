"""What every store promises about its marker: it is another one after anything was written, by whatever process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from prefcenter.security.keyring import Keyring
from prefcenter.services.ports import Store
from tests.contract.acts import DOCUMENT, a_receipt, a_send, an_api_key, first_refusal
from tests.contract.backends import Opener
from tests.factories import NOW, a_digest

WRITES: dict[str, Callable[[Store], Awaitable[object]]] = {
    "append": lambda store: store.append("acme", [first_refusal("pat")]),
    "bulk append": lambda store: store.append("acme", [first_refusal("pat")], bulk=True),
    "receipt": lambda store: store.append("acme", [], receipt=a_receipt()),
    "sends": lambda store: store.record_sends("acme", "offers", [a_send()], forget_before_ms=0),
    "policy": lambda store: store.adopt_policy("acme", DOCUMENT, instead_of=None),
    "import": lambda store: store.first_import_ms("acme", b"list", NOW),
    "api key": lambda store: store.put_api_key(an_api_key()),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_every_write_changes_the_marker_of_whoever_has_the_store_open(
    store: Store, open_again: Opener, keyring: Keyring, write: Callable[[Store], Awaitable[object]]
) -> None:
    other = open_again(keyring)
    before = await store.marker(), await other.marker()
    await write(store)
    after = await store.marker(), await other.marker()
    assert after[0] != before[0], "its own write"
    assert after[1] != before[1], "the write of another"
    await other.close()


async def test_markers_of_one_writer_never_come_back(store: Store, open_again: Opener, keyring: Keyring) -> None:
    other = open_again(keyring)
    seen = [(await store.marker(), await other.marker())]
    for number in range(20):
        writer = (store, other)[number % 2]
        await writer.append("acme", [first_refusal(f"person {number}")])
        seen.append((await store.marker(), await other.marker()))
    assert len({ours for ours, _ in seen}) == len({theirs for _, theirs in seen}) == 21
    await other.close()


async def test_reading_leaves_the_marker_as_it_is(store: Store) -> None:
    await store.append("acme", [first_refusal("pat")], receipt=a_receipt())
    before = await store.marker()
    await store.load("acme", [a_digest("pat")])
    await store.heads("acme")
    await store.receipt("acme", a_receipt().name, 0)
    _ = [page async for page in store.scan("acme")]
    await store.audit("acme", [])
    assert await store.marker() == before
