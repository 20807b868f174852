"""Output fits a plain terminal, whatever its width and encoding, and homes may have any name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from prefcenter.cli.counts import counted
from prefcenter.cli.program import program
from tests.cli.command_line import POLICIES, CommandLine
from tests.cli.test_help import COMMANDS, help_of

COLUMNS = 80
PROGRAM = [sys.executable, "-c", "from prefcenter.cli import main; main()"]
ASKED = "check pat@acme.example --controller opencontact --purpose client-marketing --channel email".split()


def run_with(encoding: str, *arguments: str, place: Path) -> subprocess.CompletedProcess[bytes]:
    """The program as a process whose streams have an encoding of a terminal."""
    environ = {**os.environ, "PYTHONIOENCODING": encoding, "TMPDIR": str(place)}
    return subprocess.run([*PROGRAM, *arguments], env=environ, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_help_fits_a_terminal_of_eighty_columns(
    prefcenter: CommandLine, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    assert [line for line in help_of(prefcenter, names).splitlines() if len(line) > COLUMNS] == []


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_no_line_of_a_list_of_commands_is_cut_off(
    prefcenter: CommandLine, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    assert "..." not in help_of(prefcenter, names).replace("[ARGS]...", "")


def test_help_is_ascii_so_that_every_terminal_can_show_it(prefcenter: CommandLine) -> None:
    assert [names for names in COMMANDS if not help_of(prefcenter, names).isascii()] == []


def test_the_help_that_is_shown_without_a_command_keeps_its_examples(prefcenter: CommandLine) -> None:
    ran = prefcenter()
    assert (ran.code, ran.out) == (2, "")
    assert "prefcenter check pat@acme.example" in ran.err
    assert "--help'" not in ran.err


@pytest.mark.parametrize("group", ["audit", "keys", "policy"])
def test_a_group_without_a_command_shows_its_help(prefcenter: CommandLine, group: str) -> None:
    ran = prefcenter(group)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"Usage: prefcenter {group}")


@pytest.mark.parametrize("encoding", ["cp437", "latin-1", "ascii"])
def test_the_demo_runs_on_a_terminal_without_unicode_and_its_tables_fit(tmp_path: Path, encoding: str) -> None:
    ran = run_with(encoding, "demo", place=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, b"")
    tables = ran.stdout.decode("ascii").partition("Why, for some of them")[0].splitlines()
    assert len(tables) > 20
    assert [line for line in tables if len(line) > COLUMNS] == []


def test_a_home_that_the_terminal_cannot_spell_is_made_and_named_in_escapes(tmp_path: Path) -> None:
    ran = run_with("latin-1", "--home", str(tmp_path / "z\u0142oty"), "init", place=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"z\\u0142oty" in ran.stdout


@pytest.mark.parametrize("name", ["a b", "z\u0142oty", "q?mode=ro", "h#x", "p%41x", "a&b", "quo\"te's", "-dash", "a;b"])
def test_a_home_may_have_any_name(tmp_path: Path, name: str) -> None:
    prefcenter = CommandLine(tmp_path / name)
    assert prefcenter("init", "--policies", str(POLICIES)).code == 0
    prefcenter.done("opt-out pat@acme.example --controller opencontact")
    assert prefcenter(*ASKED).out.startswith("refused  opted_out")
    made = {path.name for path in prefcenter.home.iterdir()}
    assert made == {"checkpoint.json", "keyring.json", "policies", "store.sqlite3"}
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_home_of_a_user_who_does_not_exist_is_a_clear_error(prefcenter: CommandLine) -> None:
    ran = prefcenter(*ASKED, environ={"PREFCENTER_HOME": "~nobody-of-that-name/home"})
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "home: the user's directory cannot be told; name it with --home or PREFCENTER_HOME\n"


def test_a_home_whose_path_is_no_text_is_a_clear_error(prefcenter: CommandLine) -> None:
    ran = prefcenter("--home", os.fsdecode(b"no\xfftext"), *ASKED)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("home: its path is not text in this system's encoding")


def test_policies_with_windows_line_ends_and_a_byte_order_mark_are_the_same_policies(
    prefcenter: CommandLine, workplace: Path
) -> None:
    for path in POLICIES.glob("*.toml"):
        content = path.read_bytes().replace(b"\n", b"\r\n")
        (workplace / path.name).write_bytes(b"\xef\xbb\xbf" + content)
    assert prefcenter.done("policy check .") == prefcenter("policy", "check", str(POLICIES)).out


def test_init_without_policies_says_what_to_do_with_the_one_it_made(tmp_path: Path) -> None:
    made = CommandLine(tmp_path / "home")("init")
    assert [line.split()[0] for line in made.out.splitlines()] == ["home", "for", "next", "next"]
    assert "make the policy yours" in made.out


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 events"), (1, "1 event"), (2, "2 events"), (12_345, "12,345 events")]
)
def test_counts_are_written_as_people_write_them(number: int, said: str) -> None:
    assert counted(number, "event") == said


def test_one_event_is_not_called_events(prefcenter: CommandLine) -> None:
    prefcenter.done("opt-out pat@acme.example --controller opencontact")
    assert prefcenter.done("audit verify --controller opencontact") == "opencontact  1 event, 1 record: whole\n"
    assert prefcenter.done("keys check").endswith("carries 1 record\n")


def test_the_help_of_a_reason_lists_the_reasons_that_may_be_given() -> None:
    assert isinstance(program, click.Group)
    for name, without in (("import", "erased"), ("lift", "opted_out")):
        command = program.get_command(click.Context(program), name)
        assert command is not None
        reason = next(option for option in command.params if option.name == "reason")
        words = re.findall(r"[a-z_]+", getattr(reason, "help", ""))
        assert "manual" in words
        assert without not in words
