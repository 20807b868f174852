"""How many bytes a plain refusal takes on disk, with its record, index and ledger (target: at most 200).

    python benchmarks/store_bytes.py --rows 1000000

Digests are made without addresses, because only their length and spread matter here. Everything else is real: events
are `Refused`, sealed and chained by the store, appended in bulk as an import does. The file is measured after the store
was closed, when nothing is left in the write-ahead log.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from prefcenter.domain.address import RULES_VERSIONS
from prefcenter.domain.digest import DIGEST_BYTES, Digest, DigestKind
from prefcenter.domain.events import EVERYTHING, Refused
from prefcenter.domain.record import Record, fold
from prefcenter.domain.terms import RefusalReason
from prefcenter.security.keyring import new_keyring
from prefcenter.services.ports import Change
from prefcenter.storage import create_store, open_store

BYTES_MAX = 200
BATCH_ROWS = 5_000
STARTED_MS = 1_795_000_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="refusals to write (default: %(default)s)")
    parser.add_argument("--directory", type=Path, help="where to write (default: the temporary directory)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        path = Path(directory) / "store.sqlite3"
        began = time.perf_counter()
        asyncio.run(_fill(path, arguments.rows))
        _report(path, arguments.rows, time.perf_counter() - began)


async def _fill(path: Path, rows: int) -> None:
    url = f"sqlite://{path}"
    create_store(url)
    store = open_store(url, new_keyring("2026-11-21T00:00:00Z"))
    try:
        for start in range(0, rows, BATCH_ROWS):
            changes = [_refusal(number) for number in range(start, min(start + BATCH_ROWS, rows))]
            await store.append("acme", changes, bulk=True)
    finally:
        await store.close()


def _refusal(number: int) -> Change:
    value = hashlib.blake2b(number.to_bytes(8, "big"), digest_size=DIGEST_BYTES).digest()
    before = Record(Digest(DigestKind.MAILBOX, 1, RULES_VERSIONS[0], value))
    event = Refused(STARTED_MS + number, None, RefusalReason.OPTED_OUT, EVERYTHING, "form")
    return Change(before, (event,), fold(before, event))


def _report(path: Path, rows: int, seconds: float) -> None:
    size = sum(file.stat().st_size for file in path.parent.iterdir())
    rate = rows / seconds
    print(f"SQLite {sqlite3.sqlite_version}: {rows:,} plain refusals in {seconds:.1f} s ({rate:,.0f} a second)")
    print(f"{size:,} bytes on disk: {size / rows:.1f} bytes a refusal (at most {BYTES_MAX})")
    for name, its_bytes in _split(path):
        print(f"  {name:<34}{its_bytes / rows:8.1f}")
    if size > BYTES_MAX * rows:
        raise SystemExit(1)


def _split(path: Path) -> Iterator[tuple[str, int]]:
    """Bytes of each table and index, largest first; nothing where SQLite was built without the dbstat table."""
    query = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name HAVING sum(pgsize) > 16384 ORDER BY 2 DESC"
    with closing(sqlite3.connect(path)) as connection:
        try:
            yield from connection.execute(query)
        except sqlite3.OperationalError:
            print("  (this SQLite cannot say which table takes how much)")


if __name__ == "__main__":
    main()
