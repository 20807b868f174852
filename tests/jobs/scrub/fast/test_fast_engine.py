"""What the fast engine hands back, what it does while the ledger moves, and when it is taken at all."""

from __future__ import annotations

import asyncio
import io
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.lists.content import HeldStream
from jobs.scrub import ScrubPlan, scrub
from jobs.scrub.deciding import AskedColumn
from jobs.scrub.fast.choice import FEWEST_OCTETS, octets_at_hand, pays
from jobs.scrub.fast.engine import FastEngine
from jobs.scrub.fast.explained import explained
from prefcenter.domain.errors import InvalidList, PrefcenterError
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import Channel
from prefcenter.security.digests import Digester
from tests.factories import NOW
from tests.jobs.scrub.fast.two_engines import engines_of_home
from tests.jobs.scrub.small_home import LIST, MeddledDecisions, SmallHome, a_plan, document, left_in, output


@pytest.fixture
def home() -> SmallHome:
    home = SmallHome()
    home.opt_out("kim@acme.example")
    return home


def engine_of(home: SmallHome, plan: ScrubPlan, decider: MeddledDecisions | None = None) -> FastEngine:
    digester = Digester(home.keyring, home.policy.controller)
    return FastEngine(plan, decider or home.decisions, digester, home.store, home.sealer)


def scrubbed_by(home: SmallHome, plan: ScrubPlan, decider: MeddledDecisions | None = None) -> str:
    """Scrub on the fast engine; gives the name of the engine that did it in the end."""
    engine = engine_of(home, plan, decider)
    manifest = asyncio.run(scrub(plan, decider or home.decisions, home.sealer, lambda: NOW, engine=engine))
    return str(manifest.document["run"]["engine"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_lists_in_which_ascii_is_ascii_are_its_own(tmp_path: Path, home: SmallHome, encoding: str) -> None:
    content = "id,email,name\n1,kim@acme.example,Zoë\n2,zoë@acme.example,Zoë\n3,pat@acme.example,Zoë\n".encode(encoding)
    plan = a_plan(tmp_path, content)
    assert scrubbed_by(home, plan) == "fast"
    reference, fast = engines_of_home(home, tmp_path / "cache").manifests(replace(plan, out=None), tmp_path)
    assert fast.counts == reference.counts


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_columns_of_other_encodings_are_its_own(tmp_path: Path, home: SmallHome, encoding: str) -> None:
    content = "id,email,name\n1,kim@acme.example,山田太郎\n2,pat@acme.example,山田太郎\n".encode(encoding)
    reference, fast = engines_of_home(home, tmp_path / "cache").manifests(a_plan(tmp_path, content), tmp_path)
    assert (reference.document["run"]["engine"], fast.document["run"]["engine"]) == ("reference", "fast")


@pytest.mark.parametrize("bad", [b'1,"pat@acme.example,work\n', b"1,%s,work\n" % (b"x" * (1 << 20))])
def test_what_the_reader_refuses_is_refused_in_its_words(tmp_path: Path, home: SmallHome, bad: bytes) -> None:
    rows = b"".join(b"%d,pat@acme.example,work\n" % number for number in range(2_000))
    plan = a_plan(tmp_path, b"id,email,kind\n" + rows + bad + rows)
    with pytest.raises(InvalidList) as by_reference:
        home.scrub(plan)
    with pytest.raises(InvalidList) as by_fast:
        scrubbed_by(home, plan)
    assert str(by_fast.value) == str(by_reference.value)
    assert left_in(tmp_path) == ["list.csv"]


def test_a_list_of_many_blocks_comes_out_in_its_order(tmp_path: Path, home: SmallHome) -> None:
    rows = b"".join(b'%d,"pat%d@acme.example","a\n""b"",",work\r\n' % (number, number) for number in range(9_000))
    plan = a_plan(tmp_path, b"id,email,note,kind\r\n" + rows, class_column="kind")
    engine = engine_of(home, plan)
    small = replace(engine, block_octets_max=10_000)
    asyncio.run(scrub(plan, home.decisions, home.sealer, lambda: NOW, engine=small))
    assert output(tmp_path, "kept.csv") == plan.path.read_bytes()


def test_a_dry_run_counts_and_writes_nothing(tmp_path: Path, home: SmallHome) -> None:
    plan = a_plan(tmp_path, class_column="kind", dry_run=True)
    engine = engine_of(home, plan)
    fast = asyncio.run(scrub(plan, home.decisions, home.sealer, lambda: NOW, engine=engine))
    assert fast.document["cells"] == home.scrub(plan).document["cells"]
    assert left_in(tmp_path) == ["list.csv"]


def opting_out(home: SmallHome, addresses: list[str]) -> Callable[[], Awaitable[None]]:
    async def somebody_opts_out() -> None:
        if addresses:
            await home.recording.opt_out(addresses.pop(), EVERYTHING, "form")

    return somebody_opts_out


def test_a_refusal_that_comes_in_during_the_run_is_applied(tmp_path: Path, home: SmallHome) -> None:
    looks = opting_out(home, ["pat@acme.example", "somebody@acme.example"])
    decider = MeddledDecisions(home, before_heads=looks)
    assert scrubbed_by(home, a_plan(tmp_path, class_column="kind"), decider) == "fast"
    assert (document(tmp_path)["stale"], output(tmp_path, "kept.csv").count(b"\n")) == (False, 1)


def test_a_ledger_that_never_rests_makes_the_manifest_stale(tmp_path: Path, home: SmallHome) -> None:
    looks = opting_out(home, [f"stranger{number}@acme.example" for number in range(20)])
    scrubbed_by(home, a_plan(tmp_path, class_column="kind"), MeddledDecisions(home, before_heads=looks))
    assert document(tmp_path)["stale"] is True


def test_memory_does_not_grow_with_cells_that_hold_no_address(tmp_path: Path, home: SmallHome) -> None:
    columns = engine_of(home, a_plan(tmp_path)).columns(NOW)

    def ask(number: int) -> None:
        text = f"{number} " + "x" * 100_000
        asyncio.run(columns.of(AskedColumn(Channel.EMAIL, [text], [None], [None])))

    ask(0)
    tracemalloc.start()
    try:
        for number in range(1, 30):
            ask(number)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1_000_000


def test_outputs_that_have_no_place_leave_nothing_behind(tmp_path: Path, home: SmallHome) -> None:
    (tmp_path / "file").write_bytes(b"")
    plan = a_plan(tmp_path, out=tmp_path / "file" / "out")
    with pytest.raises(PrefcenterError):
        scrubbed_by(home, plan)
    assert left_in(tmp_path) == ["file", "list.csv"]


def test_the_fast_engine_pays_for_long_lists_of_small_or_known_stores(tmp_path: Path, home: SmallHome) -> None:
    controller = home.policy.controller
    short, long = tmp_path / "short.csv", tmp_path / "long.csv"
    short.write_bytes(LIST)
    long.write_bytes(b"x" * FEWEST_OCTETS)

    def is_taken(*paths: Path, given: bytes | None = None) -> bool:
        stream = None if given is None else HeldStream(io.BytesIO(given))
        octets = octets_at_hand(paths, stream)
        return asyncio.run(pays(octets, controller, home.store, tmp_path / "cache"))

    assert (is_taken(short), is_taken(long), is_taken(tmp_path / "absent.csv")) == (False, True, False)
    assert is_taken(tmp_path / "l*.csv")
    standard_input = Path("-")
    assert not is_taken(standard_input)
    assert not is_taken(standard_input, given=LIST)
    assert is_taken(standard_input, given=long.read_bytes() * 2)
    assert is_taken(short, standard_input, given=b"x" * (FEWEST_OCTETS - len(LIST)))


def test_what_was_looked_at_of_a_stream_is_read_all_the_same() -> None:
    class Dripping(io.BytesIO):
        """Gives three bytes at a time, as a pipe may."""

        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(3, size or 0))

    held = HeldStream(Dripping(b"0123456789"))
    assert held.hold(5) == 5
    assert held.hold(4) == 5
    assert [held.read(2), held.read(100), held.read(100)] == [b"01", b"234", b"567"]
    assert (held.hold(9), held.read(9), held.read(9)) == (2, b"89", b"")


def test_the_plan_can_be_explained(tmp_path: Path, home: SmallHome) -> None:
    text = asyncio.run(explained(a_plan(tmp_path), home.policy, home.store, home.sealer, None, NOW))
    assert "no record; stated business: kept permitted OC-1" in text
    assert "no record; stated nothing: suppressed no_consent OC-3" in text
    assert "mailbox (key 1, rules 1): opted_out of everything; stated business: suppressed opted_out OC-1" in text
    assert "acme" not in text
