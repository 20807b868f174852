"""Homes with a filled store, and ways to tamper with them behind the program's back."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from prefcenter.bootstrap import audit, init_home, open_services
from prefcenter.domain.errors import PrefcenterError
from prefcenter.domain.events import EVERYTHING, Cell
from prefcenter.domain.terms import Channel, RefusalReason
from prefcenter.services.admission import Consent
from prefcenter.services.ports import Store
from prefcenter.settings import Settings, read_settings
from tests.contract.acts import a_receipt, a_send, an_api_key, sealed_contact
from tests.factories import NOW, a_digest

POLICIES = Path(__file__).resolve().parents[2] / "fixtures" / "policies"
CONTROLLER = "opencontact"


def settings_of(home: Path) -> Settings:
    return read_settings({}, home)


def store_file(home: Path) -> Path:
    return home / "store.sqlite3"


def make_home(home: Path) -> Path:
    """A home of five controllers, two of them with acts of most kinds, an import and an erasure."""
    asyncio.run(_make_home(settings_of(home)))
    return home


async def _make_home(settings: Settings) -> None:
    controllers = await init_home(settings, POLICIES)
    async with open_services(settings) as services:
        for controller in controllers:
            desk = (await services.controller(controller)).recording
            for number in range(12 if controller == CONTROLLER else 2):
                await desk.opt_out(f"person{number}@acme.example", EVERYTHING, "form")
        desk = (await services.controller(CONTROLLER)).recording
        consent = Consent(Cell("client-marketing", Channel.EMAIL), "newsletter@1", "form", "operator")
        await desk.record_consent("person1@acme.example", consent)
        await desk.record_consent("person2@acme.example", consent)
        await desk.suppress("person2@acme.example", RefusalReason.ERASED, EVERYTHING, "request")
        await (await services.controller(CONTROLLER)).importing.begin(bytes(32), ["manual"])
        await _add_what_tools_bring(services.store)


async def _add_what_tools_bring(store: Store) -> None:
    """Something sealed beside records, receipts, sends and API keys, every column of each filled."""
    for number in range(4):
        contact = sealed_contact(f"contact {number}", f"content {number}".encode())
        await store.append(CONTROLLER, [contact], receipt=a_receipt(f"key {number}"))
        sends = [a_send(f"contact {number}", NOW + number)]
        await store.record_sends(CONTROLLER, "client-marketing", sends, forget_before_ms=0)
        await store.queue_letter(CONTROLLER, a_digest(f"contact {number}"), b"a letter", NOW + number, letters_max=3)
        times = {"expires_ms": NOW + 3, "revoked_ms": NOW + 2, "last_used_ms": NOW + 1}
        await store.put_api_key(an_api_key(f"k{number}-tool", **times))


def add_acts(home: Path, names: Sequence[str]) -> None:
    """Some more opt-outs, after which the checkpoint has moved on."""

    async def act() -> None:
        async with open_services(settings_of(home)) as services:
            desk = (await services.controller(CONTROLLER)).recording
            for name in names:
                await desk.opt_out(f"{name}@acme.example", EVERYTHING, "form")

    asyncio.run(act())


def copy_of(home: Path, target: Path) -> Path:
    shutil.copytree(home, target)
    return target


def tamper(home: Path, statement: str, arguments: Sequence[Any] = ()) -> int:
    """Run one statement on the file, as somebody with access to the disk would; gives the rows it changed."""
    with closing(sqlite3.connect(store_file(home), isolation_level=None)) as connection:
        return connection.execute(statement, arguments).rowcount


def rows(home: Path, query: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(store_file(home))) as connection:
        return connection.execute(query, arguments).fetchall()


def findings(home: Path) -> list[str]:
    """What the audit of all controllers finds against the checkpoint; a refusal to read anything counts as one."""
    try:
        reports = asyncio.run(audit(settings_of(home), []))
    except PrefcenterError as error:
        return [str(error)]
    return [finding for report in reports.values() for finding in report.findings]
