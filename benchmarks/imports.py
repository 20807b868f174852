"""How fast a list of refusals is imported, beside plain inserts into SQLite, in one run (target: 30,000 rows a second).

    python benchmarks/imports.py --rows 1000000

The limit is inserts of the same rows, made up beforehand, into the tables of a store: no list to read, no digest, seal
or chain, nothing to look up first. The other is what one would do instead: the addresses as they are, in a table of
their own. Both go by `executemany` in transactions as long as ours, in write-ahead mode, waiting for the disk
(`synchronous=FULL`). The list is made from numbers. Each contender runs in a process of its own; the seconds are those
of the work, loading its libraries included but not compiling them, which happens once on a machine. Processor time is
that of all threads.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from jobs.imports import RefusalImport, import_refusals
from prefcenter.bootstrap import init_home, open_services
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.ledger import PARTITIONS
from prefcenter.domain.terms import Channel, RefusalReason
from prefcenter.security.seals import MAC_BYTES, SALT_BYTES
from prefcenter.settings import read_settings
from prefcenter.storage.sqlite import WRITER_CACHE_KIB
from prefcenter.storage.sqlite_schema import connect, create

ROOT = Path(__file__).resolve().parents[1]
CONTROLLER = "opencontact"
ROWS_A_COMMIT = 4_000
SHORT_ROWS, WARM_UP_ROWS = 15_000, 25_000
DIGEST_BYTES, STATE_BYTES, BODY_BYTES = 16, 21, 27
FIRST_NAMES = "ada bo cleo dan eve finn gita hugo ines jo".split()
LAST_NAMES = "adler brook costa dietz evans ferry green holm".split()
DOMAINS = "mail.example post.example inbox.example company.example sales.company.example".split()


@dataclass(frozen=True, slots=True)
class Measured:
    """What a contender took."""

    rows: int
    seconds: float
    processor_s: float
    peak_mib: float


def address(number: int) -> str:
    first, last = FIRST_NAMES[number % 10], LAST_NAMES[number // 7 % 8]
    return f"{first}.{last}{number}@{DOMAINS[number % 5]}"


def write_list(path: Path, numbers: range) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        written = csv.writer(file)
        written.writerow(("id", "email", "name", "company"))
        written.writerows(
            (number, address(number), f"Person {number}", f"Company {number % 50_000}") for number in numbers
        )


def batched(rows: Iterator[tuple[object, ...]]) -> Iterator[list[tuple[object, ...]]]:
    while batch := list(islice(rows, ROWS_A_COMMIT)):
        yield batch


def insert_plaintext(place: Path, _rows: int) -> int:
    """The addresses of the list, each once, with reason and time."""
    with closing(sqlite3.connect(place / "plain.sqlite3", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE plain (address TEXT PRIMARY KEY, reason TEXT, source TEXT, at_ms INTEGER)")
        done = 0
        with (place / "first.csv").open(encoding="utf-8", newline="") as file:
            rows = ((row["email"].strip().lower(), "manual", "crm", 1) for row in csv.DictReader(file))
            for batch in batched(rows):
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("INSERT OR IGNORE INTO plain VALUES (?, ?, ?, ?)", batch)
                connection.execute("COMMIT")
                done += len(batch)
    return done


def insert_made_up_rows(place: Path, rows: int) -> int:
    """Rows of records and events as a store has them, of random bytes."""
    path = place / "limit.sqlite3"
    create(path)
    state, body, positions = bytes(STATE_BYTES), bytes(BODY_BYTES), [0] * PARTITIONS
    with closing(connect(path, mode="rw")) as connection:
        connection.execute(f"PRAGMA cache_size={-WRITER_CACHE_KIB}")
        for start in range(0, rows, ROWS_A_COMMIT):
            records, events = [], []
            for number in range(start + 1, min(start + ROWS_A_COMMIT, rows) + 1):
                digest, partition = os.urandom(DIGEST_BYTES), number % PARTITIONS
                positions[partition] += 1
                records.append((number, 1, 2, 1, 1, 1, digest, state))
                salt, mac = os.urandom(SALT_BYTES), os.urandom(MAC_BYTES)
                events.append((partition, positions[partition], number, 1, 1, salt, mac, body))
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)", records)
            connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", events)
            connection.execute("COMMIT")
    return rows


def import_list(name: str) -> Callable[[Path, int], int]:
    """Import a list into the home of the place."""

    async def run(place: Path) -> int:
        async with open_services(read_settings({}, place / "home")) as services:
            found = await services.controller(CONTROLLER)
            plan = RefusalImport(place / name, Channel.EMAIL, RefusalReason.MANUAL, EVERYTHING, "crm", "email")
            return (await import_refusals(plan, found.importing, found.policy.country)).read

    return lambda place, _: asyncio.run(run(place))


CONTENDERS: dict[str, tuple[str, Callable[[Path, int], int]]] = {
    "plaintext": ("the addresses as they are, inserted into SQLite", insert_plaintext),
    "limit": ("made-up records and events, inserted into SQLite", insert_made_up_rows),
    "new": ("**import into an empty store**", import_list("first.csv")),
    "again": ("import of the same list again", import_list("first.csv")),
    "half": ("import of a list of which half is known", import_list("second.csv")),
    "short": ("import of a short list, row by row", import_list("short.csv")),
}


def measure(name: str, place: Path, rows: int) -> Measured:
    """Run a contender in a process of its own."""
    command = [sys.executable, __file__, "--run", name, "--rows", str(rows), "--place", str(place)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return Measured(**json.loads(ran.stdout))


def run_here(name: str, place: Path, rows: int) -> None:
    began, processor = time.perf_counter(), time.process_time()
    done = CONTENDERS[name][1](place, rows)
    took = time.perf_counter() - began, time.process_time() - processor
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows": done, "seconds": took[0], "processor_s": took[1], "peak_mib": peak_mib}))


def prepare(place: Path, rows: int) -> None:
    write_list(place / "first.csv", range(rows))
    write_list(place / "second.csv", range(rows // 2, rows + rows // 2))
    write_list(place / "short.csv", range(2 * rows, 2 * rows + SHORT_ROWS))
    asyncio.run(init_home(read_settings({}, place / "home"), ROOT / "fixtures" / "policies"))


def warm_up(place: Path) -> None:
    """Have everything compiled that an import needs."""
    place.mkdir()
    prepare(place, WARM_UP_ROWS)
    measure("new", place, WARM_UP_ROWS)
    measure("half", place, WARM_UP_ROWS)


def table(measured: dict[str, Measured]) -> Iterator[str]:
    """Rows and ratios; of the ratios, those of processor time do not know who else was using the machine."""
    limit = measured["limit"]
    yield "| | rows/s | rows per processor second | × limit | × limit, processor time | peak MiB |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name, found in measured.items():
        speed, of_processor = found.rows / found.seconds, found.rows / found.processor_s
        slower = limit.rows / limit.seconds / speed, limit.rows / limit.processor_s / of_processor
        yield (
            f"| {CONTENDERS[name][0]} | {speed:,.0f} | {of_processor:,.0f} | {slower[0]:.2f} | {slower[1]:.2f} |"
            f" {found.peak_mib:,.0f} |"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the list (default: %(default)s)")
    parser.add_argument("--place", type=Path, help="where to write (default: a temporary directory)")
    parser.add_argument("--run", choices=sorted(CONTENDERS), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.run is not None:
        run_here(chosen.run, chosen.place, chosen.rows)
        return
    with tempfile.TemporaryDirectory(dir=chosen.place) as name:
        place = Path(name)
        warm_up(place / "warm-up")
        prepare(place, chosen.rows)
        measured = {contender: measure(contender, place, chosen.rows) for contender in CONTENDERS}
        size = sum(file.stat().st_size for file in (place / "home").glob("store.sqlite3*"))
    print(f"{chosen.rows:,} rows, SQLite {sqlite3.sqlite_version}; the store holds {size:,} bytes in the end")
    print("\n".join(table(measured)))


if __name__ == "__main__":
    main()
