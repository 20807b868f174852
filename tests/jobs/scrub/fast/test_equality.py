"""The fast engine answers and writes what the reference engine does: every row, byte for byte, and the same manifest.

Both are asked about drawn worlds: policies as the loader accepts them, stores in which all kinds of acts meet, and
lists that meet those. Whatever a decision can say has to be met on the way, or equality would show less than it says.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from jobs.scrub import Manifest, ScrubPlan
from jobs.scrub.deciding import AskedColumn, OneByOne
from jobs.scrub.tally import DUPLICATE, EMPTY_ADDRESS, RAGGED_ROW, Outcome
from prefcenter.domain.events import Cell
from prefcenter.domain.terms import AddressClass, Reason
from prefcenter.storage.opening import create_store, open_store
from tests.jobs.scrub.fast.drawn_acts import DrawnHome
from tests.jobs.scrub.fast.drawn_lists import SUFFIXES, DrawnList, a_list
from tests.jobs.scrub.fast.drawn_worlds import World, a_world, channel_of
from tests.jobs.scrub.fast.smaller import checked, smaller_lists, smaller_worlds
from tests.jobs.scrub.fast.two_engines import TwoEngines

WORLDS, ON_DISK, LISTS = (10_000, 2_000, 5_000) if os.environ.get("PREFCENTER_SOAK") == "1" else (400, 30, 120)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
CHANCES = st.randoms(use_true_random=True)
DRAWN_ONLY = (Phase.generate,)
"""Of a `Random` nothing smaller can be drawn: what fails is made small by `smaller`."""

CLASSES = (None, *AddressClass)

NEVER_OF_A_ROW = {Reason.UNKNOWN_PURPOSE, Reason.CHANNEL_NOT_OFFERED, Reason.PROHIBITED, Reason.CHECK_FAILED}
"""What no row comes to: the first two end a scrub before its list is read, a prohibited use of data is no message, and
an error on the way ends the scrub without outputs."""

OF_AN_ADDRESS = {reason.value for reason in Reason if reason not in NEVER_OF_A_ROW}
OF_ROWS_ONLY = {EMPTY_ADDRESS, RAGGED_ROW, DUPLICATE}


def column_of(world: World, cell: Cell) -> AskedColumn:
    """Every spelling of everybody whom a channel reaches, each stated as every class."""
    texts = [text for text in world.spellings(channel_of(cell)) if text.strip() for _ in CLASSES]
    classes = list(CLASSES) * (len(texts) // len(CLASSES))
    return AskedColumn(channel_of(cell), texts, classes, [world.audience] * len(texts))


def equal_answers(world: World, home: DrawnHome, cell: Cell, cache: Path) -> Sequence[Outcome]:
    """The outcomes of a column by the decider, which are those of the fast engine too."""
    engines = TwoEngines(home.policy, home.digester, home.store, home.sealer, cache)
    fast = engines.fast(ScrubPlan(cache, cell.purpose or "", channel_of(cell))).columns(world.at_ms)
    asked = column_of(world, cell)
    expected, ends_ms = asyncio.run(OneByOne(engines.decisions, cell.purpose or "", world.at_ms).of(asked))
    found, found_ends_ms = asyncio.run(fast.of(asked))
    for place, outcome in enumerate(expected):
        assert found[place] == outcome, (cell, asked.addresses[place], asked.classes[place])
    assert found_ends_ms == ends_ms, cell
    return expected


def answers_in_memory(world: World) -> Sequence[Outcome]:
    """The outcomes of all that may be asked about somebody; both ways give them."""
    with tempfile.TemporaryDirectory() as name:
        home = world.home(Path(name))
        return [outcome for cell in world.cells for outcome in equal_answers(world, home, cell, Path(name))]


def answers_on_disk(world: World) -> Sequence[Outcome]:
    with tempfile.TemporaryDirectory() as name:
        url = f"sqlite://{name}/store.sqlite3"
        create_store(url)
        home = world.home(Path(name) / "cache", partial(open_store, url))
        try:
            cache = Path(name) / "cache"
            return [outcome for cell in world.cells for outcome in equal_answers(world, home, cell, cache)]
        finally:
            home.close()


def scrubbed(drawn: tuple[World, DrawnList]) -> tuple[ScrubPlan, Manifest]:
    """The plan of a scrub, and the manifest of both engines; their outputs are the same."""
    world, contacts = drawn
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        home = world.home(directory / "cache")
        plan = contacts.plan(contacts.write(directory), world)
        services = (home.policy, home.digester, home.store, home.sealer)
        engines = TwoEngines(*services, directory / "cache", contacts.block_octets, home.services.links)
        reference, fast = engines.manifests(plan, directory)
    assert fast.document["run"]["engine"] == "fast"
    return plan, reference


def counted(met: Counter[str], reasons: set[str]) -> None:
    for reason in reasons:
        event(reason)
    met.update(reasons)


def test_every_answer_is_the_deciders_and_every_reason_is_met() -> None:
    met: Counter[str] = Counter()

    @settings(max_examples=WORLDS, suppress_health_check=SLOW, phases=DRAWN_ONLY)
    @given(CHANCES)
    def ask(chance: Random) -> None:
        outcomes = checked(answers_in_memory, a_world(chance), smaller_worlds)
        counted(met, {outcome.reason for outcome in outcomes})

    ask()
    assert met.keys() == OF_AN_ADDRESS
    assert min(met.values()) > 1


def test_every_answer_of_a_store_on_disk_is_the_deciders_too() -> None:
    @settings(max_examples=ON_DISK, suppress_health_check=SLOW, phases=DRAWN_ONLY)
    @given(CHANCES)
    def ask(chance: Random) -> None:
        checked(answers_on_disk, a_world(chance), smaller_worlds)

    ask()


def test_both_engines_write_the_same_of_any_list() -> None:
    met: Counter[str] = Counter()

    @settings(max_examples=LISTS, suppress_health_check=SLOW, phases=DRAWN_ONLY)
    @given(CHANCES)
    def scrub(chance: Random) -> None:
        world = a_world(chance)
        contacts = a_list(chance, world)
        plan, reference = checked(scrubbed, (world, contacts), smaller_lists)
        reasons = reference.document["reasons"].values()
        counted(met, {reason for of_output in reasons for reason in of_output})
        if plan.links and reference.counts["kept"]:
            met[f"links in {contacts.suffix}"] += 1

    scrub()
    assert met.keys() > OF_ROWS_ONLY | {f"links in {suffix}" for suffix in SUFFIXES}
