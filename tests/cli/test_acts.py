"""`prefcenter opt-out`, `consent`, `suppress` and `lift`: what each records, says and refuses to do."""

from __future__ import annotations

import json

import pytest

from tests.cli.command_line import CommandLine

OC = "--controller opencontact"
EVIDENCE = "--wording newsletter@1 --method form"
POSTAL = "Pat Example, 10 High Street, Leeds, LS1 4AP, GB"


def reason(prefcenter: CommandLine, address: str, cell: str) -> str:
    """The reason for `CONTROLLER PURPOSE CHANNEL`, or for `CONTROLLER DATA-USE`."""
    controller, what, *channel = cell.split()
    named = ["--purpose", what, "--channel", *channel] if channel else ["--data-use", what]
    ran = prefcenter("check", address, "--controller", controller, *named, "--address-class", "business", "--json")
    return str(json.loads(ran.out)["reason"])


MARKETING = "opencontact client-marketing email"
CANDIDATES = "opencontact candidate-contact email"


@pytest.mark.parametrize(
    ("options", "said", "marketing", "candidates"),
    [
        ("", "everything but administrative messages", "opted_out", "opted_out"),
        ("--purpose client-marketing", "client-marketing", "opted_out", "permitted"),
        ("--class recruitment", "recruitment messages", "permitted", "opted_out"),
        ("--channel email", "everything but administrative messages by email", "opted_out", "opted_out"),
        ("--purpose candidate-contact --channel email", "candidate-contact by email", "permitted", "opted_out"),
    ],
)
def test_an_opt_out_covers_what_it_names(
    prefcenter: CommandLine, options: str, said: str, marketing: str, candidates: str
) -> None:
    printed = prefcenter.done(f"opt-out pat@acme.example {OC} {options}")
    assert printed == f"***@acme.example  opted out of {said}\n"
    assert reason(prefcenter, "Pat+tag@acme.example", MARKETING) == marketing
    assert reason(prefcenter, "Pat+tag@acme.example", CANDIDATES) == candidates


def test_an_opt_out_of_a_data_use_leaves_messages_alone(prefcenter: CommandLine) -> None:
    printed = prefcenter.done("opt-out pat@acme.example --controller one-contact-center --data-use profiling")
    assert printed == "***@acme.example  opted out of profiling\n"
    assert reason(prefcenter, "pat@acme.example", "one-contact-center profiling") == "opted_out"
    assert reason(prefcenter, "pat@acme.example", "one-contact-center client-marketing email") == "permitted"


def test_a_bare_opt_out_leaves_data_uses_alone(prefcenter: CommandLine) -> None:
    prefcenter.done("opt-out pat@acme.example --controller one-contact-center")
    assert reason(prefcenter, "pat@acme.example", "one-contact-center profiling") == "permitted"


def test_a_phone_number_without_a_channel_is_out_of_sms_and_voice(prefcenter: CommandLine) -> None:
    assert prefcenter("opt-out", "07700 900123", "--controller", "opencontact").code == 0
    for channel in ("sms", "voice"):
        assert reason(prefcenter, "+447700900123", f"opencontact client-marketing {channel}") == "opted_out"


def test_a_phone_number_with_a_channel_is_out_of_that_one(prefcenter: CommandLine) -> None:
    assert prefcenter("opt-out", "07700 900123", "--controller", "opencontact", "--channel", "sms").code == 0
    assert reason(prefcenter, "+447700900123", "opencontact client-marketing voice") == "permitted"


def test_the_same_stated_opt_out_again_changes_nothing(prefcenter: CommandLine) -> None:
    line = f"opt-out pat@acme.example {OC} --at 2026-01-02"
    assert "opted out of" in prefcenter.done(line)
    assert prefcenter.done(line) == "***@acme.example  already on record, nothing changed\n"


def test_the_address_of_an_act_can_come_from_standard_input(prefcenter: CommandLine) -> None:
    assert prefcenter.done(f"opt-out - {OC}", stdin="pat@acme.example\n").startswith("***@acme.example")
    assert reason(prefcenter, "pat@acme.example", MARKETING) == "opted_out"


def test_the_very_same_consent_again_changes_nothing(prefcenter: CommandLine) -> None:
    line = f"consent pat@acme.example {OC} --purpose client-marketing --channel email {EVIDENCE} --at 2026-01-02"
    assert prefcenter.done(line) == "***@acme.example  consented to client-marketing by email\n"
    assert prefcenter.done(line) == "***@acme.example  already on record, nothing changed\n"


def test_a_consent_may_be_to_a_data_use(prefcenter: CommandLine) -> None:
    cell = "one-contact-center email-tracking"
    assert reason(prefcenter, "pat@acme.example", cell) == "no_consent"
    line = f"consent pat@acme.example --controller one-contact-center --data-use email-tracking {EVIDENCE}"
    assert prefcenter.done(line) == "***@acme.example  consented to email-tracking\n"
    assert reason(prefcenter, "pat@acme.example", cell) == "permitted"


@pytest.mark.parametrize(
    ("named", "stopped"),
    [
        ("bounced", {MARKETING, "opencontact contract-service email"}),
        ("on_registry", {MARKETING}),
        ("manual", {MARKETING}),
        ("complained", {MARKETING}),
        ("opted_out", {MARKETING}),
        ("erased", {MARKETING, "opencontact contract-service email"}),
        ("minor", {MARKETING, "opencontact contract-service email"}),
        ("restricted", {MARKETING, "opencontact contract-service email"}),
        ("legal", {MARKETING, "opencontact contract-service email"}),
    ],
)
def test_a_suppression_stops_what_its_reason_stops(prefcenter: CommandLine, named: str, stopped: set[str]) -> None:
    printed = prefcenter.done(f"suppress pat@acme.example {OC} --reason {named} --source crm")
    assert printed == f"***@acme.example  suppressed: {named}\n"
    for cell in (MARKETING, "opencontact contract-service email"):
        assert reason(prefcenter, "pat@acme.example", cell) == (named if cell in stopped else "permitted")


def test_a_whole_domain_can_be_suppressed_and_lifted(prefcenter: CommandLine) -> None:
    prefcenter.done(f"suppress @acme.example {OC} --reason manual --source crm")
    for address in ("pat@acme.example", "sam@news.acme.example"):
        assert reason(prefcenter, address, MARKETING) == "manual"
    assert reason(prefcenter, "pat@notacme.example", MARKETING) == "permitted"
    prefcenter.done(f"lift @acme.example {OC} --reason manual --cause contract-signed")
    assert reason(prefcenter, "pat@acme.example", MARKETING) == "permitted"


def test_a_permanent_bounce_ends_the_consents_of_the_address(prefcenter: CommandLine) -> None:
    prefcenter.done(f"consent pat@gmail.com {OC} --purpose client-marketing --channel email {EVIDENCE}")
    line = f"suppress pat@gmail.com {OC} --reason bounced --source smtp-relay --permanent"
    assert prefcenter.done(line) == "***@gmail.com  suppressed: bounced for good\n"
    prefcenter.done(f"lift pat@gmail.com {OC} --reason bounced --cause mailbox-works-again")
    assert reason(prefcenter, "pat@gmail.com", MARKETING) == "no_consent"


@pytest.mark.parametrize("named", ["bounced", "manual", "minor", "restricted", "legal"])
def test_an_administrator_lifts_with_a_cause(prefcenter: CommandLine, named: str) -> None:
    lift = f"lift pat@acme.example {OC} --reason {named} --cause mistake"
    ran = prefcenter.line(lift)
    assert (ran.code, ran.out) == (1, f"***@acme.example  no such refusal stands: {named}\n")
    prefcenter.done(f"suppress pat@acme.example {OC} --reason {named} --source crm")
    assert prefcenter.done(lift) == f"***@acme.example  lifted: {named}\n"
    assert reason(prefcenter, "pat@acme.example", MARKETING) == "permitted"


def test_a_lift_of_one_purpose_leaves_the_refusal_of_another(prefcenter: CommandLine) -> None:
    for purpose in ("client-marketing", "candidate-contact"):
        prefcenter.done(f"suppress pat@acme.example {OC} --reason manual --source crm --purpose {purpose}")
    prefcenter.done(f"lift pat@acme.example {OC} --reason manual --cause mistake --purpose client-marketing")
    assert reason(prefcenter, "pat@acme.example", MARKETING) == "permitted"
    assert reason(prefcenter, "pat@acme.example", CANDIDATES) == "manual"


@pytest.mark.parametrize(
    ("named", "way"),
    [
        ("opted_out", "only the person's own later consent sets it aside"),
        ("complained", "only the person's own later consent sets it aside"),
        ("erased", "only the person's own later consent sets it aside"),
        ("on_registry", "import the registry's list in full with --replace-registry"),
    ],
)
def test_what_no_administrator_lifts_names_its_own_way(prefcenter: CommandLine, named: str, way: str) -> None:
    prefcenter.done(f"suppress pat@acme.example {OC} --reason {named} --source crm")
    ran = prefcenter.line(f"lift pat@acme.example {OC} --reason {named} --cause mistake")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"{named} is not lifted by an administrator: {way}\n"
    assert reason(prefcenter, "pat@acme.example", MARKETING) == named


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("opt-out nobody {OC} --channel sms", "address: holds no phone number"),
        ("opt-out @acme.example {OC} --channel sms", "address: "),
        ("opt-out pat@acme.example {OC} --purpose unheard-of", "purpose: not one of this policy"),
        ("opt-out pat@acme.example {OC} --purpose contract-service", "administrative messages are not stopped by"),
        ("opt-out pat@acme.example {OC} --class administrative", "administrative messages are not stopped by"),
        ("opt-out pat@acme.example {OC} --data-use unheard-of", "data use: not one of this policy"),
        ("opt-out pat@acme.example {OC} --data-use profiling --purpose x", "Name one of --purpose, --class and"),
        ("opt-out pat@acme.example {OC} --class promotional --purpose client-marketing", "Name one of --purpose, --c"),
        ("opt-out pat@acme.example {OC} --at 2999-01-01", "time: the time lies in the future"),
        ("opt-out pat@acme.example --controller acme", "controller: not one of this home's policies"),
        ("consent pat@acme.example {OC} --purpose client-marketing {EVIDENCE}", "Name --purpose and --channel, or"),
        ("consent pat@acme.example {OC} {CELL} --data-use x {EVIDENCE}", "--data-use does not go with --purpose"),
        ("consent pat@acme.example {OC} {CELL} --wording newsletter", "Missing option '--method'"),
        ("consent pat@acme.example {OC} {CELL} --wording Yes! --method form", "wording: expected a short slug"),
        ("consent pat@acme.example {OC} {CELL} {EVIDENCE} --at 2999-01-01", "time: the time lies in the future"),
        ("consent pat@acme.example {OC} {CELL} {EVIDENCE} --expires 2020-01-01", "expires: a consent must end after"),
        ("consent @acme.example {OC} {CELL} {EVIDENCE}", "address: a whole domain cannot consent"),
        ("consent 07700900123 {OC} --purpose client-marketing {EVIDENCE}", "Name --purpose and --channel, or"),
        ("consent pat@acme.example {OC} --purpose contract-service --channel email {EVIDENCE}", "contract-service is"),
        ("consent push:abc {OC} --purpose client-marketing --channel push {EVIDENCE}", "channel: not offered for"),
        ("suppress pat@acme.example {OC} --reason bored --source crm", "Invalid value for '--reason'"),
        ("suppress pat@acme.example {OC} --reason manual --source 'Free Text'", "source: expected a short slug"),
        ("suppress 07700900123 {OC} --reason bounced --source crm", "channel: bounced speaks of one channel"),
        ("suppress pat@acme.example {OC} --reason manual --source crm --permanent", "--permanent goes with"),
        ("suppress @acme.example {OC} --reason erased --source crm", "an erasure is of one person"),
        ("suppress @gmail.com {OC} --reason manual --source crm", "address: is a free-mail domain"),
        ("suppress @co.uk {OC} --reason manual --source crm", "address: is a public suffix"),
        ("lift pat@acme.example {OC} --reason manual --cause 'free text'", "cause: expected a short slug"),
        ("lift pat@acme.example {OC} --reason manual", "Missing option '--cause'"),
    ],
)
def test_an_act_that_cannot_be_done_says_why_and_changes_nothing(
    prefcenter: CommandLine, line: str, error: str
) -> None:
    cell = "--purpose client-marketing --channel email"
    before = prefcenter.done("audit verify")
    ran = prefcenter.line(line.format(OC=OC, CELL=cell, EVIDENCE=EVIDENCE))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(error)
    assert prefcenter.done("audit verify") == before


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("Pat.Example@acme.example", "***@acme.example"),
        ("+44 20 7946 0018", "+44 ***18"),
        (POSTAL, "GB LS1 ***"),
        ("push:a1B2c3", "push:***"),
    ],
)
def test_an_act_shows_a_mask_and_never_the_address(prefcenter: CommandLine, address: str, shown: str) -> None:
    ran = prefcenter("opt-out", address, "--controller", "one-contact-center")
    assert (ran.code, ran.out.split("  ")[0]) == (0, shown)
