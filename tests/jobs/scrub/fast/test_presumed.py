"""Lists whose beginning says that they are UTF-8: the fast engine goes by that, until the rest says otherwise."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.lists.content import file_content
from jobs.lists.encoding import GLANCE_BYTES
from jobs.lists.opening import open_text
from jobs.scrub import ScrubPlan, scrub
from jobs.scrub.engine import Progress
from prefcenter.domain.errors import InvalidList
from prefcenter.domain.events import EVERYTHING
from tests.factories import NOW
from tests.jobs.scrub.fast.two_engines import TwoEngines, engines_of_home, rows_in
from tests.jobs.scrub.small_home import MeddledDecisions, SmallHome, a_plan, left_in

FILLED = b"1,pat@acme.example," + b"x" * 60_000 + b"\n"
BEGINNING = b"id,email,note\n" + FILLED * (1 + GLANCE_BYTES // len(FILLED))
"""So long that a glance does not come to its end."""

UTF8_ROW = "2,zoë@acme.example,Zoë\n".encode()
LATIN_ROW = "2,zoë@acme.example,Zoë\n".encode("cp1252")


@pytest.fixture(scope="module")
def home() -> SmallHome:
    home = SmallHome()
    home.opt_out("zoë@acme.example")
    return home


@pytest.fixture
def both(home: SmallHome, tmp_path: Path) -> TwoEngines:
    return engines_of_home(home, tmp_path / "cache")


@pytest.mark.parametrize(
    ("rest", "encoding", "opted_out"),
    [
        (b"", "utf-8", 0),
        (UTF8_ROW, "utf-8", 1),
        (LATIN_ROW, "cp1252", 1),
        (LATIN_ROW + UTF8_ROW * 3, "utf-8 (damaged)", 3),
        (UTF8_ROW + LATIN_ROW[:-1], "utf-8 (damaged)", 1),
        (b"2,zo", "utf-8", 0),
        (UTF8_ROW + UTF8_ROW[:5], "utf-8 (damaged)", 1),
    ],
)
def test_the_rest_of_a_list_is_read_as_a_look_at_all_of_it_tells(
    tmp_path: Path, both: TwoEngines, rest: bytes, encoding: str, opted_out: int
) -> None:
    plan = a_plan(tmp_path, BEGINNING + rest, address_column="email")
    reference, fast = both.manifests(plan, tmp_path)
    assert (reference.document["run"]["engine"], fast.document["run"]["engine"]) == ("reference", "fast")
    assert fast.document["list"]["encoding"] == encoding
    assert fast.document["reasons"]["suppressed"].get("opted_out", 0) == opted_out


BLANK_BEGINNING = (b" " * 999_999 + b"\n") * (1 + GLANCE_BYTES // 1_000_000)
"""Lines without anything in them, which may stand above a header, and are longer than a glance."""


@pytest.mark.parametrize("named", ["2", "Übersicht"])
def test_a_header_behind_the_glance_can_be_in_another_encoding(tmp_path: Path, both: TwoEngines, named: str) -> None:
    content = BLANK_BEGINNING + "id,Übersicht\n1,zoë@acme.example\n".encode("cp1252")
    _, fast = both.manifests(a_plan(tmp_path, content, address_column=named), tmp_path)
    assert fast.document["list"]["encoding"] == "cp1252"
    assert fast.document["run"]["engine"] == "fast"


def test_a_header_in_another_encoding_is_noticed_though_all_rows_are_ascii(tmp_path: Path, both: TwoEngines) -> None:
    content = BLANK_BEGINNING + "id,email,Straße\n1,pat@acme.example,\n".encode("cp1252")
    _, fast = both.manifests(a_plan(tmp_path, content, address_column="email"), tmp_path)
    assert fast.document["list"]["encoding"] == "cp1252"


def given(both: TwoEngines, home: SmallHome, plan: ScrubPlan, content: bytes) -> None:
    """Scrub what comes from standard input by the fast engine, into `given`."""
    plan = replace(plan, path=Path("-"), out=plan.path.with_name("given"))
    stream = io.BytesIO(content)
    asyncio.run(scrub(plan, home.decisions, home.sealer, lambda: NOW, engine=both.fast(plan), standard_input=stream))


@pytest.mark.parametrize("rest", [UTF8_ROW, LATIN_ROW])
def test_standard_input_that_was_misjudged_is_read_again(
    tmp_path: Path, home: SmallHome, both: TwoEngines, rest: bytes
) -> None:
    in_file = a_plan(tmp_path, BEGINNING + rest, address_column="email")
    asyncio.run(both.scrub(in_file, by_fast=False))
    given(both, home, in_file, BEGINNING + rest)
    by_reference, by_fast = (
        [path.read_bytes() for path in rows_in(out)] for out in (tmp_path / "out", tmp_path / "given")
    )
    assert by_fast == by_reference


def test_standard_input_that_cannot_be_cut_is_refused_as_the_reader_does(
    tmp_path: Path, home: SmallHome, both: TwoEngines
) -> None:
    content = BEGINNING + b'2,"zoe@acme.example,open\n'
    plan = a_plan(tmp_path, content, address_column="email")
    with pytest.raises(InvalidList) as of_file:
        asyncio.run(both.scrub(plan, by_fast=False))
    with pytest.raises(InvalidList) as of_stream:
        given(both, home, plan, content)
    assert str(of_stream.value) == str(of_file.value).replace(str(plan.path), "-")


def appended(path: Path) -> None:
    with path.open("ab") as file:
        file.write(FILLED)


def overwritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-len(FILLED), os.SEEK_END)
        file.write(FILLED.replace(b"pat", b"kim"))


def replaced_by_one_as_old(path: Path) -> None:
    status = path.stat()
    other = path.with_name("other.csv")
    other.write_bytes(path.read_bytes().replace(b"pat", b"kim"))
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


def removed(path: Path) -> None:
    path.unlink()


def with_another_header(path: Path) -> None:
    """In the same file, which is as large and as old as it was."""
    status = path.stat()
    with path.open("r+b") as file:
        file.write(b"id,mails,note\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("change", [appended, overwritten, replaced_by_one_as_old, with_another_header])
def test_a_list_that_changes_after_the_glance_is_refused(
    tmp_path: Path, home: SmallHome, change: Callable[[Path], None]
) -> None:
    plan = a_plan(tmp_path, BEGINNING, address_column="email")
    changes = [change]

    async def change_the_list() -> None:
        if changes:
            changes.pop()(plan.path)

    meddled = MeddledDecisions(home, before_heads=change_the_list)
    engine = replace(engines_of_home(home, tmp_path / "cache").fast(plan), decider=meddled)
    with pytest.raises(InvalidList, match=r"list\.csv:1: list: changed while it was being read$"):
        asyncio.run(scrub(plan, meddled, home.sealer, lambda: NOW, engine=engine))
    assert left_in(tmp_path) in (["list.csv"], ["cache", "list.csv"])


class WatchedChange:
    """Changes a list when the first progress of a scrub is told, while the file is open."""

    def __init__(self, path: Path, change: Callable[[Path], None]) -> None:
        self._path, self._changes = path, [change]

    def __call__(self, _: Progress) -> None:
        if self._changes:
            self._changes.pop()(self._path)


@pytest.mark.parametrize("change", [appended, overwritten, replaced_by_one_as_old, removed])
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_list_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, home: SmallHome, change: Callable[[Path], None], dry_run: bool
) -> None:
    plan = a_plan(tmp_path, BEGINNING * 3, address_column="email", dry_run=dry_run)
    engine = replace(engines_of_home(home, tmp_path / "cache").fast(plan), block_octets_max=1 << 18)
    watched = WatchedChange(plan.path, change)
    with pytest.raises(InvalidList, match=r"list\.csv:1: list: changed while it was being read$"):
        asyncio.run(scrub(plan, home.decisions, home.sealer, lambda: NOW, watched, engine))
    assert [name for name in left_in(tmp_path) if name.startswith(".") or name == "out"] == []


def test_a_list_that_changes_between_two_runs_is_refused(tmp_path: Path) -> None:
    home = SmallHome()
    plan = a_plan(tmp_path, BEGINNING, address_column="email")
    looks = []

    async def change_list_and_ledger() -> None:
        looks.append(1)
        if len(looks) == 2:
            await home.recording.opt_out("kim@acme.example", EVERYTHING, "form")
            overwritten(plan.path)

    meddled = MeddledDecisions(home, before_heads=change_list_and_ledger)
    engine = replace(engines_of_home(home, tmp_path / "cache").fast(plan), decider=meddled)
    with pytest.raises(InvalidList, match="changed while it was being read"):
        asyncio.run(scrub(plan, meddled, home.sealer, lambda: NOW, engine=engine))


@pytest.mark.parametrize(
    ("first", "second", "encoding"),
    [
        (BEGINNING, BEGINNING + UTF8_ROW, "utf-8"),
        (BEGINNING + LATIN_ROW, BEGINNING + LATIN_ROW, "cp1252"),
        (b"id,email,note\n" + LATIN_ROW, BEGINNING + LATIN_ROW, "cp1252"),
    ],
)
def test_several_lists_are_alike_as_a_look_at_all_of_them_tells(
    tmp_path: Path, both: TwoEngines, first: bytes, second: bytes, encoding: str
) -> None:
    (tmp_path / "second.csv").write_bytes(second)
    plan = a_plan(tmp_path, first, address_column="email", further=(tmp_path / "second.csv",))
    _, fast = both.manifests(plan, tmp_path)
    assert (fast.document["run"]["engine"], fast.document["list"]["encoding"]) == ("fast", encoding)


def test_lists_that_turn_out_to_be_unlike_are_refused(tmp_path: Path, both: TwoEngines) -> None:
    (tmp_path / "second.csv").write_bytes(BEGINNING + LATIN_ROW)
    plan = a_plan(tmp_path, BEGINNING, address_column="email", further=(tmp_path / "second.csv",))
    for by_fast in (False, True):
        with pytest.raises(InvalidList, match="differs from"):
            asyncio.run(both.scrub(plan, by_fast=by_fast))


def test_a_list_that_is_gone_by_the_end_has_changed(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, BEGINNING, address_column="email")
    opened = open_text(file_content(plan.path), plan.sought("GB"), presume=True)
    plan.path.unlink()
    with pytest.raises(InvalidList, match="changed while it was being read"):
        opened.require_same("0" * 64)
