"""Lists of one and the same content in every format, made and read by the libraries that users have."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from python_calamine import CalamineWorkbook
from xlsxwriter import Workbook

Table = Sequence[Mapping[str, Any]]


def as_csv(rows: Table) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_ndjson(rows: Table) -> bytes:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()


def as_xlsx(rows: Table) -> bytes:
    content = io.BytesIO()
    with Workbook(content, {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        sheet = book.add_worksheet("Contacts")
        sheet.write_row(0, 0, rows[0].keys())
        for number, row in enumerate(rows, 1):
            sheet.write_row(number, 0, row.values())
    return content.getvalue()


def as_parquet(rows: Table) -> bytes:
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), content, compression="zstd")
    return content.getvalue()


MAKERS: dict[str, Callable[[Table], bytes]] = {
    ".csv": as_csv,
    ".csv.gz": lambda rows: gzip.compress(as_csv(rows)),
    ".csv.zst": lambda rows: zstandard.compress(as_csv(rows)),
    ".ndjson": as_ndjson,
    ".jsonl.gz": lambda rows: gzip.compress(as_ndjson(rows)),
    ".xlsx": as_xlsx,
    ".parquet": as_parquet,
}


def unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(content)
    return zstandard.ZstdDecompressor().decompressobj().decompress(content) if path.suffix == ".zst" else content


def from_xlsx(path: Path) -> list[dict[str, Any]]:
    header, *rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    return [dict(zip(map(str, header), row, strict=True)) for row in rows]


def rows_in(path: Path) -> list[dict[str, Any]]:
    """The rows of an output, read by another reader than ours."""
    if ".csv" in path.suffixes:
        return list(csv.DictReader(io.StringIO(unpacked(path).decode(), newline="")))
    if {".ndjson", ".jsonl"} & set(path.suffixes):
        return [json.loads(line) for line in unpacked(path).splitlines()]
    return from_xlsx(path) if path.suffix == ".xlsx" else pq.read_table(path).to_pylist()
