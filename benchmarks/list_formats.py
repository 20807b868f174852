"""What a scrub of each format costs beside reading and writing it bare (target: at most three times, better twice).

    python benchmarks/list_formats.py --rows 200000

The bare contender reads the list with the library of its format and writes every row to one file of that format; it
asks nobody about anything. Both take turns in one process and processor time is told, the smallest of each, because
whoever else uses the machine must not show. Lists are made from numbers, the same every time.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineWorkbook
from xlsxwriter import Workbook

from jobs.scrub import AddressChoice, ScrubPlan, scrub
from jobs.scrub.fast.engine import FastEngine
from prefcenter.bootstrap import Services, init_home, open_services
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import AddressKind, Channel, RefusalReason
from prefcenter.services.importing import RefusalRow
from prefcenter.settings import read_settings

ROOT = Path(__file__).resolve().parents[1]
CONTROLLER, PURPOSE = "opencontact", "candidate-contact"
SUPPRESSED_EVERY = 20
IMPORT_ROWS = 1_000

Rows = Sequence[Mapping[str, Any]]


def rows_of(count: int) -> Rows:
    """Rows of six cells, of which two are addresses."""
    return [
        {
            "id": number,
            "email": f"person{number}@company{number % 5_000}.example",
            "private": f"person{number}@mail{number % 7}.example",
            "name": f"Person {number}",
            "company": f"Company {number % 5_000} Ltd",
            "country": "GB",
        }
        for number in range(count)
    ]


def write_xlsx(rows: Rows, path: Path) -> None:
    with Workbook(str(path), {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, rows[0].keys())
        for number, row in enumerate(rows, 1):
            sheet.write_row(number, 0, row.values())


def write_lines(rows: Rows, path: Path) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def text_of(rows: Rows) -> bytes:
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    return "\n".join([*lines, ""]).encode()


def write_text(rows: Rows, path: Path) -> None:
    path.write_bytes(text_of(rows))


def write_packed(rows: Rows, path: Path) -> None:
    path.write_bytes(gzip.compress(text_of(rows), mtime=0))


def write_parquet(rows: Rows, path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows)), path)


def copy_xlsx(source: Path, target: Path) -> None:
    with Workbook(str(target), {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(CalamineWorkbook.from_path(source).get_sheet_by_index(0).iter_rows()):
            sheet.write_row(number, 0, row)


def copy_lines(source: Path, target: Path) -> None:
    with source.open(encoding="utf-8") as lines, target.open("w", encoding="utf-8") as out:
        out.writelines(f"{json.dumps(json.loads(line))}\n" for line in lines)


def copy_text(source: Path, target: Path) -> None:
    """DuckDB's copy, as beside the scrub of plain text (`benchmarks/scrub.py`)."""
    query = "COPY (FROM read_csv($source, all_varchar = true)) TO $target (HEADER)"
    duckdb.execute(query, {"source": str(source), "target": str(target)})


def copy_packed(source: Path, target: Path) -> None:
    with gzip.open(source) as lines, gzip.open(target, "wb", compresslevel=6) as out:
        out.writelines(lines)


def copy_parquet(source: Path, target: Path) -> None:
    with pq.ParquetFile(source) as file, pq.ParquetWriter(target, file.schema_arrow) as writer:
        for batch in file.iter_batches(1 << 16):
            writer.write_batch(batch)


FORMATS: dict[str, tuple[Callable[[Rows, Path], None], Callable[[Path, Path], None]]] = {
    ".csv": (write_text, copy_text),
    ".csv.gz": (write_packed, copy_packed),
    ".ndjson": (write_lines, copy_lines),
    ".xlsx": (write_xlsx, copy_xlsx),
    ".parquet": (write_parquet, copy_parquet),
}
COLUMNS = {
    "one column": (AddressChoice(Channel.EMAIL, "email"),),
    "two columns": (AddressChoice(Channel.EMAIL, "email"), AddressChoice(Channel.EMAIL, "private")),
}


def seconds(act: Callable[[], object]) -> float:
    """Processor time of an act, all threads together."""
    began = time.process_time()
    act()
    return time.process_time() - began


async def fill(services: Services, rows: Rows) -> None:
    """Refuse every twentieth person."""
    importing = (await services.controller(CONTROLLER)).importing
    emails = [str(row["email"]) for row in rows[::SUPPRESSED_EVERY]]
    for start in range(0, len(emails), IMPORT_ROWS):
        refused = [RefusalRow(email, services.clock()) for email in emails[start : start + IMPORT_ROWS]]
        await importing.refuse(refused, RefusalReason.MANUAL, EVERYTHING, "benchmark", AddressKind.EMAIL)


async def scrub_once(services: Services, path: Path, addresses: tuple[AddressChoice, ...], out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    found = await services.deciding(CONTROLLER)
    plan = ScrubPlan(path, PURPOSE, Channel.EMAIL, addresses=addresses, out=out)
    engine = FastEngine(plan, found.decisions, found.digester, found.store, found.sealer, path.parent)
    await scrub(plan, found.decisions, found.sealer, services.clock, engine=engine)


async def measure(place: Path, count: int, rounds: int) -> None:
    settings = read_settings({}, place / "home")
    await init_home(settings, ROOT / "fixtures" / "policies")
    rows = rows_of(count)
    async with open_services(settings) as services:
        await fill(services, rows)
        print(f"{'format':<12}{'columns':<14}{'bare µs/row':>12}{'scrub µs/row':>14}{'ratio':>8}")
        for suffix, (write, copy) in FORMATS.items():
            path = place / f"list{suffix}"
            write(rows, path)
            bare = min(seconds(lambda: copy(path, place / f"bare{suffix}")) for _ in range(rounds))  # noqa: B023
            for name, addresses in COLUMNS.items():
                times = []
                for _ in range(rounds + 1):
                    began = time.process_time()
                    await scrub_once(services, path, addresses, place / "out")
                    times.append(time.process_time() - began)
                scrubbed = min(times)
                shown = f"{1e6 * bare / count:>12.2f}{1e6 * scrubbed / count:>14.2f}{scrubbed / bare:>8.2f}"
                print(f"{suffix:<12}{name:<14}{shown}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(measure(Path(place), chosen.rows, chosen.rounds))


if __name__ == "__main__":
    main()
