"""`prefcenter keys`: a keyring that is looked after, and never lost from view (DESIGN §3)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine

OPT_OUT = "opt-out pat@acme.example --controller opencontact"
QUESTION = "check pat@acme.example --controller opencontact --purpose client-marketing --channel email"


def test_check_says_what_each_key_carries(prefcenter: CommandLine) -> None:
    prefcenter.done(OPT_OUT)
    (line,) = prefcenter.done("keys check").splitlines()
    assert line.startswith("key 1  active  made 2")
    assert line.endswith("carries 1 record")


def test_after_a_rotation_old_refusals_bind_and_new_ones_carry_the_new_key(prefcenter: CommandLine) -> None:
    prefcenter.done(OPT_OUT)
    assert prefcenter.done("keys rotate") == "key 2 writes from now on; back up the keyring again\n"
    assert prefcenter.line(QUESTION).out.startswith("refused  opted_out")
    prefcenter.done("opt-out sam@acme.example --controller opencontact")
    carried = [line.split("  ", 1) for line in sorted(prefcenter.done("keys check").splitlines())]
    assert [(key, rest.split()[0], rest.split()[-2]) for key, rest in carried] == [
        ("key 1", "live", "1"),
        ("key 2", "active", "1"),
    ]
    assert prefcenter.line("audit verify").code == 0


def test_a_key_that_a_record_carries_is_not_retired(prefcenter: CommandLine) -> None:
    prefcenter.done(OPT_OUT)
    prefcenter.done("keys rotate")
    ran = prefcenter.line("keys retire 1")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "key 1: 1 records still carry it; without it they would be lost\n"
    assert prefcenter.line(QUESTION).out.startswith("refused  opted_out")


def test_a_key_that_no_record_carries_is_retired(prefcenter: CommandLine) -> None:
    prefcenter.done("keys rotate")
    assert prefcenter.done("keys retire 1").startswith("key 1 is retired")
    assert any(line.startswith("key 1  retired") for line in prefcenter.done("keys check").splitlines())
    assert prefcenter.line("audit verify").code == 0


@pytest.mark.parametrize("key", ["1", "9", "0", "256", "one"])
def test_the_active_key_and_keys_that_are_not_there_are_not_retired(prefcenter: CommandLine, key: str) -> None:
    ran = prefcenter.line(f"keys retire {key}")
    assert (ran.code, ran.out) == (2, "")


def test_a_backup_is_the_keyring_and_readable_by_its_owner_only(prefcenter: CommandLine, workplace: Path) -> None:
    assert prefcenter.done("keys backup backup.json").startswith("backup.json: keep it apart from the store")
    backup = workplace / "backup.json"
    assert backup.stat().st_mode & 0o777 == 0o600
    prefcenter.done(OPT_OUT)
    backup.replace(prefcenter.home / "keyring.json")
    assert prefcenter.line(QUESTION).out.startswith("refused  opted_out")


def test_a_backup_overwrites_nothing(prefcenter: CommandLine, workplace: Path) -> None:
    (workplace / "backup.json").write_text("mine", encoding="utf-8")
    ran = prefcenter.line("keys backup backup.json")
    assert (ran.code, ran.err) == (2, "backup.json: a file stands there already; nothing was written\n")
    assert (workplace / "backup.json").read_text(encoding="utf-8") == "mine"


def test_a_backup_to_nowhere_is_an_error(prefcenter: CommandLine, workplace: Path) -> None:
    del workplace
    ran = prefcenter.line("keys backup nowhere/backup.json")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith("No such file or directory\n")


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"format": 99, "keys": []}'])
def test_a_damaged_keyring_is_an_error(prefcenter: CommandLine, content: str) -> None:
    (prefcenter.home / "keyring.json").write_text(content, encoding="utf-8")
    ran = prefcenter.line("keys check")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("keyring.json: ")
