"""What the foundation was accepted on: a home of the five controllers, no contacts on file."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command_line import CommandLine

BARE_OPT_OUT = "opt-out P.A.T+news@googlemail.com --controller opencontact"
CONSENT = "consent pat@gmail.com --controller opencontact --purpose client-marketing --channel email"
EVIDENCE = "--wording newsletter@1 --method form"


def answer(prefcenter: CommandLine, address: str, cell: str, options: str = "") -> dict[str, Any]:
    """The answer to `CONTROLLER PURPOSE CHANNEL`; its exit code has to agree with it."""
    controller, purpose, channel = cell.split()
    where = f"--controller {controller} --purpose {purpose} --channel {channel}"
    ran = prefcenter.line(f"check {address} {where} {options} --json")
    found: dict[str, Any] = json.loads(ran.out)
    assert ran.code == (0 if found["allowed"] else 1)
    assert (found["basis"] is None) == (not found["allowed"])
    return found


def reason(prefcenter: CommandLine, address: str, cell: str, options: str = "") -> str:
    return str(answer(prefcenter, address, cell, options)["reason"])


def in_hours(hours: int) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")


MARKETING = "opencontact client-marketing email"
CANDIDATES = "opencontact candidate-contact email"
SERVICE = "opencontact contract-service email"


def test_a_free_mail_address_is_personal_whatever_is_said_and_needs_consent(prefcenter: CommandLine) -> None:
    found = answer(prefcenter, "pat@gmail.com", MARKETING, "--address-class business")
    assert (found["reason"], found["clause"]) == ("no_consent", "OC-3")


def test_a_business_address_is_written_to_on_legitimate_interests(prefcenter: CommandLine) -> None:
    found = answer(prefcenter, "pat@acme.example", MARKETING, "--address-class business")
    assert (found["reason"], found["basis"], found["clause"]) == ("permitted", "legitimate_interests", "OC-1")


def test_without_a_class_an_address_is_personal(prefcenter: CommandLine) -> None:
    assert reason(prefcenter, "pat@acme.example", MARKETING) == "no_consent"


@pytest.mark.parametrize("cell", [MARKETING, CANDIDATES])
def test_a_bare_opt_out_binds_the_mailbox_for_all_that_is_not_administrative(
    prefcenter: CommandLine, cell: str
) -> None:
    prefcenter.done(BARE_OPT_OUT)
    assert reason(prefcenter, "pat@gmail.com", cell) == "opted_out"


@pytest.mark.parametrize("cell", [MARKETING, CANDIDATES])
def test_a_consent_of_an_earlier_day_does_not_undo_an_opt_out(prefcenter: CommandLine, cell: str) -> None:
    prefcenter.done(BARE_OPT_OUT)
    for purpose in ("client-marketing", "candidate-contact"):
        given = CONSENT.replace("client-marketing", purpose)
        prefcenter.done(f"{given} {EVIDENCE} --at 2020-02-29")
    assert reason(prefcenter, "pat@gmail.com", cell) == "opted_out"


def test_after_an_opt_out_what_the_contract_needs_goes_on(prefcenter: CommandLine) -> None:
    prefcenter.done(BARE_OPT_OUT)
    assert answer(prefcenter, "pat@gmail.com", SERVICE)["basis"] == "contract"


def test_an_opt_out_of_one_controller_does_not_touch_another(prefcenter: CommandLine) -> None:
    cells = ["client-marketing email", "career-opportunities email", "account-service sms"]
    asked = [f"one-contact-center {cell}" for cell in cells]
    before = [reason(prefcenter, "pat@gmail.com", cell) for cell in asked]
    prefcenter.done(BARE_OPT_OUT)
    assert [reason(prefcenter, "pat@gmail.com", cell) for cell in asked] == before
    assert before[1] == "permitted"


def test_a_later_consent_reopens_its_purpose_for_its_exact_address_only(prefcenter: CommandLine) -> None:
    prefcenter.done(BARE_OPT_OUT)
    prefcenter.done(f"{CONSENT} {EVIDENCE}")
    assert answer(prefcenter, "pat@gmail.com", MARKETING)["basis"] == "consent"
    assert reason(prefcenter, "pat+x@gmail.com", MARKETING) == "opted_out"
    assert reason(prefcenter, "pat@gmail.com", CANDIDATES) == "opted_out"


def test_when_the_later_consent_expires_the_opt_out_is_back(prefcenter: CommandLine) -> None:
    prefcenter.done(BARE_OPT_OUT)
    prefcenter.done(f"{CONSENT} {EVIDENCE} --expires {in_hours(2)}")
    assert reason(prefcenter, "pat@gmail.com", MARKETING) == "permitted"
    assert reason(prefcenter, "pat@gmail.com", MARKETING, f"--at {in_hours(3)}") == "opted_out"


def test_a_permission_by_consent_is_valid_no_longer_than_the_consent(prefcenter: CommandLine) -> None:
    ends = in_hours(2)
    prefcenter.done(f"{CONSENT} {EVIDENCE} --expires {ends}")
    found = answer(prefcenter, "pat@gmail.com", MARKETING)
    assert datetime.fromisoformat(found["validUntil"]) == datetime.fromisoformat(ends)


def test_a_bounce_over_an_opt_out_stops_what_the_contract_needs_until_it_is_lifted(prefcenter: CommandLine) -> None:
    prefcenter.done(BARE_OPT_OUT)
    prefcenter.done("suppress pat@gmail.com --controller opencontact --reason bounced --source smtp-relay")
    assert reason(prefcenter, "pat@gmail.com", SERVICE) == "bounced"
    assert reason(prefcenter, "pat@gmail.com", MARKETING) == "opted_out"
    prefcenter.done("lift pat@gmail.com --controller opencontact --reason bounced --cause mailbox-works-again")
    assert reason(prefcenter, "pat@gmail.com", SERVICE) == "permitted"
    assert reason(prefcenter, "pat@gmail.com", MARKETING) == "opted_out"


def test_administration_of_an_account_goes_on_after_an_opt_out_of_promotions(prefcenter: CommandLine) -> None:
    prefcenter.done("opt-out pat@gmail.com --controller contact-center-1 --purpose promotional-email")
    found = answer(prefcenter, "pat@gmail.com", "contact-center-1 account-administration email")
    assert (found["reason"], found["basis"]) == ("permitted", "contract")
    assert reason(prefcenter, "pat@gmail.com", "contact-center-1 promotional-email email") == "opted_out"


def test_a_purpose_that_people_were_not_told_of_is_refused(prefcenter: CommandLine) -> None:
    assert reason(prefcenter, "pat@acme.example", "openscape client-marketing email") == "unknown_purpose"


def test_a_channel_that_the_policy_does_not_offer_is_refused(prefcenter: CommandLine) -> None:
    asked = "contact-centre-community member-news sms"
    assert reason(prefcenter, "07700900123", asked) == "channel_not_offered"


ALIASES = (
    "pat@gmail.com",
    "P.A.T+news@googlemail.com",
    "p.at@gmail.com",
    "PAT@GMAIL.COM",
    "pat+sale@gmail.com",
    "  pat@googlemail.com ",
    "mailto:pat@gmail.com",
    "Pat Example <p.a.t@gmail.com>",
)
OTHERS = ("sam@acme.example", "not an address", "", "kim@acme.example")


def scrub_of_aliases(prefcenter: CommandLine, out: str) -> dict[str, Any]:
    rows = "".join(f'"{address}",business\r\n' for address in (*ALIASES, *OTHERS))
    Path("list.csv").write_bytes(b"email,class\r\n" + rows.encode())
    where = "--controller opencontact --purpose client-marketing --channel email --class-column class"
    found: dict[str, Any] = json.loads(
        prefcenter.done(f"scrub list.csv {where} --at 2030-01-01T00:00:00Z --out {out} --json")
    )
    return found


def test_a_scrub_keeps_no_alias_of_an_opted_out_mailbox(prefcenter: CommandLine, workplace: Path) -> None:
    prefcenter.done(BARE_OPT_OUT)
    manifest = scrub_of_aliases(prefcenter, "out")
    counts = manifest["counts"]
    assert counts["kept"] + counts["suppressed"] + counts["rejected"] == counts["read"] == len(ALIASES) + len(OTHERS)
    assert manifest["reasons"]["suppressed"] == {"opted_out": len(ALIASES)}
    kept = (workplace / "out" / "kept.csv").read_bytes()
    assert kept == b'email,class\r\n"sam@acme.example",business\r\n"kim@acme.example",business\r\n'


def test_two_scrubs_at_one_time_give_the_same_bytes(prefcenter: CommandLine, workplace: Path) -> None:
    prefcenter.done(BARE_OPT_OUT)
    first, second = (scrub_of_aliases(prefcenter, out) for out in ("first", "second"))
    for name in ("kept.csv", "suppressed.csv", "rejected.csv"):
        assert (workplace / "first" / name).read_bytes() == (workplace / "second" / name).read_bytes()
    assert {**first, "run": None} == {**second, "run": None}
