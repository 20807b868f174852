"""How long a store takes to export its snapshot, the first time and after some acts.

    python benchmarks/snapshots.py --records 10000000

The store is a real one of SQLite, filled with plain refusals through its own bulk append: ledger, records and seals,
each refusal at a time of its own. Each export runs in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from itertools import islice
from pathlib import Path

from benchmarks.measuring import ROOT, Measured, measured
from jobs.scrub.snapshot.export import SnapshotKeeper
from prefcenter.bootstrap import init_home, open_services
from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.events import EVERYTHING, Refused
from prefcenter.domain.record import Record, fold
from prefcenter.domain.terms import RefusalReason
from prefcenter.security.vector_digests import Forms, VectorKey
from prefcenter.services.ports import Change, Store
from prefcenter.settings import Settings, read_settings

CONTROLLER = "opencontact"
KEY, RULES = 1, 1
CHANGES_AN_APPEND = 20_000
MAILBOXES_A_RUN = 1_000_000
"""Are written in the order of their digests, or SQLite's index would be rewritten with every commit."""

MORE_ACTS = (1_000, 100_000)
FIRST_MS, STEP_MS = 1_700_000_000_000, 997


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=100_000, help="records of the store (default: %(default)s)")
    parser.add_argument("--directory", type=Path, help="where to write (default: the temporary directory)")
    parser.add_argument("--run", nargs="+", metavar="STEP", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        step, home, *numbers = arguments.run
        asyncio.run(STEPS[step](read_settings({}, Path(home)), *map(int, numbers)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        print_exports(Path(directory).resolve(), arguments.records)


def print_exports(directory: Path, records: int) -> None:
    """A table of what it takes to fill a store and to export it. Raises Failed."""
    print(f"\nThe snapshot of a store with {records:,} records\n")
    print("| step | s | s of processor | of them a second of processor | peak MiB |")
    print("|---|---:|---:|---:|---:|")
    for one, about in _steps(directory / "filled", records):
        rate = f"{about / one.cpu_seconds:,.0f}" if about else ""
        print(f"| {one.name} | {one.seconds:.1f} | {one.cpu_seconds:.1f} | {rate} | {one.peak_mib:,.0f} |", flush=True)
    print(flush=True)


def _steps(home: Path, records: int) -> Iterator[tuple[Measured, int]]:
    """Each step, and how many records or acts it is about."""

    def run(name: str, step: str, *numbers: int) -> Measured:
        return measured(name, [sys.executable, __file__, "--run", step, home, *map(str, numbers)])

    yield run("the store is filled", "fill", records), records
    yield run("first export", "export"), records
    yield run("nothing happened since", "export"), 0
    acts = 0
    for more in MORE_ACTS:
        run("acts", "act", acts, more)
        acts += more
        yield run(f"{more:,} acts since", "export"), more


async def fill(settings: Settings, records: int) -> None:
    """Make a home in which so many mailboxes have refused everything, each at a time of its own."""
    await init_home(settings, ROOT / "fixtures" / "policies")
    mailboxes = (b"pat%d@company%d.example" % (number, number % 50_000) for number in range(records))
    async with open_services(settings) as services:
        found = await services.deciding(CONTROLLER)
        key, first = found.digester.vector_keys()[KEY], 0
        while run := list(islice(mailboxes, MAILBOXES_A_RUN)):
            await _append(found.store, _digests_of(key, run), first)
            first += len(run)


async def act(settings: Settings, first: int, count: int) -> None:
    """Refusals of further mailboxes, as they come in between two scrubs."""
    mailboxes = [b"later%d@stranger.example" % number for number in range(first, first + count)]
    async with open_services(settings) as services:
        found = await services.deciding(CONTROLLER)
        await _append(found.store, _digests_of(found.digester.vector_keys()[KEY], mailboxes), first)


async def export(settings: Settings) -> None:
    """What a scrub does before its first row."""
    async with open_services(settings) as services:
        found = await services.deciding(CONTROLLER)
        await SnapshotKeeper(CONTROLLER, found.store, found.sealer, settings.snapshots).current()


STEPS: dict[str, Callable[..., Coroutine[None, None, None]]] = {"fill": fill, "act": act, "export": export}


def _digests_of(key: VectorKey, mailboxes: Sequence[bytes]) -> list[bytes]:
    """The digests of mailboxes, in their own order."""
    return sorted(key.digests(Forms.of([bytes((DigestKind.MAILBOX,)) + mailbox for mailbox in mailboxes])).values())


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
    main()
