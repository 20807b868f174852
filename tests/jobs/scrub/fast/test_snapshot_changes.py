"""What was touched since a snapshot was made: told beside it at first, and taken into it when it is much."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from jobs.scrub.snapshot.export import SnapshotKeeper
from jobs.scrub.snapshot.snapshot import Snapshot
from jobs.scrub.snapshot.state import State
from prefcenter.domain.events import Cell
from prefcenter.domain.record import Record
from prefcenter.domain.terms import Channel
from prefcenter.security.keyring import new_keyring
from prefcenter.security.vector_digests import DigestArray
from prefcenter.services.admission import Consent
from tests.factories import DAY, NOW
from tests.fakes import MemoryStore
from tests.jobs.scrub.fast.drawn_acts import DrawnHome
from tests.jobs.scrub.fast.drawn_worlds import a_world
from tests.jobs.scrub.small_home import SmallHome

CELL = Cell("client-marketing", Channel.EMAIL)


def keeper(
    home: DrawnHome | SmallHome, cache: Path | None, take_in_from: int = 1, anew_from: int = 1_000
) -> SnapshotKeeper:
    return SnapshotKeeper(home.policy.controller, home.store, home.sealer, cache, take_in_from, anew_from)


def states_by_digest(home: DrawnHome | SmallHome, snapshot: Snapshot) -> dict[bytes, State | None]:
    """What a snapshot says of each record of the store."""
    values = [record.subject.value for record in asyncio.run(all_records(home))]
    found = snapshot.find(DigestArray.of(values)).tolist()
    return dict(zip(values, (snapshot.states[number] for number in found), strict=True))


async def all_records(home: DrawnHome | SmallHome) -> list[Record]:
    return [record async for page in home.store.scan(home.policy.controller) for record in page]


def consent(home: SmallHome, address: str, cell: Cell = CELL, given_ms: int = NOW - 3 * DAY) -> None:
    given = Consent(cell, "terms", "form", "person", given_ms, None)
    asyncio.run(home.recording.record_consent(address, given))


@given(st.randoms(use_true_random=True))
def test_what_is_taken_in_says_what_was_told_beside(chance: Random) -> None:
    world, keyring = a_world(chance), new_keyring("2026-11-20T00:00:00Z")
    home = DrawnHome(world.policy, keyring, MemoryStore(keyring))
    *earlier, last = world.stages
    home.take(act for stage in earlier for act in stage.acts)
    with TemporaryDirectory() as beside, TemporaryDirectory() as within:
        for cache in (beside, within):
            asyncio.run(keeper(home, Path(cache)).current())
        home.take(last.acts)
        apart = asyncio.run(keeper(home, Path(beside), take_in_from=1_000).current())
        taken_in = asyncio.run(keeper(home, Path(within)).current())
        assert states_by_digest(home, taken_in) == states_by_digest(home, apart)
        assert not len(taken_in.changes)
        assert taken_in.heads == asyncio.run(home.store.heads(world.policy.controller))
        assert asyncio.run(keeper(home, Path(within)).current()).heads == taken_in.heads


def test_few_changes_are_told_beside_the_file_and_many_taken_into_it(tmp_path: Path) -> None:
    home = SmallHome()
    home.opt_out("pat@acme.example")
    before = asyncio.run(keeper(home, tmp_path, take_in_from=2).current())
    home.opt_out("kim@acme.example")
    beside = asyncio.run(keeper(home, tmp_path, take_in_from=2).current())
    assert (len(beside.base), len(beside.changes), beside.heads) == (1, 1, before.heads)
    home.opt_out("lee@acme.example")
    taken_in = asyncio.run(keeper(home, tmp_path, take_in_from=2).current())
    assert (len(taken_in.base), len(taken_in.changes), taken_in.exported_at) == (3, 0, 1)


def test_after_many_events_every_record_is_read_anew(tmp_path: Path) -> None:
    home = SmallHome()
    for cell in (CELL, Cell("candidate-contact", Channel.EMAIL)):
        consent(home, "pat@gmail.com", cell)
    asyncio.run(keeper(home, tmp_path).current())
    consent(home, "pat@gmail.com", given_ms=NOW - 2 * DAY)
    taken_in = asyncio.run(keeper(home, tmp_path, anew_from=2).current())
    assert {state.is_plain for state in states_by_digest(home, taken_in).values() if state} == {False}
    consent(home, "kim@gmail.com")
    consent(home, "lee@gmail.com")
    anew = asyncio.run(keeper(home, tmp_path, anew_from=2).current())
    assert {state.is_plain for state in states_by_digest(home, anew).values() if state} == {True}
    assert anew.exported_at == sum(head.position for head in anew.heads)


def test_consents_are_found_by_the_exact_address_and_for_their_own_cell(tmp_path: Path) -> None:
    home = SmallHome()
    other = Cell("candidate-contact", Channel.EMAIL)
    for number in range(50):
        consent(home, f"pat{number}@gmail.com")
    consent(home, "kim@gmail.com", other)
    snapshot = asyncio.run(keeper(home, tmp_path).current())
    grants = [grant for record in asyncio.run(all_records(home)) for grant in record.grants]
    exacts = DigestArray.of([grant.exact.value for grant in grants])
    for cell in (CELL, other):
        expected = [grant.cell == cell for grant in grants]
        for found in snapshot.consents_to(cell).find(exacts, NOW, NOW + DAY):
            assert found.tolist() == expected
    never = snapshot.consents_to(CELL).find(exacts, NOW - 30 * DAY, NOW)
    assert (any(never[0]), sum(never[1])) == (False, 50)
    assert not snapshot.consents_to(Cell("contract-service", Channel.EMAIL)).find(exacts, NOW, NOW)[1].any()


def test_of_an_address_that_consented_twice_it_is_not_told_what_is_in_force(tmp_path: Path) -> None:
    home = SmallHome()
    consent(home, "pat@gmail.com", given_ms=NOW - 9 * DAY)
    asyncio.run(home.recording.record_consent("pat@gmail.com", Consent(CELL, "terms", "form", "person", None, None)))
    (record,) = asyncio.run(all_records(home))
    assert len(record.grants) == 2
    exacts = DigestArray.of([record.grants[0].exact.value])
    lasting, ever = asyncio.run(keeper(home, tmp_path).current()).consents_to(CELL).find(exacts, NOW, NOW)
    assert (lasting.tolist(), ever.tolist()) == ([False], [True])
