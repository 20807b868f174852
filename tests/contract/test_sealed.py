"""What every store promises about encrypted plaintext: it stands beside its record until an erasure (OCC-5, OCC-19)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prefcenter.domain.errors import VersionConflict
from prefcenter.domain.record import Record
from prefcenter.security.keyring import Keyring
from prefcenter.services.ports import Change, Store
from tests.contract.acts import append_one, change, erased, first_refusal, refused, sealed_contact
from tests.contract.backends import Opener
from tests.factories import NOW, a_digest

EVERY_BYTE = bytes(range(256))


def next_change(before: Change, sealed: bytes | None) -> Change:
    """One more act on the record of an earlier one."""
    return replace(change(before.after, refused("import", NOW + 1)), sealed=sealed)


async def test_what_is_sealed_beside_a_record_comes_back_as_it_was(store: Store) -> None:
    await store.append("acme", [sealed_contact("pat", EVERY_BYTE), sealed_contact("kim", b""), first_refusal("lee")])
    subjects = [a_digest(name) for name in ("pat", "kim", "lee", "nobody")]
    assert dict(await store.load_sealed("acme", subjects)) == {subjects[0]: EVERY_BYTE, subjects[1]: b""}
    assert dict(await store.load_sealed("acme", [])) == {}
    assert dict(await store.load_sealed("nobody", subjects)) == {}


async def test_an_act_that_brings_nothing_leaves_what_stands_there(store: Store) -> None:
    first = sealed_contact("pat", b"first")
    await store.append("acme", [first])
    await store.append("acme", [next_change(first, None)])
    assert dict(await store.load_sealed("acme", [a_digest("pat")])) == {a_digest("pat"): b"first"}


async def test_an_act_that_brings_something_replaces_what_stands_there(store: Store) -> None:
    first = sealed_contact("pat", b"first")
    await store.append("acme", [first])
    await store.append("acme", [next_change(first, b"second")])
    assert dict(await store.load_sealed("acme", [a_digest("pat")])) == {a_digest("pat"): b"second"}


async def test_an_erasure_drops_what_is_sealed_beside_its_record_and_nothing_else(store: Store) -> None:
    first = sealed_contact("pat", b"first")
    await store.append("acme", [first, sealed_contact("kim")])
    await store.append("globex", [sealed_contact("pat")])
    await append_one(store, first.after, erased(NOW + 1))
    assert dict(await store.load_sealed("acme", [a_digest("pat")])) == {}
    assert len(await store.load_sealed("acme", [a_digest("kim")])) == 1
    assert len(await store.load_sealed("globex", [a_digest("pat")])) == 1


@pytest.mark.parametrize("events", [[erased()], [refused(), erased()], [erased(), refused()]])
async def test_a_change_that_erases_seals_nothing(store: Store, events: list[object]) -> None:
    await store.append("acme", [replace(change(Record(a_digest("pat")), *events), sealed=b"new")])  # type: ignore[arg-type]
    assert dict(await store.load_sealed("acme", [a_digest("pat")])) == {}


async def test_something_may_be_sealed_anew_after_an_erasure(store: Store) -> None:
    first = sealed_contact("pat", b"first")
    await store.append("acme", [first])
    gone = change(first.after, erased(NOW + 1))
    await store.append("acme", [gone])
    await store.append("acme", [next_change(gone, b"second")])
    assert dict(await store.load_sealed("acme", [a_digest("pat")])) == {a_digest("pat"): b"second"}


async def test_one_controller_never_reads_what_another_has_sealed(store: Store) -> None:
    await store.append("acme", [sealed_contact("pat", b"ours")])
    await store.append("globex", [sealed_contact("pat", b"theirs")])
    assert dict(await store.load_sealed("acme", [a_digest("pat")])) == {a_digest("pat"): b"ours"}
    assert dict(await store.load_sealed("globex", [a_digest("pat")])) == {a_digest("pat"): b"theirs"}


async def test_a_conflict_seals_nothing(store: Store) -> None:
    first = sealed_contact("pat", b"first")
    await store.append("acme", [first])
    with pytest.raises(VersionConflict):
        await store.append("acme", [sealed_contact("kim"), sealed_contact("pat", b"second")])
    found = await store.load_sealed("acme", [a_digest("pat"), a_digest("kim")])
    assert dict(found) == {a_digest("pat"): b"first"}


async def test_a_restart_keeps_what_is_sealed(open_again: Opener, keyring: Keyring) -> None:
    store = open_again(keyring)
    await store.append("acme", [sealed_contact("pat", EVERY_BYTE)])
    await store.close()
    store = open_again(keyring)
    assert dict(await store.load_sealed("acme", [a_digest("pat")])) == {a_digest("pat"): EVERY_BYTE}
    await store.close()
