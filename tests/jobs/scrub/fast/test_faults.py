"""What fails under a fast scrub: the disk, the cache, the list. Outputs are right or absent, and nothing is left."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from jobs.scrub import Manifest, ScrubPlan
from jobs.scrub import scrub as run_scrub
from jobs.scrub.fast.engine import FastEngine
from jobs.scrub.manifest import read_manifest
from jobs.scrub.snapshot.snapshot_file import UnusableSnapshot, open_snapshot
from jobs.scrub.verifying import Verification, verify
from prefcenter.domain.errors import InvalidList, PrefcenterError
from prefcenter.security.digests import Digester
from tests.factories import NOW
from tests.jobs.scrub.fast.two_engines import engines_of_home, rows_in, without_run
from tests.jobs.scrub.small_home import MeddledDecisions, SmallHome, a_plan, left_in
from tests.jobs.scrub.test_outputs import somebody_without_rights

SNAPSHOT = "opencontact.snapshot"
REFUSED = [f"pat{number}@acme.example" for number in range(900)]
LIST = "".join(["id,email\n", *(f"{number},pat{number * 7}@acme.example\n" for number in range(400))]).encode()


@pytest.fixture(scope="module")
def home() -> SmallHome:
    home = SmallHome()
    for person in REFUSED:
        home.opt_out(person)
    return home


@contextmanager
def no_file_beyond(octets: int) -> Iterator[None]:
    """A disk on which files of this process end there, as they would on one that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def scrubbed(home: SmallHome, plan: ScrubPlan, cache: Path) -> Manifest:
    return asyncio.run(engines_of_home(home, cache).scrub(plan, by_fast=True))


def plan_in(directory: Path, **changes: Any) -> ScrubPlan:
    return a_plan(directory, LIST, purpose="candidate-contact", **changes)


def require_right(home: SmallHome, directory: Path, engine: str = "fast") -> None:
    """The next scrub to the same place writes what the reference writes, and leaves nothing else."""
    plan = plan_in(directory)
    manifest = scrubbed(home, plan, directory / "cache")
    reference = home.scrub(replace(plan, out=directory / "by-reference"))
    assert without_run(manifest) == without_run(reference)
    assert [path.read_bytes() for path in rows_in(directory / "out")] == [
        path.read_bytes() for path in rows_in(directory / "by-reference")
    ]
    assert manifest.document["run"]["engine"] == engine
    assert [name for name in left_in(directory) if name.startswith(".")] == []


@pytest.mark.parametrize("octets", [1_000, 5_000])
def test_a_disk_without_room_for_the_outputs_leaves_nothing(tmp_path: Path, home: SmallHome, octets: int) -> None:
    plan = plan_in(tmp_path)
    with no_file_beyond(octets), pytest.raises(PrefcenterError, match="nothing was written"):
        scrubbed(home, plan, tmp_path / "cache")
    assert left_in(tmp_path) == ["cache", "list.csv"]
    assert left_in(tmp_path / "cache") == []
    require_right(home, tmp_path)
    assert left_in(tmp_path / "cache") == [SNAPSHOT]


def test_a_disk_without_room_for_the_snapshot_is_no_reason_not_to_scrub(tmp_path: Path, home: SmallHome) -> None:
    with no_file_beyond(15_000):
        require_right(home, tmp_path, engine="reference")
    assert left_in(tmp_path / "cache") == []


def test_a_cache_that_may_not_be_written_to_is_no_reason_not_to_scrub(tmp_path: Path, home: SmallHome) -> None:
    (tmp_path / "cache").write_bytes(b"")
    require_right(home, tmp_path, engine="reference")


def test_outputs_are_verified_without_a_place_for_the_snapshot(tmp_path: Path) -> None:
    home = SmallHome()
    home.opt_out("kim@acme.example")
    home.scrub(plan_in(tmp_path))
    home.opt_out("pat7@acme.example")
    (tmp_path / "cache").write_bytes(b"")
    asked = Verification(tmp_path / "out", read_manifest(tmp_path / "out" / "manifest.json", home.sealer_of), NOW)

    async def engine_for(plan: ScrubPlan) -> FastEngine:
        return engines_of_home(home, tmp_path / "cache").fast(plan)

    async def holds_heads(_: object) -> bool:
        return True

    (finding,) = asyncio.run(verify(asked, home.decisions, holds_heads, engine_for))
    assert finding.message == "1 address in kept is refused by now"


def damaged(whole: bytes, chance: Random) -> list[bytes]:
    """Cut off, a bit flipped, the rest lost to zeros, lengthened: at one place each time."""
    place = chance.randrange(len(whole) - 1)
    flipped = bytes((whole[place] ^ (1 << chance.randrange(8)),))
    ways = (whole[:place], whole[:place] + flipped + whole[place + 1 :], whole[:place] + bytes(len(whole) - place))
    return [*ways, whole + whole[place:]]


def test_a_snapshot_that_is_damaged_at_any_place_is_none(tmp_path: Path, home: SmallHome) -> None:
    scrubbed(home, plan_in(tmp_path, dry_run=True), tmp_path / "cache")
    file, chance = tmp_path / "cache" / SNAPSHOT, Random(3)
    whole = file.read_bytes()
    for content in [content for _ in range(200) for content in damaged(whole, chance)]:
        file.write_bytes(content)
        with pytest.raises(UnusableSnapshot):
            open_snapshot(file, home.policy.controller, home.sealer)


def test_a_scrub_that_finds_a_damaged_snapshot_makes_another_and_answers_rightly(
    tmp_path: Path, home: SmallHome
) -> None:
    plan, cache = plan_in(tmp_path, dry_run=True), tmp_path / "cache"
    expected = without_run(scrubbed(home, plan, cache))
    whole = (cache / SNAPSHOT).read_bytes()
    for content in damaged(whole, Random(4)):
        (cache / SNAPSHOT).write_bytes(content)
        assert without_run(scrubbed(home, plan, cache)) == expected == without_run(home.scrub(plan))
        open_snapshot(cache / SNAPSHOT, home.policy.controller, home.sealer)


def test_a_list_that_is_gone_during_the_run_is_told_alike_and_leaves_nothing(tmp_path: Path, home: SmallHome) -> None:
    told = set()
    for by_fast in (False, True):
        plan = plan_in(tmp_path)

        async def take_away(path: Path = plan.path) -> None:
            await asyncio.to_thread(path.unlink, missing_ok=True)

        decider = MeddledDecisions(home, before_heads=take_away)
        services = (Digester(home.keyring, home.policy.controller), home.store, home.sealer)
        engine = FastEngine(plan, decider, *services, tmp_path / "cache") if by_fast else None
        with pytest.raises(InvalidList) as error:
            asyncio.run(run_scrub(plan, decider, home.sealer, lambda: NOW, engine=engine))
        told.add(str(error.value))
        assert [name for name in left_in(tmp_path) if name != "cache"] == []
    assert len(told) == 1


def test_a_list_that_may_not_be_read_leaves_nothing(tmp_path: Path, home: SmallHome) -> None:
    plan = plan_in(tmp_path)
    plan.path.chmod(0)
    with somebody_without_rights(), pytest.raises(InvalidList, match="Permission denied"):
        scrubbed(home, plan, tmp_path / "cache")
    assert left_in(tmp_path) == ["list.csv"]
