"""No address stands in plaintext anywhere but in files that the caller asked for (DESIGN §1, promise 3).

Every kind of act is done with addresses that occur nowhere else; then everything that prefcenter wrote or printed is
searched for them.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from prefcenter.bootstrap import open_services
from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.terms import Channel, RefusalReason
from prefcenter.services.acts import once_of
from prefcenter.services.admission import Consent
from prefcenter.services.contact_files import Contact, ContactAddress
from prefcenter.services.controller import ControllerServices
from prefcenter.services.decisions import Question
from prefcenter.services.targets import ContactId
from prefcenter.settings import read_settings
from tests.cli.command_line import POLICIES, CommandLine
from tests.plaintext_search import Searched, encodings, spellings

OPTED_OUT = "Zebrafinch.Quill+News@Googlemail.com"
IDN = "Ostrichfern.Bell@bücher-kiste.example"
PUNYCODE = "Larkspur.Vane@xn--bcher-kiste-plb.example"
WIDE = "Ｗｏｍｂａｔｄｅｎ@acme.example"
ACCENTED = "Émilie.Wrenhollow@acme.example"
QUOTED = '"Heron Lapwing"@acme.example'
CONSENTED = "Marsh.Harrier.Dell@gmail.com"
BOUNCED = "Plover-Shingle@acme.example"
ERASED = "Nightjar.Copse@acme.example"
DOMAIN = "@ptarmigan-works.example"
PHONE = "020 7946 0018"
MOBILE = "+44 7700 900 987"
EXTENSION = "020 7946 0123 ext 4477"
POSTAL = "Quillon Zebrafinch, 17 Ptarmigan Crescent, Leeds, LS1 4AP"
PUSH = "push:Kestrel-Token-9f8E7d"
IMPORTED = "Redstart.Gully@acme.example"
INVALID = "Curlew Sandbar at acme dot example"
INVALID_EMAIL = "Dunlin.Creek@acme..example"
GRANTED = "Siskin.Birchwood@gmail.com"
MISTYPED = "Goldcrest.Larch@acme.example"
HELD = "Bullfinch.Heath+crm@gmail.com"
HELD_TOO = "+44 7700 900 654"
FORGOTTEN = "Dotterel.Moor@acme.example"
CONTACT_ID = "crested-tit:20417"
IDEMPOTENCY_KEY = "Whimbrel.Strand@acme.example"
CAMPAIGN = "for-Whimbrel.Strand@acme.example"
ADDRESSES = (
    *(OPTED_OUT, IDN, PUNYCODE, WIDE, ACCENTED, QUOTED, CONSENTED, BOUNCED, ERASED, DOMAIN),
    *(PHONE, MOBILE, EXTENSION, POSTAL, PUSH, IMPORTED, INVALID, INVALID_EMAIL, GRANTED, MISTYPED),
    *(HELD, HELD_TOO, FORGOTTEN),
)
EMAILS = (OPTED_OUT, IDN, PUNYCODE, WIDE, ACCENTED, QUOTED, CONSENTED, BOUNCED, ERASED)

OC = ("--controller", "opencontact")
OCC = ("--controller", "one-contact-center")
MARKETING = (*OC, "--purpose", "client-marketing")
BY_EMAIL = (*MARKETING, "--channel", "email")
EVIDENCE = ("--wording", "newsletter@1", "--method", "form")


@dataclass(frozen=True)
class Traces:
    """Everything that prefcenter left behind, by name, and the input that its user owns."""

    left: Mapping[str, bytes]
    owned: bytes


@pytest.fixture(scope="module")
def searched() -> Searched:
    return Searched(ADDRESSES)


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Traces:
    place = tmp_path_factory.mktemp("traces")
    prefcenter = CommandLine(place / "home")
    assert prefcenter("init", "--policies", str(POLICIES)).code == 0
    _write_lists(place)
    _act(prefcenter)
    _import(prefcenter, place)
    _ask(prefcenter)
    _scrub(prefcenter, place)
    _mistype(prefcenter, place)
    _look_after(prefcenter)
    while_open = place / "copied-while-open"
    asyncio.run(_act_and_copy(prefcenter.home, while_open))
    files = [path for part in (prefcenter.home, while_open) for path in part.rglob("*") if path.is_file()]
    files += [path for out in place.glob("out*") for path in (out / "manifest.json", out / "report.html")]
    left = {str(path.relative_to(place)): path.read_bytes() for path in files}
    printed = "\n".join(prefcenter.transcript).encode()
    return Traces({**left, "what was printed": printed}, (place / "everybody.csv").read_bytes())


def _write_lists(place: Path) -> None:
    rows = "".join(f'"{address.replace(chr(34), chr(34) * 2)}";note\n' for address in ADDRESSES)
    (place / "everybody.csv").write_text("email;note\n" + rows, encoding="utf-8")
    (place / "emails.csv").write_text(f"email\n{IMPORTED}\n{INVALID_EMAIL}\n{DOMAIN}\n", encoding="utf-8")
    (place / "phones.csv").write_text(f"phone\n{PHONE}\n{EXTENSION}\n{INVALID}\n", encoding="utf-8")
    (place / "registry.csv").write_text(f"email\n{IMPORTED}\n{OPTED_OUT}\n", encoding="utf-8")
    (place / "shorter.csv").write_text(f"email\n{OPTED_OUT}\n", encoding="utf-8")
    (place / "grants.csv").write_text(
        f"email,when,wording,method\n{GRANTED},2026-01-02,newsletter@1,form\n{IMPORTED},never,newsletter@1,form\n"
        f"{GRANTED},2026-01-02,{INVALID_EMAIL},form\n",
        encoding="utf-8",
    )


def _done(prefcenter: CommandLine, *arguments: str, stdin: str = "") -> None:
    ran = prefcenter(*arguments, stdin=stdin)
    assert ran.code in (0, 1), ran.both


def _act(prefcenter: CommandLine) -> None:
    for address in (OPTED_OUT, IDN, PUNYCODE, WIDE, ACCENTED, QUOTED, PHONE, MOBILE, EXTENSION, POSTAL):
        _done(prefcenter, "opt-out", address, *OC)
    _done(prefcenter, "opt-out", "-", *OCC, stdin=OPTED_OUT + "\n")
    _done(prefcenter, "opt-out", PUSH, *OCC)
    for address in (CONSENTED, IDN, ERASED, WIDE):
        _done(prefcenter, "consent", address, *BY_EMAIL, *EVIDENCE, "--expires", "2999-01-01")
    _done(prefcenter, "consent", EXTENSION, *MARKETING, "--channel", "voice", *EVIDENCE)
    _done(prefcenter, "consent", POSTAL, *MARKETING, "--channel", "post", *EVIDENCE)
    _done(prefcenter, "suppress", BOUNCED, *OC, "--reason", "bounced", "--source", "smtp-relay", "--permanent")
    for reason in ("complained", "manual", "minor", "restricted", "legal"):
        _done(prefcenter, "suppress", BOUNCED, *OC, "--reason", reason, "--source", "crm")
    _done(prefcenter, "suppress", DOMAIN, *OC, "--reason", "manual", "--source", "crm")
    for address in (BOUNCED, DOMAIN, MOBILE):
        _done(prefcenter, "lift", address, *OC, "--reason", "manual", "--cause", "mistake")
    for address in (ERASED, POSTAL, EXTENSION):
        _done(prefcenter, "suppress", address, *OC, "--reason", "erased", "--source", "request")


def _import(prefcenter: CommandLine, place: Path) -> None:
    registry = (*OC, "--reason", "on_registry", "--source", "tps", "--replace-registry")
    columns = ("--time-column", "when", "--wording-column", "wording", "--method-column", "method")
    _done(prefcenter, "import", str(place / "emails.csv"), *OC, "--reason", "manual", "--source", "crm")
    _done(
        prefcenter, "import", str(place / "phones.csv"), *OC, "--reason", "manual", "--source", "c", "--channel", "sms"
    )
    _done(prefcenter, "import", str(place / "registry.csv"), *registry)
    _done(prefcenter, "import", str(place / "shorter.csv"), *registry, "--json")
    _done(prefcenter, "import", str(place / "grants.csv"), *MARKETING, "--grant", "--source", "crm", *columns, "--json")


def _ask(prefcenter: CommandLine) -> None:
    for address in (*EMAILS, INVALID, INVALID_EMAIL):
        _done(prefcenter, "check", address, *BY_EMAIL)
        _done(prefcenter, "check", "-", *BY_EMAIL, "--json", stdin=address)
    for address, channel in ((PHONE, "sms"), (EXTENSION, "voice"), (POSTAL, "post"), (PUSH, "push")):
        _done(prefcenter, "check", address, *MARKETING, "--channel", channel)


def _scrub(prefcenter: CommandLine, place: Path) -> None:
    for number, options in enumerate([(), ("--json",)]):
        out = str(place / f"out{number}")
        _done(prefcenter, "scrub", str(place / "everybody.csv"), *BY_EMAIL, "--out", out, *options)
    _done(prefcenter, "scrub", str(place / "phones.csv"), *MARKETING, "--channel", "sms", "--out", str(place / "out2"))


def _mistype(prefcenter: CommandLine, place: Path) -> None:
    """Addresses in wrong places; what looks like none, but for its reader, is nothing that an error could know."""
    everybody = str(place / "everybody.csv")
    for address in set(ADDRESSES) - {INVALID}:
        for line in (
            (address,),
            ("check", "x", address),
            ("check", "x@acme.example", *OC, "--purpose", address, "--channel", address),
            ("suppress", address, *OC, "--reason", address, "--source", address),
            ("suppress", address, *OC, "--reason", "manual", "--source", address),
            ("consent", address, *OC, "--purpose", "unheard-of", "--channel", "email", *EVIDENCE),
            ("import", address, *OC, "--reason", "manual", "--source", "crm"),
            ("import", everybody, *OC, "--reason", "manual", "--source", "crm", "--column", address),
            ("scrub", everybody, *BY_EMAIL, "--out", everybody, "--audience", address),
            ("audit", "verify", "--against", address),
        ):
            assert prefcenter(*line).code == 2


def _look_after(prefcenter: CommandLine) -> None:
    for line in (("keys", "rotate"), ("keys", "check"), ("audit", "verify"), ("policy", "check", str(POLICIES))):
        _done(prefcenter, *line)
    _done(prefcenter, "opt-out", OPTED_OUT, *OC)
    assert prefcenter("keys", "retire", "1").code == 2


async def _act_and_copy(home: Path, copied_to: Path) -> None:
    """Act in this process, and copy the store with its WAL while it is open, when nothing has been tidied up yet."""
    cell = Cell("client-marketing", Channel.EMAIL)
    async with open_services(read_settings({}, home)) as services:
        found = await services.controller("opencontact")
        for address in (MISTYPED, *EMAILS):
            await found.recording.opt_out(address, EVERYTHING, "form")
            await found.recording.record_consent(address, Consent(cell, "newsletter@1", "form", "form"))
            await found.decisions.decide(Question(address, "client-marketing", Channel.EMAIL), services.clock())
        await found.recording.suppress(DOMAIN, RefusalReason.MANUAL, Scope(), "form")
        await found.recording.suppress(MISTYPED, RefusalReason.ERASED, EVERYTHING, "form")
        await _keep_a_contact(found)
        await _tell_of_sends(await services.controller("contact-centre-community"))
        shutil.copytree(home, copied_to)


async def _keep_a_contact(found: ControllerServices) -> None:
    """A contact that is rewritten, refused, reported on and asked for, and another that is erased."""
    held = (ContactAddress(Channel.EMAIL, HELD), ContactAddress(Channel.SMS, HELD_TOO))
    contact = Contact(CONTACT_ID, held, ("client",), "fair", "sales")
    once = once_of(found.sealer, "crm", IDEMPOTENCY_KEY, repr(contact).encode())
    await found.contacts.upsert(contact, once=once)
    await found.contacts.add_address(CONTACT_ID, ContactAddress(Channel.EMAIL, FORGOTTEN))
    await found.recording.opt_out(ContactId(CONTACT_ID), EVERYTHING, "page")
    reported = Consent(Cell("client-marketing", Channel.EMAIL), "newsletter@1", "form", "crm")
    await found.recording.record_consent(HELD, reported, is_confirmed=False)
    await found.contacts.remove_address(CONTACT_ID, ContactAddress(Channel.EMAIL, FORGOTTEN))
    await found.contacts.upsert(Contact(f"{CONTACT_ID}.2", (ContactAddress(Channel.EMAIL, FORGOTTEN),), (), "fair"))
    await found.recording.suppress(FORGOTTEN, RefusalReason.ERASED, EVERYTHING, "request")
    assert (await found.contacts.get(CONTACT_ID)) is not None
    assert "***" in (await found.preferences.of(HELD, None, found.clock())).masked


async def _tell_of_sends(found: ControllerServices) -> None:
    once = once_of(found.sealer, "crm", IDEMPOTENCY_KEY, CAMPAIGN.encode())
    report = await found.sending.record("member-news", Channel.EMAIL, CAMPAIGN, [HELD, INVALID], once=once)
    assert (report.recorded, report.invalid) == (1, (1,))


@pytest.mark.parametrize("text", [CONTACT_ID, IDEMPOTENCY_KEY, CAMPAIGN])
def test_what_a_tool_calls_its_contacts_keys_and_campaigns_stands_nowhere(traces: Traces, text: str) -> None:
    assert [name for name, content in traces.left.items() if text.encode() in content] == []


def test_nothing_that_was_written_or_printed_holds_an_address(traces: Traces, searched: Searched) -> None:
    found = {name: searched.found_in(content) for name, content in traces.left.items()}
    assert {name: what for name, what in found.items() if what} == {}


def test_everything_that_could_hold_an_address_was_searched(traces: Traces) -> None:
    for name in ("home/store.sqlite3", "home/keyring.json", "home/checkpoint.json", "home/policies/opencontact.toml"):
        assert traces.left[name]
    assert len(traces.left["copied-while-open/store.sqlite3-wal"]) > 100_000
    for number in range(3):
        assert b"scrub" in traces.left[f"out{number}/manifest.json"]
        assert b"<html" in traces.left[f"out{number}/report.html"]
    assert traces.left["what was printed"].count(b"***") > 100


def test_the_records_that_were_searched_are_those_of_the_acts(traces: Traces) -> None:
    """The domains of masks are shown, which proves that the acts took place and were printed."""
    printed = traces.left["what was printed"].decode()
    for shown in (
        "***@googlemail.com  opted out of",
        "***@gmail.com  consented to",
        "suppressed: erased",
        "lifted: man",
    ):
        assert shown in printed


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_search_finds_each_address_in_the_list_of_its_owner(traces: Traces, address: str) -> None:
    owned = traces.owned.replace(b'""', b'"')
    assert Searched([address]).found_in(owned)


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_search_finds_whatever_was_planted(address: str) -> None:
    noise = random.Random(7)
    search = Searched([address])
    for spelling in spellings(address):
        for encoding, pattern in encodings(spelling).items():
            planted = noise.randbytes(5_000) + pattern + noise.randbytes(5_000)
            assert search.found_in(planted), f"{encoding} of a spelling is not found"


def test_the_search_finds_base64_of_a_longer_text_at_any_alignment() -> None:
    search = Searched([BOUNCED])
    for before in ("", "x", "xy", "xyz"):
        encoded = encodings(f"{before}{BOUNCED} and more")["utf-8, base64 at 0"]
        assert any("base64" in what for what in search.found_in(encoded))


def test_the_search_finds_nothing_in_noise(searched: Searched) -> None:
    assert searched.found_in(random.Random(7).randbytes(1_000_000)) == []
