"""Outputs appear whole or not at all, whatever happens on the way."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from jobs.scrub.outputs import PartialDirectory, require_free
from prefcenter.domain.errors import InvalidList, PrefcenterError
from tests.jobs.lists.formats import MAKERS
from tests.jobs.scrub.small_home import LIST, SmallHome, a_plan, left_in

ROOT = Path(__file__).resolve().parents[3]
NOBODY = 65_534
LONG_LIST = b"email,note\n" + b"pat@acme.example," + b"x" * 10 + b"\n" + b"kim@acme.example,y\n" * 4_000


LONG_ROWS = [
    {"id": number, "email": f"person{number}@acme.example", "note": f"{number:0>8}"} for number in range(9_000)
]
FORMATS = {suffix: make(LONG_ROWS) for suffix, make in MAKERS.items()}


def command(directory: Path, act: str, name: str = "list.csv", content: bytes = LONG_LIST) -> list[str]:
    (directory / name).write_bytes(content)
    script = "tests.jobs.scrub.scrub_process"
    return [sys.executable, "-m", script, str(directory / name), str(directory / "out"), act]


def test_a_killed_scrub_shows_no_output_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    with subprocess.Popen(command(tmp_path, "stall"), cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "stalled\n"
        process.kill()
    (leftover,) = (name for name in left_in(tmp_path) if name != "list.csv")
    assert leftover.startswith(".out.partial-")
    SmallHome().scrub(a_plan(tmp_path, LONG_LIST))
    assert left_in(tmp_path) == ["list.csv", "out"]


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    ended = subprocess.run(command(tmp_path, "full"), cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (2, "")
    assert ended.stdout == f"--out: {tmp_path / 'out'}: File too large; nothing was written\n"
    assert left_in(tmp_path) == ["list.csv"]


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet", ".jsonl.gz"])
def test_a_full_disk_leaves_nothing_whatever_the_format(tmp_path: Path, suffix: str) -> None:
    name = f"list{suffix}"
    started = command(tmp_path, "full", name, FORMATS[suffix])
    ended = subprocess.run(started, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (2, "")
    assert ended.stdout == f"--out: {tmp_path / 'out'}: File too large; nothing was written\n"
    assert left_in(tmp_path) == [name]


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet"])
def test_a_killed_scrub_of_another_format_leaves_nothing_but_what_the_next_one_removes(
    tmp_path: Path, suffix: str
) -> None:
    """Rows are long, so that the list has a second batch in any format."""
    name = f"list{suffix}"
    content = MAKERS[suffix]([{**row, "note": f"{row['note']}" * 300} for row in LONG_ROWS])
    with subprocess.Popen(
        command(tmp_path, "stall", name, content), cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "stalled\n"
        process.kill()
    assert len(left_in(tmp_path)) == 2
    SmallHome().scrub(a_plan(tmp_path, content, name, purpose="candidate-contact"))
    assert left_in(tmp_path) == [name, "out"]


def test_a_suffix_that_is_no_utf_8_is_kept_on_disk_and_shown_with_a_mark(tmp_path: Path) -> None:
    manifest = SmallHome().scrub(a_plan(tmp_path, name=os.fsdecode(b"list.c\xffv")))
    assert os.fsdecode(b"kept.c\xffv") in left_in(tmp_path / "out")
    assert "kept.c?v" in manifest.document["outputs"]


def test_a_directory_that_another_run_took_for_a_leftover_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "mkdtemp", lambda **_: str(tmp_path / "gone"))
    with pytest.raises(PrefcenterError, match="nothing was written"), PartialDirectory(tmp_path / "out"):
        pytest.fail("the directory was never there")


@contextmanager
def somebody_without_rights() -> Iterator[None]:
    """For as long as it lasts, this process is bound by permissions even where the tests run as root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_directory_that_may_not_be_written_to_is_an_error(tmp_path: Path) -> None:
    home = SmallHome()
    home.scrub(a_plan(tmp_path))
    with TemporaryDirectory() as name:
        directory = Path(name)
        plan = a_plan(directory)
        directory.chmod(0o555)
        with somebody_without_rights(), pytest.raises(PrefcenterError) as error:
            home.scrub(plan)
        assert str(error.value) == f"--out: {plan.out}: Permission denied; nothing was written"
        assert left_in(directory) == ["list.csv"]
        directory.chmod(0o755)


def test_a_directory_with_something_in_it_is_refused_before_any_work(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, b"this would be no list")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InvalidList, match=r"^--out: .*out: is not empty$"):
        SmallHome().scrub(plan)
    assert left_in(tmp_path / "out") == ["mine.txt"]


def test_an_empty_directory_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    SmallHome().scrub(a_plan(tmp_path))
    assert "kept.csv" in left_in(tmp_path / "out")


def test_a_link_to_an_empty_directory_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    SmallHome().scrub(a_plan(tmp_path))
    assert (tmp_path / "out").is_symlink()
    assert "kept.csv" in left_in(tmp_path / "real")


def test_a_relative_directory_is_one_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = SmallHome()
    monkeypatch.chdir(tmp_path)
    home.scrub(a_plan(Path(), out=Path("out")))
    assert left_in(tmp_path) == ["list.csv", "out"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("file", "is not a directory"),
        ("dangling", "is not a directory"),
        ("a/b", "the directory to put it in does not"),
    ],
)
def test_any_other_place_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").write_bytes(LIST)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "at all")
    with pytest.raises(InvalidList, match=message):
        require_free(tmp_path / name)


def test_a_place_with_an_impossible_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidList, match="File name too long"):
        require_free(tmp_path / ("x" * 300))


def test_only_the_owner_may_read_the_outputs(tmp_path: Path) -> None:
    SmallHome().scrub(a_plan(tmp_path))
    out = tmp_path / "out"
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}


def publish_into_a_filled_place(out: Path) -> None:
    with PartialDirectory(out) as partial:
        out.mkdir()
        (out / "mine.txt").write_text("mine", encoding="utf-8")
        partial.publish()


def test_a_directory_that_fills_up_meanwhile_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(PrefcenterError, match="not empty; nothing was written"):
        publish_into_a_filled_place(tmp_path / "out")
    assert left_in(tmp_path) == ["out"]
    assert left_in(tmp_path / "out") == ["mine.txt"]


def renew_the_manifest_of_outputs_that_are_gone(out: Path) -> None:
    with PartialDirectory(out) as partial:
        partial.publish()
        out.rename(out.parent / "taken")
        partial.write_whole("manifest.json", "{}")


def test_outputs_that_are_taken_away_at_once_are_not_called_unwritten(tmp_path: Path) -> None:
    with pytest.raises(PrefcenterError, match="the outputs stand"):
        renew_the_manifest_of_outputs_that_are_gone(tmp_path / "out")


def test_leftovers_of_dead_runs_go_and_those_of_live_runs_and_others_stay(tmp_path: Path) -> None:
    for name in (".out.partial-dead", ".out.partial-live", ".other.partial-dead"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kept.csv").write_bytes(LIST)
    (tmp_path / ".out.partial-file").write_bytes(b"")
    live = os.open(tmp_path / ".out.partial-live", os.O_RDONLY)
    try:
        fcntl.flock(live, fcntl.LOCK_EX)
        SmallHome().scrub(a_plan(tmp_path))
    finally:
        os.close(live)
    expected = [".other.partial-dead", ".out.partial-file", ".out.partial-live", "list.csv", "out"]
    assert left_in(tmp_path) == expected


def publish_second(out: Path, first: PartialDirectory) -> None:
    with PartialDirectory(out) as second:
        second.create("kept.csv").write(b"second")
        first.publish()
        second.publish()


def test_two_runs_to_one_place_do_not_mix(tmp_path: Path) -> None:
    with PartialDirectory(tmp_path / "out") as first:
        first.create("kept.csv").write(b"first")
        with pytest.raises(PrefcenterError, match="not empty; nothing was written"):
            publish_second(tmp_path / "out", first)
    assert left_in(tmp_path) == ["out"]
    assert (tmp_path / "out" / "kept.csv").read_bytes() == b"first"
