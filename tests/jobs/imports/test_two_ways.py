"""A block of rows does what its rows do one after the other: the same outcomes, records and events."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from contextlib import closing
from copy import deepcopy
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.policy import Policy
from prefcenter.domain.terms import Channel, RefusalReason
from prefcenter.security.digests import Digester
from prefcenter.security.fields import FieldCipher
from prefcenter.security.keyring import Keyring, new_keyring
from prefcenter.services.admission import Consent
from prefcenter.services.contact_files import Contact, ContactAddress
from prefcenter.services.contacts import Contacts
from prefcenter.services.import_batches import FEWEST_ALIKE, RowOutcome
from prefcenter.services.importing import Importing, RefusalRow
from prefcenter.services.policy_files import load_policy
from prefcenter.services.ports import Store
from prefcenter.services.recording import Recording
from prefcenter.storage import create_store
from prefcenter.storage.sqlite import SqliteStore
from tests.factories import DAY, MINUTE, NOW
from tests.fakes import MemoryStore
from tests.jobs.imports.two_ways import records_and_events, refuse, rows_of, told
from tests.jobs.scrub.fast.drawn_acts import DrawnHome
from tests.jobs.scrub.fast.drawn_worlds import World, a_world

WORLDS = 3_000 if os.environ.get("PREFCENTER_SOAK") == "1" else 100
CONTROLLER = "opencontact"
MANY = 2 * FEWEST_ALIKE + 3
NEW = [f"new{number}@example.com" for number in range(MANY)]
KNOWN = [f"Known.{number}@sales.acme.example" for number in range(MANY)]
ALSO = ("New3@example.com", " known.5@SALES.acme.example ", "known.6+x@sales.acme.example", "@sales.acme.example")
TIMES = (NOW, NOW, NOW - DAY, NOW - 2 * DAY - MINUTE)
REASONS = tuple(reason for reason in RefusalReason if reason is not RefusalReason.ERASED)


def drawn_rows(chance: Random, world: World) -> list[RefusalRow]:
    """Many new people and many whom an import named before, all at one time or each at another.

    Among them stand, a few times, whoever the world is about.
    """
    at_ms, apart_ms = chance.choice(TIMES), chance.choice([0, 0, 977])
    others = [*world.spellings(Channel.EMAIL), *ALSO]
    written = [
        RefusalRow(address, chance.choice([*TIMES, NOW + DAY]))
        for address in chance.choices(others, k=chance.randint(0, 30))
        if address.strip()
    ]
    many = [RefusalRow(address, at_ms - number * apart_ms) for number, address in enumerate([*NEW, *KNOWN])]
    rows = [*many, *written]
    chance.shuffle(rows)
    return rows


def drawn_home(chance: Random, world: World) -> DrawnHome:
    """A store in which everything of the world happened, and an import of many."""
    keyring = new_keyring("2026-11-21T00:00:00Z")
    home = DrawnHome(world.policy, keyring, MemoryStore(keyring))
    listed_after = chance.randrange(len(world.stages))
    for number, stage in enumerate(world.stages):
        home = home.rotated() if stage.is_rotated_before else home
        home.take(stage.acts)
        if number == listed_after:
            home.now_ms = NOW
            listed = rows_of(KNOWN, chance.choice(TIMES))
            asyncio.run(refuse(home.services.importing, listed, chance.choice(REASONS), in_block=False))
    return home


async def imported(
    home: DrawnHome, rows: list[RefusalRow], reason: RefusalReason, scope: Scope, *, in_block: bool
) -> tuple[object, ...]:
    """What two imports of a list come to, and all that is in the store after them."""
    assert isinstance(home.store, MemoryStore)
    store = MemoryStore(home.keyring, deepcopy(home.store._cabinet))
    copied = DrawnHome(home.policy, home.keyring, store)
    copied.now_ms = NOW
    outcomes = [told(await refuse(copied.services.importing, rows, reason, scope, in_block=in_block)) for _ in range(2)]
    return *outcomes, *await records_and_events(store, home.policy.controller)


@settings(max_examples=WORLDS, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.randoms(use_true_random=True))
def test_both_ways_do_the_same_to_a_drawn_store(chance: Random) -> None:
    world = a_world(chance)
    home, rows = drawn_home(chance, world), drawn_rows(chance, world)
    scope = chance.choice([EVERYTHING, Scope(channel=Channel.EMAIL), Scope(world.policy.purposes[0].id)])
    reason = chance.choice(REASONS)
    by_rows, in_block = (
        asyncio.run(imported(home, rows, reason, scope, in_block=in_block)) for in_block in (False, True)
    )
    for outcome in dict.fromkeys(by_rows[0]):  # type: ignore[call-overload]
        event(outcome)
    assert in_block == by_rows


def importing_on(store: Store, keyring: Keyring) -> tuple[Importing, Recording, Contacts]:
    """The services of a controller whose clock stands at `NOW`."""
    policy: Policy = load_policy(Path("fixtures/policies") / f"{CONTROLLER}.toml", known_clauses=None)
    digester, cipher = Digester(keyring, CONTROLLER), FieldCipher(keyring, CONTROLLER)
    services = (policy, digester, store, lambda: NOW, cipher)
    recording = Recording(*services)
    return Importing(policy, digester, store, lambda: NOW, recording), recording, Contacts(*services)


def a_store(path: Path, keyring: Keyring) -> SqliteStore:
    if not path.exists():
        create_store(f"sqlite://{path}")
    return SqliteStore(path, keyring)


async def fill(store: Store, keyring: Keyring) -> None:
    """Half of the people are known: refused before, or consenting, or held by a contact."""
    importing, recording, contacts = importing_on(store, keyring)
    await refuse(importing, rows_of(KNOWN, NOW - 3 * DAY), in_block=False)
    consent = Consent(Cell("client-marketing", Channel.EMAIL), "terms", "form", "person", NOW - 2 * DAY)
    for address in (KNOWN[0], NEW[0]):
        await recording.record_consent(address, consent)
    held = tuple(ContactAddress(Channel.EMAIL, address, None) for address in (KNOWN[1], NEW[1]))
    await contacts.upsert(Contact("c1", held, (), "crm"))


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """What the tables hold, but for what differs each time: salts and the MACs over them, and who came first."""
    queries = {
        "records": "SELECT digest, controller, kind, key, rules, version, state FROM records ORDER BY digest",
        "events": "SELECT r.digest, e.version, e.partition, e.key, length(e.salt), length(e.mac), e.body"
        " FROM events e JOIN records r ON r.id = e.subject ORDER BY r.digest, e.version",
        "positions": "SELECT partition, position FROM events ORDER BY partition, position",
        "terms": "SELECT controller, id, text, key, mac FROM terms ORDER BY controller, id",
    }
    with closing(sqlite3.connect(path)) as connection:
        return {name: connection.execute(query).fetchall() for name, query in queries.items()}


async def test_both_ways_leave_the_same_bytes_in_a_store(tmp_path: Path) -> None:
    older = new_keyring("2026-11-21T00:00:00Z")
    newer = older.rotated("2026-11-22T00:00:00Z")
    rows = [*rows_of([*NEW, *KNOWN, "nobody", "@acme.example", NEW[5].upper()], NOW), *rows_of(KNOWN[3:6], NOW - DAY)]
    begun = tmp_path / "begun.sqlite3"
    store = a_store(begun, older)
    await fill(store, older)
    await store.close()
    found: list[tuple[object, ...]] = []
    for in_block in (False, True):
        path = tmp_path / f"{in_block}.sqlite3"
        shutil.copy(begun, path)
        store = a_store(path, newer)
        importing, *_ = importing_on(store, newer)
        outcomes = [told(await refuse(importing, rows, in_block=in_block)) for _ in range(2)]
        findings = (await store.audit(CONTROLLER, [])).findings
        await store.close()
        found.append((findings, outcomes, tables(path)))
    assert found[1] == found[0]
    assert found[1][0] == ("table policies: no policy is in force any more",)


async def test_an_empty_store_is_filled_in_the_order_of_the_list(tmp_path: Path) -> None:
    keyring, filled = new_keyring("2026-11-21T00:00:00Z"), []
    for in_block in (False, True):
        store = a_store(tmp_path / f"{in_block}.sqlite3", keyring)
        importing, *_ = importing_on(store, keyring)
        outcomes = await refuse(importing, rows_of(NEW, NOW), in_block=in_block)
        assert list(outcomes) == [RowOutcome.ADDED] * len(NEW)
        records = [record async for page in store.scan(CONTROLLER) for record in page]
        filled.append((records, list(await store.since(CONTROLLER, (0,) * 8, 1_000))))
        await store.close()
    assert filled[0] == filled[1]


@pytest.mark.parametrize("is_rotated", [False, True])
async def test_what_a_contact_holds_many_of_is_refused_at_each_of_them(*, is_rotated: bool) -> None:
    """Their records say the same, and yet each row reaches the others: they are no rows that are alike."""
    keyring = new_keyring("2026-11-21T00:00:00Z")
    held = [f"desk{number}@acme.example" for number in range(FEWEST_ALIKE + 4)]
    addresses = tuple(ContactAddress(Channel.EMAIL, address, None) for address in held)
    store = MemoryStore(keyring)
    *_, contacts = importing_on(store, keyring)
    await contacts.upsert(Contact("c1", addresses, (), "crm"))
    now_keyring = keyring.rotated("2026-11-22T00:00:00Z") if is_rotated else keyring
    found: list[tuple[object, ...]] = []
    for in_block in (False, True):
        copied = MemoryStore(now_keyring, deepcopy(store._cabinet))
        importing, *_ = importing_on(copied, now_keyring)
        outcomes = told(await refuse(importing, rows_of([*held[:-2], *NEW], NOW), in_block=in_block))
        records = {record.subject async for page in copied.scan(CONTROLLER) for record in page if record.refusals}
        found.append((outcomes, records, *await records_and_events(copied, CONTROLLER)))
    assert found[1] == found[0]
    refused = len(held) + len(NEW) + 1 + is_rotated * (len(held) - 2)
    assert len(found[0][1]) == refused  # type: ignore[arg-type]
