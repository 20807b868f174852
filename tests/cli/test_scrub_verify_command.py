"""`prefcenter scrub-verify` as a command: what a send script sees of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.scrub.fast.choice import FEWEST_OCTETS
from tests.cli.command_line import CommandLine

SCRUB = (
    "scrub list.csv --controller opencontact --purpose client-marketing --channel email --class-column kind --out out"
)
GOOD = "good: whole, unchanged, and nobody in kept has refused since\n"


@pytest.fixture
def outputs(prefcenter: CommandLine, workplace: Path) -> Path:
    (workplace / "list.csv").write_text("email,kind\npat@acme.example,work\nkim@acme.example,work\n", encoding="utf-8")
    prefcenter.done(SCRUB)
    return workplace / "out"


def test_a_send_script_is_told_yes_by_exit_code_0(prefcenter: CommandLine, outputs: Path) -> None:
    ran = prefcenter.line("scrub-verify out")
    assert (ran.code, ran.out, ran.err) == (0, GOOD, "")
    assert outputs.is_dir()


def test_a_send_script_is_told_no_by_exit_code_1(prefcenter: CommandLine, outputs: Path) -> None:
    prefcenter.done("opt-out pat@acme.example --controller opencontact")
    (outputs / "report.html").unlink()
    ran = prefcenter.line("scrub-verify out --json")
    assert ran.code == 1
    assert json.loads(ran.out) == {
        "good": False,
        "findings": [{"code": "missing", "message": "report.html is missing"}],
    }
    (outputs / "report.html").touch()
    ran = prefcenter.line("scrub-verify out")
    assert (ran.code, ran.out) == (1, "refused_since: 1 address in kept is refused by now\n")
    assert "pat" not in ran.both


def test_a_forged_manifest_is_a_no(prefcenter: CommandLine, outputs: Path) -> None:
    path = outputs / "manifest.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"kept": 2', '"kept": 3'), encoding="utf-8")
    ran = prefcenter.line("scrub-verify out")
    assert (ran.code, ran.out) == (1, "forged: manifest.json was changed, or made with another keyring\n")


@pytest.mark.parametrize("name", [".", "none"])
def test_a_check_that_cannot_be_made_is_a_fault(prefcenter: CommandLine, outputs: Path, name: str) -> None:
    ran = prefcenter.line(f"scrub-verify {name}")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith("manifest.json: No such file or directory\n")
    assert outputs.is_dir()


def test_several_columns_are_asked_for_on_the_command_line(prefcenter: CommandLine, workplace: Path) -> None:
    (workplace / "two.csv").write_text("work,home\npat@acme.example,jo@acme.example\n", encoding="utf-8")
    asked = "scrub two.csv --controller opencontact --purpose client-marketing --out out --json"
    printed = prefcenter.done(f"{asked} --address email:business=work --address email=home")
    assert json.loads(printed)["addresses"] == [
        {"channel": "email", "column": 1, "class": "business"},
        {"channel": "email", "column": 2, "class": "personal"},
    ]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("", "Missing option '--channel' (or '--address')."),
        ("--address email", "expected CHANNEL=COLUMN"),
        ("--address fax=work", "expected one of email, sms, voice, post, push"),
        ("--address email:mine=work", "and business or personal if there is a colon"),
        ("--address email=work --channel email", "--address goes with neither --channel nor --address-column."),
    ],
)
def test_columns_that_are_asked_for_wrongly_are_an_error(
    prefcenter: CommandLine, workplace: Path, options: str, error: str
) -> None:
    (workplace / "two.csv").write_text("work,home\npat@acme.example,jo@acme.example\n", encoding="utf-8")
    ran = prefcenter.line(f"scrub two.csv --controller opencontact --purpose client-marketing --out out {options}")
    assert ran.code == 2
    assert error in ran.err


def test_a_list_from_standard_input_is_scrubbed(prefcenter: CommandLine, workplace: Path) -> None:
    asked = ["scrub", "-", "--controller", "opencontact", "--purpose", "candidate-contact", "--channel", "email"]
    ran = prefcenter(*asked, "--out", "out", stdin="email\npat@acme.example\n")
    assert (ran.code, ran.err) == (0, "")
    assert (workplace / "out" / "kept.csv").read_text(encoding="utf-8") == "email\npat@acme.example\n"


def test_a_long_list_from_standard_input_is_taken_by_the_fast_engine(prefcenter: CommandLine, workplace: Path) -> None:
    asked = ["scrub", "-", "--controller", "opencontact", "--purpose", "candidate-contact", "--channel", "email"]
    content = "email\n" + "pat@acme.example\n" * (1 + FEWEST_OCTETS // len("pat@acme.example\n"))
    ran = prefcenter(*asked, "--out", "out", "--json", stdin=content)
    assert (ran.code, json.loads(ran.out)["run"]["engine"]) == (0, "fast")
    assert (workplace / "out" / "kept.csv").read_text(encoding="utf-8") == content
