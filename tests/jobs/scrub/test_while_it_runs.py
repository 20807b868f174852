"""What happens while a scrub runs: refusals come in, lists change, stores fail, people interrupt."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jobs.lists.contacts import BATCH_ROWS
from prefcenter.domain.errors import InvalidList, KeyringError, PrefcenterError, StoreError
from prefcenter.domain.events import EVERYTHING
from tests.jobs.scrub.small_home import LIST, MeddledDecisions, SmallHome, a_plan, document, left_in, output


@pytest.fixture
def home() -> SmallHome:
    return SmallHome()


def test_a_refusal_that_comes_in_during_the_run_is_applied(tmp_path: Path, home: SmallHome) -> None:
    refusals = iter(["pat@acme.example"])

    async def somebody_opts_out() -> None:
        for address in refusals:
            await home.recording.opt_out(address, EVERYTHING, "form")

    decider = MeddledDecisions(home, before_batch=somebody_opts_out)
    content = b"email,kind\n" + b"pat@acme.example,work\n" + b"kim@acme.example,work\n"
    manifest = home.scrub(a_plan(tmp_path, content, class_column="kind"), decider)
    assert (manifest.is_stale, manifest.counts["kept"]) == (False, 1)
    assert document(tmp_path)["ledger"]["heads"] == manifest.document["ledger"]["heads"]
    assert sum(head["position"] for head in manifest.document["ledger"]["heads"]) == 1


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_ledger_that_never_rests_makes_the_third_run_stale(tmp_path: Path, home: SmallHome, dry_run: bool) -> None:
    names = iter(range(99))

    async def somebody_opts_out() -> None:
        await home.recording.opt_out(f"stranger{next(names)}@acme.example", EVERYTHING, "form")

    decider = MeddledDecisions(home, before_batch=somebody_opts_out)
    manifest = home.scrub(a_plan(tmp_path, dry_run=dry_run), decider)
    assert manifest.is_stale
    assert next(names) == 3
    if not dry_run:
        assert document(tmp_path)["stale"] is True
        assert b"This result is stale" in output(tmp_path, "report.html")
    assert [name for name in left_in(tmp_path) if name.startswith(".")] == []


def test_a_refusal_at_the_very_last_moment_makes_the_manifest_stale(tmp_path: Path, home: SmallHome) -> None:
    async def somebody_opts_out_at_the_last_look() -> None:
        if (tmp_path / "out").exists():
            await home.recording.opt_out("pat@acme.example", EVERYTHING, "form")

    decider = MeddledDecisions(home, before_heads=somebody_opts_out_at_the_last_look)
    manifest = home.scrub(a_plan(tmp_path), decider)
    assert manifest.is_stale
    assert document(tmp_path) == manifest.document
    assert left_in(tmp_path / "out") == ["kept.csv", "manifest.json", "rejected.csv", "report.html", "suppressed.csv"]


@pytest.mark.parametrize("error", [StoreError("gone"), KeyringError("rotated")])
def test_a_store_that_fails_at_the_very_last_moment_makes_the_manifest_stale(
    tmp_path: Path, home: SmallHome, error: PrefcenterError
) -> None:
    async def fail_at_the_last_look() -> None:
        if (tmp_path / "out").exists():
            raise error

    decider = MeddledDecisions(home, before_heads=fail_at_the_last_look)
    assert home.scrub(a_plan(tmp_path), decider).is_stale


def test_a_store_that_fails_on_the_way_leaves_nothing(tmp_path: Path, home: SmallHome) -> None:
    async def fail() -> None:
        raise StoreError("gone")

    with pytest.raises(StoreError):
        home.scrub(a_plan(tmp_path), MeddledDecisions(home, before_batch=fail))
    assert left_in(tmp_path) == ["list.csv"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, asyncio.CancelledError])
def test_an_interruption_leaves_nothing(tmp_path: Path, home: SmallHome, interruption: type[BaseException]) -> None:
    async def interrupt() -> None:
        assert any(name.startswith(".out.partial-") for name in left_in(tmp_path))
        raise interruption

    with pytest.raises(interruption):
        home.scrub(a_plan(tmp_path), MeddledDecisions(home, before_batch=interrupt))
    assert left_in(tmp_path) == ["list.csv"]


def test_a_list_that_changes_during_the_run_leaves_nothing(tmp_path: Path, home: SmallHome) -> None:
    async def append_a_row() -> None:
        with (tmp_path / "list.csv").open("ab") as file:
            file.write(b"7,new@acme.example,work\n")

    content = LIST + b"8,pat@acme.example,work\n" * 3 * BATCH_ROWS
    with pytest.raises(InvalidList, match="changed while it was being read"):
        home.scrub(a_plan(tmp_path, content), MeddledDecisions(home, before_batch=append_a_row))
    assert left_in(tmp_path) == ["list.csv"]


def test_a_list_that_changes_between_two_runs_leaves_nothing(tmp_path: Path, home: SmallHome) -> None:
    async def change_list_and_ledger() -> None:
        (tmp_path / "list.csv").write_bytes(LIST.replace(b"pat", b"mat"))
        await home.recording.opt_out("kim@acme.example", EVERYTHING, "form")

    with pytest.raises(InvalidList, match="changed while it was being read"):
        home.scrub(a_plan(tmp_path), MeddledDecisions(home, before_batch=change_list_and_ledger))
    assert left_in(tmp_path) == ["list.csv"]
