"""A real SQLite store full of plain refusals, filled through the store's own bulk append: ledger, records and seals."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from prefcenter.bootstrap import init_home, open_services
from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.events import EVERYTHING, Refused
from prefcenter.domain.record import Record, fold
from prefcenter.domain.terms import RefusalReason
from prefcenter.security.vector_digests import Forms, VectorKey
from prefcenter.services.ports import Change, Store
from prefcenter.settings import Settings, read_settings

POLICIES = Path(__file__).resolve().parents[1] / "fixtures" / "policies"
CONTROLLER = "opencontact"
KEY, RULES = 1, 1
CHANGES_AN_APPEND = 20_000
MAILBOXES_A_RUN = 1_000_000
"""Are written in the order of their digests, or SQLite's index would be rewritten with every commit."""

FIRST_MS, STEP_MS = 1_700_000_000_000, 997


async def fill(settings: Settings, mailboxes: Iterator[bytes]) -> None:
    """Make a home in which each mailbox has refused everything, each at a time of its own."""
    await init_home(settings, POLICIES)
    async with open_services(settings) as services:
        found = await services.deciding(CONTROLLER)
        key, first = found.digester.vector_keys()[KEY], 0
        while run := list(islice(mailboxes, MAILBOXES_A_RUN)):
            await _append(found.store, digests_of(key, run), first)
            first += len(run)


async def opt_out_more(store: Store, key: VectorKey, first: int, count: int) -> None:
    """Refusals of mailboxes that no list has, as they come in between two scrubs."""
    mailboxes = [b"later%d@stranger.example" % number for number in range(first, first + count)]
    await _append(store, digests_of(key, mailboxes), first)


def digests_of(key: VectorKey, mailboxes: Sequence[bytes]) -> list[bytes]:
    """The digests of mailboxes, in their own order."""
    digests = key.digests(Forms.of([bytes((DigestKind.MAILBOX,)) + mailbox for mailbox in mailboxes]))
    return sorted(map(digests.value, range(len(digests))))


async def _append(store: Store, values: Sequence[bytes], first: int) -> None:
    for start in range(0, len(values), CHANGES_AN_APPEND):
        batch = values[start : start + CHANGES_AN_APPEND]
        changes = [_opted_out(value, first + number) for number, value in enumerate(batch, start)]
        await store.append(CONTROLLER, changes, bulk=True)


def _opted_out(value: bytes, number: int) -> Change:
    event = Refused(FIRST_MS + STEP_MS * number, None, RefusalReason.OPTED_OUT, EVERYTHING, "form")
    before = Record(Digest(DigestKind.MAILBOX, KEY, RULES, value))
    return Change(before, (event,), fold(before, event))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("count", type=int)
    arguments = parser.parse_args()
    mailboxes = (b"pat%d@company%d.example" % (number, number % 50_000) for number in range(arguments.count))
    asyncio.run(fill(read_settings({}, arguments.home), mailboxes))
