"""`prefcenter scrub` as a command; what it does with each kind of row is shown beside the job itself."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine

MARKETING = "--controller opencontact --purpose client-marketing --channel email"
ROWS = (
    "email;class;note\r\n"
    "pat@gmail.com;business;free mail\r\n"
    "sam@acme.example;business;fine\r\n"
    "kim@acme.example;home;at home\r\n"
    "not an address;business;\r\n"
    ";business;empty\r\n"
    "ragged@acme.example;business\r\n"
)


@pytest.fixture
def listed(workplace: Path) -> Path:
    (workplace / "list.csv").write_bytes(ROWS.encode("cp1252"))
    return workplace


def test_a_scrub_sorts_rows_and_tells_the_counts(prefcenter: CommandLine, listed: Path) -> None:
    ran = prefcenter.line(f"scrub list.csv {MARKETING} --class-column class --out out")
    assert (ran.code, ran.err) == (0, "")
    counted = [line.split() for line in ran.out.splitlines()]
    assert counted[:-1] == [
        ["read", "6"],
        ["kept", "1"],
        ["suppressed", "2"],
        ["no_consent", "2"],
        ["rejected", "3"],
        ["empty_address", "1"],
        ["invalid_address", "1"],
        ["ragged_row", "1"],
    ]
    assert ran.out.splitlines()[-1].startswith("valid until ")
    assert (listed / "out" / "kept.csv").read_bytes() == b"email;class;note\r\nsam@acme.example;business;fine\r\n"
    suppressed = (listed / "out" / "suppressed.csv").read_bytes().splitlines()
    assert suppressed[0] == b"email;class;note;prefcenter_reason;prefcenter_clause"
    assert suppressed[1] == b"pat@gmail.com;business;free mail;no_consent;OC-3"
    assert sorted(path.name for path in (listed / "out").iterdir()) == [
        "kept.csv",
        "manifest.json",
        "rejected.csv",
        "report.html",
        "suppressed.csv",
    ]


def test_json_prints_the_manifest_that_was_written(prefcenter: CommandLine, listed: Path) -> None:
    printed = prefcenter.done(f"scrub list.csv {MARKETING} --out out --json")
    assert json.loads(printed) == json.loads((listed / "out" / "manifest.json").read_bytes())


def test_a_dry_run_counts_and_writes_nothing(prefcenter: CommandLine, listed: Path) -> None:
    printed = prefcenter.done(f"scrub list.csv {MARKETING} --class-column 2 --dry-run --json")
    assert json.loads(printed)["counts"] == {"read": 6, "kept": 1, "suppressed": 2, "rejected": 3}
    assert [path.name for path in listed.iterdir()] == ["list.csv"]


def test_a_list_may_be_decided_as_of_another_time(prefcenter: CommandLine, listed: Path) -> None:
    del listed
    printed = prefcenter.done(f"scrub list.csv {MARKETING} --dry-run --json --at 2031-01-02")
    assert json.loads(printed)["at"] == "2031-01-02T00:00:00.000Z"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("none.csv MARKETING --out out", "none.csv: No such file or directory\n"),
        (". MARKETING --out out", ".: is a directory; name the files in it"),
        ("list.csv MARKETING", "--out: name a directory for the outputs, or ask for a --dry-run\n"),
        ("list.csv MARKETING --out .", "--out: .: is not empty\n"),
        ("list.csv MARKETING --out list.csv", "--out: list.csv: is not a directory\n"),
        ("list.csv MARKETING --out no/where", "--out: no/where: the directory to put it in does not exist\n"),
        ("list.csv MARKETING --out out --address-column phone", "list.csv:1: header: --address-column names none of"),
        ("list.csv MARKETING --out out --class-column 9", "list.csv:1: header: --class-column names none of"),
        ("list.csv MARKETING --out out --audience alumni", "--audience: client-marketing does not cover 'alumni'"),
        ("list.csv --controller opencontact --purpose x --channel email --out out", "--purpose: opencontact has no "),
        (
            "list.csv --controller opencontact --purpose client-marketing --channel push --out out",
            "--channel: client-marketing is not offered by push",
        ),
        ("list.csv --controller acme --purpose x --channel email --out out", "controller: not one of this home's"),
        ("list.csv --controller opencontact --channel email --out out", "Missing option '--purpose'"),
        ("quote.csv MARKETING --out out", "quote.csv:3: column 1: the quote that opens this cell is never closed\n"),
        ("empty.csv MARKETING --out out", "empty.csv:1: list: the list is empty\n"),
        ("two.csv MARKETING --out out", 'two.csv:1: header: column 1 ("email") and column 2 ("Email 2") could each'),
    ],
)
def test_a_scrub_that_cannot_be_done_names_what_is_wrong_and_writes_nothing(
    prefcenter: CommandLine, listed: Path, line: str, error: str
) -> None:
    (listed / "quote.csv").write_text('email\nsam@acme.example\n"kim@acme.example\n', encoding="utf-8")
    (listed / "two.csv").write_text("email,Email 2\nsam@acme.example,kim@acme.example\n", encoding="utf-8")
    (listed / "empty.csv").touch()
    before = sorted(listed.iterdir())
    ran = prefcenter.line("scrub " + line.replace("MARKETING", MARKETING))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(error)
    assert sorted(listed.iterdir()) == before


def test_a_second_scrub_to_the_same_place_is_refused(prefcenter: CommandLine, listed: Path) -> None:
    prefcenter.done(f"scrub list.csv {MARKETING} --out out")
    before = {path: path.read_bytes() for path in (listed / "out").iterdir()}
    ran = prefcenter.line(f"scrub list.csv {MARKETING} --out out")
    assert (ran.code, ran.out, ran.err) == (2, "", "--out: out: is not empty\n")
    assert {path: path.read_bytes() for path in (listed / "out").iterdir()} == before


def test_links_need_the_url_that_they_begin_with(prefcenter: CommandLine, listed: Path) -> None:
    line = shlex.split(f"scrub list.csv {MARKETING} --class-column class --out out --links")
    ran = prefcenter(*line)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "PREFCENTER_BASE_URL: is needed for --links, which begin with it\n"
    assert [path.name for path in listed.iterdir()] == ["list.csv"]
    ran = prefcenter(*line, environ={"PREFCENTER_BASE_URL": "https://preferences.example"})
    assert (ran.code, ran.err) == (0, "")
    header, sam = (listed / "out" / "kept.csv").read_text(encoding="utf-8").splitlines()
    assert header == "email;class;note;prefcenter_unsubscribe_url;prefcenter_manage_url"
    assert re.fullmatch(
        r"sam@acme\.example;business;fine"
        r";https://preferences\.example/u/[\w-]{1,119};https://preferences\.example/p/[\w-]{1,119}",
        sam,
    )
    assert prefcenter.done("scrub-verify out").startswith("good: ")


BASE_URL = {"PREFCENTER_BASE_URL": "https://preferences.example"}


def test_links_of_a_campaign_are_the_same_by_both_engines(prefcenter: CommandLine, listed: Path) -> None:
    line = f"scrub list.csv {MARKETING} --class-column class --links --at 2026-11-23T12:00:00Z"
    for more in ("fast --campaign spring", "reference --campaign spring", "fast --campaign autumn"):
        ran = prefcenter(*shlex.split(f"{line} --engine {more} --out {more.replace(' ', '')}"), environ=BASE_URL)
        assert (ran.code, ran.err) == (0, "")
    outs = ("fast--campaignspring", "reference--campaignspring", "fast--campaignautumn")
    fast, reference, other = ((listed / out / "kept.csv").read_bytes() for out in outs)
    assert fast == reference != other
    assert json.loads((listed / outs[0] / "manifest.json").read_bytes())["campaign"] == "spring"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("--campaign spring", "--campaign: is what links are of; it goes with --links\n"),
        ("--links --campaign 'two words'", "campaign: expected 1 to 100 printable ASCII characters without spaces\n"),
    ],
)
def test_a_campaign_that_no_link_could_name_is_refused(
    prefcenter: CommandLine, listed: Path, options: str, error: str
) -> None:
    ran = prefcenter(*shlex.split(f"scrub list.csv {MARKETING} {options} --out out"), environ=BASE_URL)
    assert (ran.code, ran.out, ran.err) == (2, "", error)
    assert [path.name for path in listed.iterdir()] == ["list.csv"]


def test_the_plan_is_explained_without_a_list_once_for_each_channel(prefcenter: CommandLine, listed: Path) -> None:
    before = sorted(listed.iterdir())
    asked = "scrub --controller opencontact --purpose client-marketing"
    ran = prefcenter.line(f"{asked} --address email=work --address email=home --address sms=mobile --explain")
    assert (ran.code, ran.err) == (0, "")
    heads = [line.rpartition(": ")[2] for line in ran.out.splitlines() if line.startswith("opencontact, policy ")]
    assert heads == ["client-marketing by email", "client-marketing by sms"]
    assert sorted(listed.iterdir()) == before
    ran = prefcenter.line(f"{asked} --channel email --out out")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Missing argument 'LIST'.")
