"""How fast a list is scrubbed, beside what would be done without prefcenter, in one run.

    python benchmarks/scrub.py --rows 1000000 --suppressed 10000000

List and suppressions are made from numbers, the same every time. Each contender runs in a process of its own, whose
peak memory is told. The store's snapshot is written straight from the suppressions' digests; the scrub that opens it
and runs on it is the one that users run. With `--store` a ledger is filled with as many refusals, which takes minutes,
and exported. The reference engine runs up to 100,000 rows and on an empty store, which flatters it.

Tables go to standard output as Markdown, each as soon as it is there. A size that fails is told, the others are run all
the same, and the exit code is 1; each takes a directory of its own, which is gone afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.measuring import ROOT, Failed, Measured, measured
from benchmarks.plaintext import COPY, JOIN, PLAIN, plain_command
from benchmarks.snapshots import print_exports
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

CONTROLLER, PURPOSE = "opencontact", "candidate-contact"
SIZES = ((100_000, 1_000_000), (1_000_000, 1_000_000), (10_000_000, 1_000_000), (10_000_000, 10_000_000))
REFERENCE_ROWS_MAX = 100_000
FORMS_A_PART = 500_000
OCTETS_A_ROW, OCTETS_A_SUPPRESSION, OCTETS_A_RECORD = 400, 120, 500
"""How much disk a size takes at most: the list and what is written of it twice over, the plaintext suppressions and
the snapshot with what it is sorted in; a filled store."""


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


def main() -> None:
    arguments = _arguments()
    sizes = SIZES if arguments.all else [(arguments.rows, arguments.suppressed)]
    failures = [failure for size in sizes for failure in _run(arguments, *size)]
    if failures:
        raise SystemExit("\n".join(failures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the list (default: %(default)s)")
    parser.add_argument("--suppressed", type=int, default=1_000_000, help="suppressions (default: %(default)s)")
    parser.add_argument("--all", action="store_true", help="every size of docs/performance.md")
    parser.add_argument("--store", action="store_true", help="fill a real store as well, and export it")
    parser.add_argument("--rounds", type=int, default=3, help="of each contender; the fastest counts")
    parser.add_argument("--directory", type=Path, help="where to write (default: the temporary directory)")
    return parser.parse_args()


def _run(arguments: argparse.Namespace, rows: int, suppressed: int) -> Iterator[str]:
    """Measure one size; gives what failed."""
    named = f"{rows:,} rows x {suppressed:,} suppressions"
    try:
        with tempfile.TemporaryDirectory(dir=arguments.directory) as name:
            directory = Path(name).resolve()
            _require_room(directory, rows, suppressed, has_store=arguments.store)
            yield from (
                f"{named}: {failure}" for failure in _compare(Place(directory), rows, suppressed, arguments.rounds)
            )
            if arguments.store:
                print_exports(directory, suppressed)
    except (Failed, OSError, duckdb.Error) as error:
        yield f"{named}: {error}"


def _require_room(directory: Path, rows: int, suppressed: int, *, has_store: bool) -> None:
    needed = OCTETS_A_ROW * rows + (OCTETS_A_SUPPRESSION + OCTETS_A_RECORD * has_store) * suppressed
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise OSError(f"needs {needed / 1e9:.1f} GB in {directory.parent}, which has {free / 1e9:.1f}")


def _compare(place: Place, rows: int, suppressed: int, rounds: int) -> list[str]:
    """Print the table of a size; gives the contenders that failed, which are left out of it."""
    _make_files(place, rows, suppressed)
    asyncio.run(_make_home(place))
    contenders = [*PLAIN, "fast", *(["reference"] if rows <= REFERENCE_ROWS_MAX else [])]
    _measure("fast", place)  # Compiles what is kept compiled from then on.
    best: dict[str, Measured] = {}
    failures: dict[str, None] = {}
    for name in [name for _ in range(rounds) for name in contenders]:
        try:
            run = _measure(name, place)
        except Failed as failure:
            failures[str(failure)] = None
        else:
            best[name] = min(best.get(name, run), run, key=lambda one: one.seconds)
    _print_table(rows, suppressed, [best[name] for name in contenders if name in best], place.contacts.stat().st_size)
    return list(failures)


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
    try:
        return measured(name, _command(name, place))
    finally:
        shutil.rmtree(place.directory / "out", ignore_errors=True)
        (place.directory / "plain.csv").unlink(missing_ok=True)


def _command(name: str, place: Place) -> Sequence[str]:
    if name in PLAIN:
        return plain_command(name, place.contacts, place.suppressed, place.directory / "plain.csv")
    scrub = f"scrub {place.contacts} --controller {CONTROLLER} --purpose {PURPOSE} --channel email --engine {name}"
    # Numba loads coverage where it finds it, which it does in environments for development only.
    start = "import sys; sys.modules['coverage'] = None; from prefcenter.cli import main; sys.exit(main())"
    program = [sys.executable, "-c", start, "--home", str(place.settings.home)]
    return [*program, *scrub.split(), "--out", str(place.directory / "out")]


def _print_table(rows: int, suppressed: int, measures: Sequence[Measured], size: int) -> None:
    by_name = {one.name: one for one in measures}
    print(f"\n{rows:,} rows ({size / 1e6:,.0f} MB) x {suppressed:,} suppressions, {os.cpu_count()} cores\n")
    print("| contender | s | rows/s | x duckdb copy | x duckdb anti-join | s of processor | x anti-join's | peak MiB |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for one in measures:
        copy, join = (_ratio(one.seconds, by_name.get(name), "seconds") for name in (COPY, JOIN))
        cpu = _ratio(one.cpu_seconds, by_name.get(JOIN), "cpu_seconds")
        print(
            f"| {one.name} | {one.seconds:.2f} | {rows / one.seconds:,.0f} | {copy} | {join} |"
            f" {one.cpu_seconds:.2f} | {cpu} | {one.peak_mib:,.0f} |"
        )
    print(flush=True)


def _ratio(value: float, other: Measured | None, of: str) -> str:
    return "" if other is None else f"{value / getattr(other, of):.2f}"


if __name__ == "__main__":
    main()
