"""`prefcenter check`: the question, its answer in words and as JSON, and what it costs to ask."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from tests.cli.command_line import ROOT, CommandLine

MARKETING = "--controller opencontact --purpose client-marketing --channel email"
HEAVY = (
    "aiohttp",
    "charset_normalizer",
    "email_validator",
    "graphql",
    "jinja2",
    "jobs",
    "numba",
    "phonenumbers",
    "pyarrow",
    "publicsuffixlist",
    "pydantic",
    "rich",
)
"""What takes long to import and has no part in answering about an email address."""


def test_a_permission_says_why_by_which_clause_and_until_when(prefcenter: CommandLine) -> None:
    ran = prefcenter.line(f"check pat@acme.example {MARKETING} --address-class business")
    verdict, why, validity = ran.out.splitlines()
    assert (ran.code, ran.err) == (0, "")
    assert verdict == "permitted  legitimate_interests  (clause OC-1)"
    assert why == "It may be sent on legitimate interests, and nobody has asked for it to stop."
    assert validity.startswith("policy ")
    assert ", valid until 2" in validity


def test_a_refusal_says_why_and_exits_with_one(prefcenter: CommandLine) -> None:
    ran = prefcenter.line(f"check pat@gmail.com {MARKETING}")
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.startswith("refused  no_consent  (clause OC-3)\nIt may not be sent: it needs the consent")


def test_json_is_one_object_of_eight_fields(prefcenter: CommandLine) -> None:
    ran = prefcenter.line(f"check pat@acme.example {MARKETING} --address-class business --json")
    found = json.loads(ran.out)
    assert list(found) == [
        "allowed",
        "reason",
        "basis",
        "clause",
        "explanation",
        "policyVersion",
        "decidedAt",
        "validUntil",
    ]
    decided, valid_until = (datetime.fromisoformat(found[name]) for name in ("decidedAt", "validUntil"))
    assert valid_until - decided == timedelta(hours=24)
    assert (ran.code, found["allowed"], ran.out.count("\n")) == (0, True, 1)


def test_json_of_a_refusal_has_no_basis(prefcenter: CommandLine) -> None:
    ran = prefcenter.line(f"check pat@gmail.com {MARKETING} --json")
    found = json.loads(ran.out)
    assert (ran.code, found["allowed"], found["reason"], found["basis"]) == (1, False, "no_consent", None)


def test_a_stated_time_is_the_time_of_the_answer(prefcenter: CommandLine) -> None:
    ran = prefcenter.line(f"check pat@gmail.com {MARKETING} --at 2031-05-04T12:00:00+02:00 --json")
    assert json.loads(ran.out)["decidedAt"] == "2031-05-04T10:00:00.000Z"


@pytest.mark.parametrize("at", ["9999-12-31", "9999-01-01T00:00:00Z"])
def test_a_time_whose_answer_could_not_be_written_is_an_error(prefcenter: CommandLine, at: str) -> None:
    ran = prefcenter.line(f"check pat@gmail.com {MARKETING} --at {at}")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Invalid value for '--at': the latest time is the end of 9998\n")


def test_the_last_time_that_can_be_written_has_an_answer(prefcenter: CommandLine) -> None:
    assert prefcenter.line(f"check pat@gmail.com {MARKETING} --at 9998-12-31").code == 1


@pytest.mark.parametrize(
    "typed", ["pat@acme.example\n", "pat@acme.example\r\n", "pat@acme.example", " pat@acme.example "]
)
def test_a_dash_reads_the_address_from_standard_input(prefcenter: CommandLine, typed: str) -> None:
    ran = prefcenter.line(f"check - {MARKETING} --address-class business", stdin=typed)
    assert ran.code == 0, ran.both


def test_nothing_on_standard_input_is_no_address(prefcenter: CommandLine) -> None:
    ran = prefcenter.line(f"check - {MARKETING} --json")
    assert (ran.code, json.loads(ran.out)["reason"]) == (1, "invalid_address")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (b"x" * 5000, "Invalid value for 'ADDRESS': more than 4096 characters on standard input\n"),
        (b"pat\xff@acme.example", "Invalid value for 'ADDRESS': standard input is not text in this terminal's"),
    ],
)
def test_standard_input_that_holds_no_address_is_an_error(prefcenter: CommandLine, typed: bytes, expected: str) -> None:
    ran = prefcenter.line(f"check - {MARKETING}", stdin=typed)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(expected)


@pytest.mark.parametrize(
    ("address", "channel"),
    [
        ("020 7946 0000", "voice"),
        ("+44 7700 900123", "sms"),
        ("Pat Example, 10 High Street, Leeds, LS1 4AP", "post"),
    ],
)
def test_every_channel_has_its_addresses(prefcenter: CommandLine, address: str, channel: str) -> None:
    asked = ("--controller", "opencontact", "--purpose", "client-marketing", "--channel", channel)
    assert prefcenter("check", address, *asked, "--address-class", "business").code == 0
    assert prefcenter("check", address, *asked).code == 1


def test_a_push_token_is_an_address(prefcenter: CommandLine) -> None:
    asked = "check push:a1B2c3 --controller one-contact-center --purpose industry-topics --channel push"
    assert prefcenter.line(asked).out.startswith("refused  no_consent  (clause OCC-4)")


@pytest.mark.parametrize(
    ("data_use", "verdict"),
    [
        ("profiling", "permitted  legitimate_interests  (clause OCC-6)"),
        ("email-tracking", "refused  no_consent  (clause OCC-3)"),
        ("unheard-of", "refused  unknown_purpose"),
    ],
)
def test_a_data_use_is_asked_for_by_its_id(prefcenter: CommandLine, data_use: str, verdict: str) -> None:
    ran = prefcenter.line(f"check pat@acme.example --controller one-contact-center --data-use {data_use}")
    assert ran.out.splitlines()[0] == verdict


def test_a_prohibited_data_use_is_refused(prefcenter: CommandLine) -> None:
    ran = prefcenter.line("check pat@acme.example --controller contact-center-1 --data-use sale")
    assert ran.out.startswith("refused  prohibited  (clause CC1-11)")


def test_an_audience_that_the_purpose_does_not_cover_is_refused(prefcenter: CommandLine) -> None:
    asked = f"check pat@acme.example {MARKETING} --address-class business --audience"
    assert prefcenter.line(f"{asked} client").code == 0
    assert prefcenter.line(f"{asked} alumni").out.startswith("refused  audience_not_covered\n")


@pytest.mark.parametrize(
    "options",
    [
        "--controller opencontact",
        "--controller opencontact --purpose client-marketing",
        "--controller opencontact --channel email",
        "--purpose client-marketing --channel email",
        "--controller opencontact --purpose client-marketing --channel email --data-use profiling",
        "--controller opencontact --purpose client-marketing --channel fax",
        "--controller opencontact --purpose client-marketing --channel email --address-class home",
        "--controller opencontact --purpose client-marketing --channel email --at yesterday",
        "--controller opencontact --purpose client-marketing --channel email --at 2026-11-21T09:30:00",
        "--controller acme --purpose client-marketing --channel email",
    ],
)
def test_a_question_that_is_not_whole_is_an_error(prefcenter: CommandLine, options: str) -> None:
    ran = prefcenter.line(f"check pat@acme.example {options}")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err


def test_a_store_that_gives_no_answer_refuses_and_exits_with_two(prefcenter: CommandLine) -> None:
    (prefcenter.home / "store.sqlite3").unlink()
    ran = prefcenter.line(f"check pat@acme.example {MARKETING} --address-class business --json")
    decision, error = json.loads(ran.out), json.loads(ran.err)["error"]
    assert (ran.code, decision["allowed"], decision["reason"]) == (2, False, "check_failed")
    assert decision["validUntil"] == decision["decidedAt"]
    assert error["code"] == "store"


def test_what_a_store_without_an_answer_says_is_read_by_people_too(prefcenter: CommandLine) -> None:
    (prefcenter.home / "store.sqlite3").write_bytes(b"no database at all, but long enough to be read as one" * 20)
    ran = prefcenter.line(f"check pat@acme.example {MARKETING} --address-class business")
    assert ran.code == 2
    assert ran.out.startswith("refused  check_failed\nIt may not be sent: the check failed")
    assert ran.err == "the store's file is not an SQLite database (SQLITE_NOTADB)\n"


def test_asking_about_an_email_address_imports_nothing_heavy(prefcenter: CommandLine) -> None:
    asked = f"check pat@news.acme.example {MARKETING} --address-class business".split()
    probe = (
        "import sys\n"
        "from prefcenter.cli import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit as exit_:\n"
        "    print(exit_.code, *sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    environ = {**os.environ, "PREFCENTER_HOME": str(prefcenter.home)}
    shown = subprocess.run(
        [sys.executable, "-c", probe, *asked], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )
    code, *imported = shown.stdout.splitlines()[-1].split()
    assert code == "0"
    assert "msgspec" in imported
    assert sorted(set(HEAVY) & set(imported)) == []
