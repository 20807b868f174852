"""Snapshots: made once, kept up to date, and refused where anything about them is not as it was made."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.scrub.snapshot.export import SnapshotKeeper
from jobs.scrub.snapshot.snapshot import Snapshot
from jobs.scrub.snapshot.snapshot_file import UnusableSnapshot, open_snapshot, require_known_answers, require_order
from jobs.scrub.snapshot.spill import STATE_ENTRY, Spilled, digests_of
from jobs.scrub.snapshot.table import DigestTable
from prefcenter.domain.address import parse
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import AddressKind, RefusalReason
from prefcenter.security.digests import Digester
from prefcenter.security.keyring import new_keyring
from prefcenter.security.seals import Sealer
from prefcenter.security.vector_digests import DigestArray
from tests.fakes import MemoryStore
from tests.jobs.scrub.small_home import SmallHome

PEOPLE = [f"pat{number}@acme.example" for number in range(300)]
values = st.lists(st.binary(min_size=16, max_size=16), max_size=60)


@pytest.fixture
def home() -> SmallHome:
    home = SmallHome()
    for person in PEOPLE[::2]:
        home.opt_out(person)
    return home


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def keeper(home: SmallHome, cache: Path | None) -> SnapshotKeeper:
    return SnapshotKeeper(home.policy.controller, home.store, home.sealer, cache)


def snapshot_of(home: SmallHome, cache: Path | None) -> Snapshot:
    return asyncio.run(keeper(home, cache).current())


def file_of(home: SmallHome, cache: Path) -> Path:
    return cache / f"{home.policy.controller}.snapshot"


def refusals_of(home: SmallHome, snapshot: Snapshot) -> list[str]:
    """Whom the snapshot knows as having refused anything."""
    digester = Digester(home.keyring, home.policy.controller)
    addresses = [parse(person, AddressKind.EMAIL, country="GB") for person in PEOPLE]
    values = [digester.of_address(address).subject.value for address in addresses]
    found = snapshot.find(DigestArray.of(values)).tolist()
    states = (snapshot.states[number] for number in found)
    return [person for person, state in zip(PEOPLE, states, strict=True) if state and state.refusals]


def test_a_snapshot_knows_every_refusal_and_no_other(home: SmallHome, cache: Path) -> None:
    assert refusals_of(home, snapshot_of(home, cache)) == PEOPLE[::2]
    assert refusals_of(home, snapshot_of(home, None)) == PEOPLE[::2]


def test_only_what_changed_is_read_again(home: SmallHome, cache: Path) -> None:
    before = snapshot_of(home, cache)
    home.opt_out(PEOPLE[1])
    asyncio.run(home.recording.suppress(PEOPLE[3], RefusalReason.LEGAL, EVERYTHING, "court"))
    asyncio.run(home.recording.lift(PEOPLE[3], RefusalReason.LEGAL, "settled"))
    after = snapshot_of(home, cache)
    assert refusals_of(home, after) == sorted([*PEOPLE[::2], PEOPLE[1]], key=PEOPLE.index)
    assert (len(after.base), len(after.changes), after.heads) == (len(before.base), 2, before.heads)


def test_a_snapshot_is_its_owners_alone(home: SmallHome, cache: Path) -> None:
    snapshot_of(home, cache)
    assert stat.S_IMODE(file_of(home, cache).stat().st_mode) == 0o600
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert [path.name for path in cache.iterdir()] == [file_of(home, cache).name]


@pytest.mark.parametrize("place", [0, 1_000, -1, -20, -200])
def test_a_changed_byte_makes_a_snapshot_unusable_and_it_is_made_anew(home: SmallHome, cache: Path, place: int) -> None:
    snapshot_of(home, cache)
    content = bytearray(file_of(home, cache).read_bytes())
    content[place] ^= 1
    file_of(home, cache).write_bytes(content)
    with pytest.raises(UnusableSnapshot):
        open_snapshot(file_of(home, cache), home.policy.controller, home.sealer)
    assert refusals_of(home, snapshot_of(home, cache)) == PEOPLE[::2]
    open_snapshot(file_of(home, cache), home.policy.controller, home.sealer)


@pytest.mark.parametrize("kept", [0, 10, 2_000])
def test_a_cut_off_file_is_no_snapshot(home: SmallHome, cache: Path, kept: int) -> None:
    snapshot_of(home, cache)
    file_of(home, cache).write_bytes(file_of(home, cache).read_bytes()[:kept])
    with pytest.raises(UnusableSnapshot):
        open_snapshot(file_of(home, cache), home.policy.controller, home.sealer)


def test_a_snapshot_of_another_controller_or_keyring_is_none(home: SmallHome, cache: Path) -> None:
    snapshot_of(home, cache)
    foreign = Sealer(new_keyring("2026-11-21T00:00:00Z"), home.policy.controller)
    for controller, sealer in (("openscape", home.sealer), (home.policy.controller, foreign)):
        with pytest.raises(UnusableSnapshot):
            open_snapshot(file_of(home, cache), controller, sealer)


def test_a_snapshot_of_a_store_that_was_put_back_is_made_anew(home: SmallHome, cache: Path) -> None:
    snapshot_of(home, cache)
    home.store = MemoryStore(home.keyring)
    assert refusals_of(home, snapshot_of(home, cache)) == []


def test_a_table_that_is_out_of_order_is_noticed(home: SmallHome, cache: Path) -> None:
    whole = snapshot_of(home, cache)
    digests, codes = whole.base.digests, whole.base.codes
    high = digests.high.copy()
    high[[0, 1]] = high[[1, 0]]
    swapped = DigestTable(DigestArray(high, digests.low), codes)
    faulty = Snapshot(whole.heads, whole.states, swapped, whole.consents, whole.exported_at)
    with pytest.raises(UnusableSnapshot):
        require_order(faulty)


def test_a_wrong_answer_to_what_is_known_is_noticed(home: SmallHome, cache: Path) -> None:
    whole = snapshot_of(home, cache)
    known = [(whole.base.digests.value(0), int(whole.base.codes[0]))]
    require_known_answers(whole, known)
    with pytest.raises(UnusableSnapshot):
        require_known_answers(whole, [(known[0][0], known[0][1] + 1)])


@given(values, values)
def test_a_table_finds_what_was_put_in_and_nothing_else(there: list[bytes], absent: list[bytes]) -> None:
    codes = np.arange(1, len(there) + 1, dtype=np.uint32)
    expected = dict(zip(there, codes.tolist(), strict=True))
    table = DigestTable.of(DigestArray.of(there), codes)
    sought = [*there, *absent]
    assert table.find(DigestArray.of(sought)).tolist() == [expected.get(value, 0) for value in sought]
    assert table.is_sorted()


@given(st.lists(values, max_size=4))
def test_spilled_digests_come_back_in_order(batches: list[list[bytes]]) -> None:
    with Spilled(STATE_ENTRY, None) as spilled:
        for batch in batches:
            spilled.add(DigestArray.of(batch), code=np.ones(len(batch), np.uint32))
        tables = [DigestTable.of(digests_of(part), part["code"]) for part in spilled.parts()]
    found = [table.digests.value(row) for table in tables for row in range(len(table))]
    assert found == sorted({value for batch in batches for value in batch})
