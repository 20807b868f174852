"""How fast a list is scrubbed, beside what would be done without prefcenter, in one run.

    python benchmarks/scrub.py --rows 1000000 --suppressed 10000000

List and suppressions are made from numbers, the same every time. Each contender runs in a process of its own, whose
peak memory is told. The store's snapshot is written straight from the suppressions' digests, because filling a ledger
with ten million events is another measurement; the scrub that opens it and runs on it is the one that users run. The
reference engine runs up to 100,000 rows and on an empty store, which flatters it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from jobs.scrub.snapshot.export import SnapshotKeeper
from jobs.scrub.snapshot.snapshot_file import Contents
from jobs.scrub.snapshot.spill import CONSENT_ENTRY, STATE_ENTRY, Spilled
from jobs.scrub.snapshot.state import UNTOLD, State
from prefcenter.bootstrap import init_home, open_services
from prefcenter.domain.digest import DigestKind
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import RefusalReason
from prefcenter.security.vector_digests import Forms
from prefcenter.settings import Settings, read_settings

ROOT = Path(__file__).resolve().parents[1]
CONTROLLER, PURPOSE = "opencontact", "candidate-contact"
SIZES = ((100_000, 1_000_000), (1_000_000, 1_000_000), (10_000_000, 1_000_000), (10_000_000, 10_000_000))
REFERENCE_ROWS_MAX = 100_000
FORMS_A_PART = 500_000
MIB_KIB = 1024
POLL_S = 0.01

MACROS = """
CREATE MACRO h(i, s) AS (hash(i * 1000003 + s) >> 8);
CREATE MACRO pick(i, s, words) AS list_extract(words, (h(i, s) % len(words) + 1)::INT);
CREATE MACRO first_name(i) AS pick(i, 1, ['ada', 'bo', 'cleo', 'dan', 'eve', 'finn', 'gita', 'hugo', 'ines', 'jo']);
CREATE MACRO last_name(i) AS pick(i, 2, ['adler', 'brook', 'costa', 'dietz', 'evans', 'ferry', 'green', 'holm']);
CREATE MACRO domain(i) AS CASE WHEN h(i, 3) % 10 < 6
    THEN pick(i, 4, ['mail', 'post', 'inbox', 'letters', 'web']) || '.example'
    ELSE 'company' || (h(i, 5) % 50000) || pick(i, 6, ['.example', '.shop.example', '.co.example']) END;
CREATE MACRO address(i) AS first_name(i) || pick(i, 7, ['.', '_', '-', '']) || last_name(i) || i || '@' || domain(i);
"""
LIST_QUERY = """
WITH numbered AS (
    SELECT row, CASE WHEN h(row, 11) % 100 < 5 THEN (h(row, 12) % {suppressed})::BIGINT ELSE 100000000 + row END AS i,
        h(row, 13) % 100 = 0 AS is_odd, h(row, 14) % 10 AS oddity
    FROM range({rows}) t(row))
SELECT CASE WHEN NOT is_odd THEN address(i)
        WHEN oddity < 3 THEN upper(address(i))
        WHEN oddity < 5 THEN '  ' || address(i) || ' '
        WHEN oddity < 6 THEN first_name(i) || '@b' || chr(252) || 'cher' || (h(i, 15) % 300) || '.example'
        WHEN oddity < 8 THEN replace(address(i), '@', '+news@')
        WHEN oddity < 9 THEN replace(address(i), '@', ' at ')
        ELSE '' END AS email,
    first_name(i) AS first_name, last_name(i) AS last_name,
    CASE WHEN h(row, 16) % 50 = 0 THEN last_name(i) || ', "' || first_name(i) || '" & Co'
        ELSE 'Company ' || (h(row, 17) % 50000) || ' Ltd' END AS company,
    '+44 20 7946 0' || (h(row, 18) % 900 + 100) AS phone, pick(row, 19, ['US', 'DE', 'FR', 'GB', 'IN']) AS country
FROM numbered ORDER BY row
"""


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one size."""

    directory: Path

    @property
    def contacts(self) -> Path:
        return self.directory / "list.csv"

    @property
    def suppressed(self) -> Path:
        return self.directory / "suppressed.csv"

    @property
    def settings(self) -> Settings:
        return read_settings({}, self.directory / "home")


@dataclass(frozen=True, slots=True)
class Measured:
    name: str
    seconds: float
    peak_mib: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the list (default: %(default)s)")
    parser.add_argument("--suppressed", type=int, default=1_000_000, help="suppressions (default: %(default)s)")
    parser.add_argument("--all", action="store_true", help="every size of docs/performance.md")
    parser.add_argument("--rounds", type=int, default=3, help="of each contender; the fastest counts")
    parser.add_argument("--directory", type=Path, help="where to write (default: the temporary directory)")
    parser.add_argument("--run", nargs=2, metavar=("CONTENDER", "DIRECTORY"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        name, directory = arguments.run
        PLAIN[name](Place(Path(directory)))
        return
    for rows, suppressed in SIZES if arguments.all else [(arguments.rows, arguments.suppressed)]:
        with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
            _compare(Place(Path(directory)), rows, suppressed, arguments.rounds)


def _compare(place: Place, rows: int, suppressed: int, rounds: int) -> None:
    _make_files(place, rows, suppressed)
    asyncio.run(_make_home(place))
    contenders = [*PLAIN, "fast", *(["reference"] if rows <= REFERENCE_ROWS_MAX else [])]
    best: dict[str, Measured] = {}
    for _ in range(rounds):
        for name in contenders:
            measured = _measure(name, place)
            best[name] = min(best.get(name, measured), measured, key=lambda one: one.seconds)
    _print_table(rows, suppressed, [best[name] for name in contenders], place.contacts.stat().st_size)


def _make_files(place: Place, rows: int, suppressed: int) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = true")
        connection.execute(MACROS)
        query = LIST_QUERY.format(rows=rows, suppressed=suppressed)
        connection.execute(f"COPY ({query}) TO '{place.contacts}' (HEADER)")
        suppressions = f"SELECT address(i) AS email FROM range({suppressed}) t(i)"
        connection.execute(f"COPY ({suppressions}) TO '{place.suppressed}' (HEADER)")


async def _make_home(place: Place) -> None:
    """A home whose snapshot holds an opt-out of everything for each suppression."""
    await init_home(place.settings, ROOT / "fixtures" / "policies")
    async with open_services(place.settings) as services:
        found = await services.deciding(CONTROLLER)
        key, rules = found.digester.vector_keys()[1], 1
        heads = await found.store.heads(CONTROLLER)
        keeper = SnapshotKeeper(CONTROLLER, found.store, found.sealer, place.settings.snapshots)
        opted_out = State((DigestKind.MAILBOX, 1, rules), ((RefusalReason.OPTED_OUT, EVERYTHING),))
        directory = keeper.directory_made()
        with Spilled(STATE_ENTRY, directory) as spilled, Spilled(CONSENT_ENTRY, directory) as consents:
            known: list[tuple[bytes, int]] = []
            for forms in _mailboxes(place):
                digests = key.digests(forms)
                spilled.add(digests, code=np.ones(len(digests), np.uint32))
                known.append((digests.value(0), 1))
            keeper.write(Contents(CONTROLLER, heads, 0, [None, opted_out, UNTOLD], 2, spilled, [], consents, known))


def _mailboxes(place: Place) -> Sequence[Forms]:
    """The suppressions' mailbox forms: their addresses are written in lower case and without tags."""
    lines = place.suppressed.read_bytes().split(b"\n")[1:-1]
    kind = bytes((DigestKind.MAILBOX,))
    parts = (lines[start : start + FORMS_A_PART] for start in range(0, len(lines), FORMS_A_PART))
    return [Forms.of([kind + line for line in part]) for part in parts]


def _measure(name: str, place: Place) -> Measured:
    command = _command(name, place)
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
    peak_kib = 0
    while process.poll() is None:
        peak_kib = max(peak_kib, _peak_kib(process.pid))
        time.sleep(POLL_S)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{name} failed")
    shutil.rmtree(place.directory / "out", ignore_errors=True)
    return Measured(name, seconds, peak_kib / MIB_KIB)


def _peak_kib(process_id: int) -> int:
    """The most memory that a process has had so far; what a parent had when it forked counts in `getrusage`."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def _command(name: str, place: Place) -> Sequence[str]:
    if name in PLAIN:
        return [sys.executable, __file__, "--run", name, str(place.directory)]
    scrub = f"scrub {place.contacts} --controller {CONTROLLER} --purpose {PURPOSE} --channel email --engine {name}"
    start = "import sys; from prefcenter.cli import main; sys.exit(main())"
    program = [sys.executable, "-c", start, "--home", str(place.settings.home)]
    return [*program, *scrub.split(), "--out", str(place.directory / "out")]


def _duckdb(query: str) -> Callable[[Place], None]:
    def run(place: Place) -> None:
        read = (
            "read_csv('{}', header=true, all_varchar=true, delim=',', quote='\"', escape='\"', auto_detect=false, {})"
        )
        columns = ", ".join(f"'{name}': 'VARCHAR'" for name in ("email", "first_name", "last_name", "company", "phone"))
        contacts = read.format(place.contacts, f"columns={{{columns}, 'country': 'VARCHAR'}}")
        suppressed = read.format(place.suppressed, "columns={'email': 'VARCHAR'}")
        with duckdb.connect() as connection:
            chosen = query.format(contacts=contacts, suppressed=suppressed)
            connection.execute(f"COPY ({chosen}) TO '{place.directory / 'plain.csv'}' (HEADER)")

    return run


def _polars(place: Place) -> None:
    import polars

    contacts = polars.scan_csv(place.contacts, infer_schema=False)
    suppressed = polars.scan_csv(place.suppressed, infer_schema=False)
    kept = contacts.join(suppressed, on="email", how="anti", maintain_order="left")
    kept.sink_csv(place.directory / "plain.csv")


def _comm(place: Place) -> None:
    """The addresses only: `comm` knows no columns. The list's are cut out by `cut`, as far as it can."""
    script = "comm -23 <(cut -d, -f1 {} | LC_ALL=C sort -u) <(LC_ALL=C sort -u {}) > {}"
    line = script.format(place.contacts, place.suppressed, place.directory / "plain.csv")
    subprocess.run(["bash", "-c", line], check=True, env={**os.environ, "LC_ALL": "C"})


PLAIN: dict[str, Callable[[Place], None]] = {
    "duckdb copy": _duckdb("SELECT * FROM {contacts}"),
    "duckdb anti-join": _duckdb(
        "SELECT * FROM {contacts} c WHERE NOT EXISTS (FROM {suppressed} s WHERE s.email = c.email)"
    ),
    "polars anti-join": _polars,
    "sort | comm": _comm,
}


def _print_table(rows: int, suppressed: int, measured: Sequence[Measured], size: int) -> None:
    seconds = {one.name: one.seconds for one in measured}
    print(f"\n{rows:,} rows ({size / 1e6:,.0f} MB) x {suppressed:,} suppressions, {os.cpu_count()} cores\n")
    print("| contender | s | rows/s | x duckdb copy | x duckdb anti-join | peak MiB |")
    print("|---|---:|---:|---:|---:|---:|")
    for one in measured:
        ratios = (one.seconds / seconds[name] for name in ("duckdb copy", "duckdb anti-join"))
        copy, join = (f"{ratio:.2f}" for ratio in ratios)
        print(f"| {one.name} | {one.seconds:.2f} | {rows / one.seconds:,.0f} | {copy} | {join} | {one.peak_mib:,.0f} |")
    print(flush=True)


if __name__ == "__main__":
    main()
