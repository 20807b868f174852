"""Any list: the same rows in every format get the same answers, and come out in the format they came in."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import io
import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from python_calamine import CalamineWorkbook
from xlsxwriter import Workbook

from jobs.lists.content import CHUNK_BYTES
from jobs.lists.ndjson import is_ndjson
from jobs.scrub import AddressChoice, Progress, ScrubPlan, scrub
from prefcenter.domain.errors import InvalidInput, InvalidList
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import Channel
from tests.factories import NOW
from tests.jobs.lists.formats import MAKERS, as_csv, as_ndjson, as_parquet, as_xlsx, rows_in, unpacked
from tests.jobs.scrub.small_home import MeddledDecisions, SmallHome, a_plan, document, left_in, output

ROWS = [
    {"id": 1, "email": "pat@acme.example", "kind": "work", "note": "=1+1"},
    {"id": 2, "email": "Kim+x@Acme.example", "kind": "work", "note": 'Zoë, "Z"'},
    {"id": 3, "email": "lee@gmail.com", "kind": "work", "note": "http://acme.example"},
    {"id": 4, "email": "broken", "kind": "work", "note": ""},
    {"id": 5, "email": "", "kind": "work", "note": "x"},
    {"id": 6, "email": "sam@acme.example", "kind": "work", "note": "+44"},
]
EXPECTED = {
    "kept": [(1, None, None), (6, None, None)],
    "suppressed": [(2, "opted_out", "OC-1"), (3, "no_consent", "OC-3")],
    "rejected": [(4, "invalid_address", ""), (5, "empty_address", "")],
}


@pytest.fixture
def home() -> SmallHome:
    home = SmallHome()
    home.opt_out("kim@acme.example")
    return home


def with_reasons(directory: Path, suffix: str) -> dict[str, list[tuple[int, str | None, str | None]]]:
    rows = {name: rows_in(directory / "out" / f"{name}{suffix}") for name in EXPECTED}
    return {
        name: [(int(row["id"]), row.get("prefcenter_reason"), row.get("prefcenter_clause")) for row in found]
        for name, found in rows.items()
    }


@pytest.mark.parametrize("suffix", MAKERS)
def test_a_list_of_any_format_comes_out_in_its_own(tmp_path: Path, home: SmallHome, suffix: str) -> None:
    plan = a_plan(tmp_path, MAKERS[suffix](ROWS), f"list{suffix}", class_column="kind")
    manifest = home.scrub(plan)
    assert manifest.counts == {"read": 6, "kept": 2, "suppressed": 2, "rejected": 2}
    assert with_reasons(tmp_path, suffix) == EXPECTED
    kept = rows_in(tmp_path / "out" / f"kept{suffix}")
    assert [{**row, "id": int(row["id"])} for row in kept] == [ROWS[0], ROWS[5]]
    assert document(tmp_path)["outputs"].keys() == {f"{name}{suffix}" for name in EXPECTED}


@pytest.mark.parametrize("suffix", MAKERS)
def test_the_same_list_gives_the_same_bytes_in_any_format(tmp_path: Path, home: SmallHome, suffix: str) -> None:
    plan = a_plan(tmp_path, MAKERS[suffix](ROWS), f"list{suffix}", class_column="kind")
    first = home.scrub(plan).document["outputs"]
    (tmp_path / "out").rename(tmp_path / "before")
    assert home.scrub(plan).document["outputs"] == first


@pytest.mark.parametrize("suffix", MAKERS)
def test_a_list_that_was_cut_off_leaves_nothing(tmp_path: Path, home: SmallHome, suffix: str) -> None:
    if suffix in (".csv", ".ndjson"):
        content = MAKERS[suffix](ROWS)[:-30] + (b'"' if suffix == ".csv" else b"")
    else:
        content = MAKERS[suffix](ROWS * 50)
        content = content[: len(content) // 2]
    with pytest.raises(InvalidList):
        home.scrub(a_plan(tmp_path, content, f"list{suffix}", class_column="kind"))
    assert left_in(tmp_path) == [f"list{suffix}"]


@pytest.mark.parametrize("suffix", MAKERS)
def test_the_address_column_is_found_in_any_format(tmp_path: Path, home: SmallHome, suffix: str) -> None:
    manifest = home.scrub(a_plan(tmp_path, MAKERS[suffix](ROWS), f"list{suffix}"))
    assert manifest.document["list"]["addressColumn"] == 2


@pytest.mark.parametrize("suffix", MAKERS)
def test_a_column_that_is_not_there_is_an_error_in_any_format(tmp_path: Path, home: SmallHome, suffix: str) -> None:
    for option in ("address_column", "class_column", "audience_column"):
        with pytest.raises(InvalidList, match="names none of"):
            home.scrub(a_plan(tmp_path, MAKERS[suffix](ROWS), f"list{suffix}", **{option: "nonsense"}))


@pytest.mark.parametrize("suffix", MAKERS)
def test_a_list_from_standard_input_is_like_one_in_a_file(tmp_path: Path, home: SmallHome, suffix: str) -> None:
    content = MAKERS[suffix](ROWS)
    plan = ScrubPlan(Path("-"), "client-marketing", Channel.EMAIL, class_column="kind", at_ms=NOW, out=tmp_path / "out")
    manifest = asyncio.run(scrub(plan, home.decisions, home.sealer, lambda: NOW, standard_input=io.BytesIO(content)))
    own = suffix.replace(".jsonl", ".ndjson")
    assert with_reasons(tmp_path, own) == EXPECTED
    assert manifest.document["list"]["name"] == "-"
    assert left_in(tmp_path) == ["out"]


def test_standard_input_that_is_closed_or_named_twice_is_an_error(tmp_path: Path, home: SmallHome) -> None:
    plan = ScrubPlan(Path("-"), "client-marketing", Channel.EMAIL, out=tmp_path / "out")
    with pytest.raises(InvalidList, match="standard input is closed"):
        home.scrub(plan)
    with pytest.raises(InvalidInput, match="standard input can be read once"):
        home.scrub(a_plan(tmp_path, further=(Path("-"), Path("-"))))


def test_what_comes_from_standard_input_never_has_a_name(tmp_path: Path, home: SmallHome) -> None:
    class Watched(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            seen.extend(name for name in left_in(tmp_path) if name.startswith("prefcenter-"))
            return super().read(size)

    seen: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path))
        plan = ScrubPlan(Path("-"), "client-marketing", Channel.EMAIL, out=tmp_path / "out")
        content = Watched(b"email\n" + b"pat@acme.example\n" * (2 * CHUNK_BYTES // 17))
        asyncio.run(scrub(plan, home.decisions, home.sealer, lambda: NOW, standard_input=content))
    assert seen == []


@pytest.mark.parametrize("suffix", MAKERS)
def test_several_files_are_one_list(tmp_path: Path, home: SmallHome, suffix: str) -> None:
    for name, rows in (("b", ROWS[2:4]), ("a", ROWS[:2]), ("c", ROWS[4:])):
        (tmp_path / f"{name}{suffix}").write_bytes(MAKERS[suffix](rows))
    plan = a_plan(tmp_path, b"unused", "list.csv", class_column="kind", path=tmp_path / f"[abc]{suffix}")
    manifest = home.scrub(plan)
    assert with_reasons(tmp_path, suffix) == EXPECTED
    assert [entry["name"] for entry in manifest.document["inputs"]] == [f"{name}{suffix}" for name in "abc"]
    assert (manifest.document["list"]["name"], manifest.document["list"]["rows"]) == (None, 6)


def test_a_last_line_without_an_end_gets_one_where_another_file_follows(tmp_path: Path, home: SmallHome) -> None:
    (tmp_path / "b.csv").write_bytes(b"email,kind\r\nsam@acme.example,work")
    plan = a_plan(tmp_path, b"email,kind\r\npat@acme.example,work", class_column="kind", further=(tmp_path / "b.csv",))
    home.scrub(plan)
    assert output(tmp_path, "kept.csv") == b"email,kind\r\npat@acme.example,work\r\nsam@acme.example,work"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (b"email;kind\nx@acme.example;work\n", "differs from"),
        (b"email,sort\nx@acme.example,work\n", "has other columns"),
        (as_ndjson(ROWS), "differs from"),
        (gzip.compress(b"email,kind\nx@acme.example,work\n"), "differs from"),
    ],
    ids=["delimiter", "columns", "format", "packing"],
)
def test_files_that_are_unlike_are_no_list(tmp_path: Path, home: SmallHome, other: bytes, message: str) -> None:
    (tmp_path / "other").write_bytes(other)
    with pytest.raises(InvalidList, match=message):
        home.scrub(a_plan(tmp_path, b"email,kind\nx@acme.example,work\n", further=(tmp_path / "other",)))


def test_a_pattern_that_names_no_file_is_an_error(tmp_path: Path, home: SmallHome) -> None:
    with pytest.raises(InvalidList, match="names no file"):
        home.scrub(a_plan(tmp_path, path=tmp_path / "none*.csv"))


def test_a_line_of_json_in_kept_is_its_input_bytes(tmp_path: Path, home: SmallHome) -> None:
    kept = b' {"email" : "pat@acme.example","kind":"work", "n": 1.50e3, "x": {"a": [1, null]}, "s": "\\u00e9"} \r\n'
    empty = b"{ }\n"
    content = b"\n" + kept + b"  \n" + b'{"email":"kim@acme.example","kind":"work"}\n' + empty
    manifest = home.scrub(a_plan(tmp_path, content, "list.ndjson", class_column="kind"))
    assert output(tmp_path, "kept.ndjson") == kept
    added = b',"prefcenter_reason":"opted_out","prefcenter_clause":"OC-1"}\n'
    assert output(tmp_path, "suppressed.ndjson") == b'{"email":"kim@acme.example","kind":"work"' + added
    assert output(tmp_path, "rejected.ndjson") == (b'{ "prefcenter_reason":"empty_address","prefcenter_clause":""}\n')
    assert manifest.counts["read"] == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"email": "pat@acme.example"', "is not one JSON object"),
        (b'{"email": "pat@acme.example"}}', "is not one JSON object"),
        (b'["pat@acme.example"]', "is not one JSON object"),
        (b'{"email": NaN}', "is not one JSON object"),
        (b'{"email": "pat@acme.example", "em\\u0061il": "kim@acme.example"}', "has two members of one name"),
        (b'{"email": "\xff@acme.example"}', "is not UTF-8"),
        (b"[" * 100_000, "is not one JSON object"),
        (b'{"email": "' + b"x" * (1 << 20) + b'"}', "is longer than 1 MiB"),
    ],
)
def test_a_line_that_is_no_object_is_a_fault_of_the_list(
    tmp_path: Path, home: SmallHome, line: bytes, message: str
) -> None:
    content = b'{"email": "pat@acme.example"}\n\n' + line + b"\n"
    with pytest.raises(InvalidList, match=rf"list\.ndjson:3: record: {message}"):
        home.scrub(a_plan(tmp_path, content, "list.ndjson"))
    assert left_in(tmp_path) == ["list.ndjson"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [("null", "empty_address"), ("[]", "invalid_address"), ("true", "invalid_address"), ("17", "invalid_address")],
)
def test_a_member_that_is_no_text_is_no_address(tmp_path: Path, home: SmallHome, value: str, reason: str) -> None:
    content = b'{"email": "pat@acme.example"}\n' + f'{{"email": {value}}}\n'.encode()
    manifest = home.scrub(a_plan(tmp_path, content, "list.ndjson"))
    assert manifest.document["reasons"]["rejected"] == {reason: 1}


def test_a_number_is_a_phone_number_as_it_is_written(tmp_path: Path, home: SmallHome) -> None:
    content = b'{"mobile": 447700900123}\n{"mobile": 4.477009E+11}\n'
    plan = a_plan(tmp_path, content, "list.ndjson", channel=Channel.SMS, purpose="candidate-contact")
    assert home.scrub(plan).counts == {"read": 2, "kept": 1, "suppressed": 0, "rejected": 1}


def test_numbers_of_sheets_and_columns_are_phone_numbers_too(tmp_path: Path, home: SmallHome) -> None:
    rows = [{"id": 1, "mobile": 447700900123}, {"id": 2, "mobile": 12}]
    for suffix, content in ((".xlsx", as_xlsx(rows)), (".parquet", as_parquet(rows))):
        out = tmp_path / f"out{suffix}"
        plan = a_plan(tmp_path, content, f"list{suffix}", channel=Channel.SMS, purpose="candidate-contact", out=out)
        assert home.scrub(plan).counts == {"read": 2, "kept": 1, "suppressed": 0, "rejected": 1}
        assert rows_in(out / f"kept{suffix}") == rows[:1]


def a_workbook() -> bytes:
    content = io.BytesIO()
    with Workbook(content) as book:
        book.add_worksheet("Read me").write(0, 0, "Nothing to see")
        sheet = book.add_worksheet("People")
        sheet.write_row(2, 1, ["email", "since", "at", "long", "yes", "sum"])
        sheet.write(3, 1, "pat@acme.example")
        sheet.write_datetime(
            3, 2, datetime.datetime.fromisoformat("2026-01-02T03:04:05"), book.add_format({"num_format": "d/m/yy h:m"})
        )
        sheet.write_datetime(3, 3, datetime.time(2, 3), book.add_format({"num_format": "hh:mm"}))
        sheet.write_datetime(3, 4, datetime.timedelta(hours=30), book.add_format({"num_format": "[h]:mm"}))
        sheet.write_boolean(3, 5, True)
        sheet.write_formula(3, 6, "=1+1", None, 2)
        sheet.write_datetime(
            5, 2, datetime.datetime.fromisoformat("2026-01-02"), book.add_format({"num_format": "d/m/yy"})
        )
    return content.getvalue()


def test_values_of_a_sheet_stay_what_and_where_they_are(tmp_path: Path, home: SmallHome) -> None:
    plan = a_plan(tmp_path, a_workbook(), "list.xlsx", sheet="People", purpose="candidate-contact")
    manifest = home.scrub(plan)
    assert manifest.counts == {"read": 3, "kept": 1, "suppressed": 0, "rejected": 2}
    sheets = {
        name: CalamineWorkbook.from_path(path).get_sheet_by_name("People").to_python(skip_empty_area=False)
        for name, path in (("before", tmp_path / "list.xlsx"), ("after", tmp_path / "out" / "kept.xlsx"))
    }
    assert sheets["after"] == sheets["before"][:4]
    assert manifest.document["list"]["sheet"] == "People"


@pytest.mark.parametrize("suffix", [".ndjson", ".parquet"])
def test_an_error_shows_the_names_that_a_format_gives_its_columns(tmp_path: Path, home: SmallHome, suffix: str) -> None:
    """No row can be taken for the header there, so that even words which no list of headings knows may be shown."""
    plan = a_plan(tmp_path, MAKERS[suffix]([{"zodiac": "x", "lucky": "y"}]), f"list{suffix}")
    there = r'column 1 \("zodiac"\) and column 2 \("lucky"\)'
    with pytest.raises(InvalidList, match=f"no column holds email addresses; there are {there}; choose one"):
        home.scrub(plan)
    with pytest.raises(InvalidList, match=f"--class-column names none of {there}"):
        home.scrub(replace(plan, address_column="zodiac", class_column="kind"))
    choices = (AddressChoice(Channel.EMAIL, "zodiac"), AddressChoice(Channel.SMS, "mobile"))
    with pytest.raises(InvalidList, match=f"--address sms=COLUMN names none of {there}"):
        home.scrub(replace(plan, addresses=choices))


@pytest.mark.parametrize("start", [b"[", b"[\n  ", b"\xef\xbb\xbf\n", b" "])
def test_json_that_is_not_an_object_a_line_is_told_as_such(tmp_path: Path, home: SmallHome, start: bytes) -> None:
    content = start + b'{"email":\n"pat@acme.example"}\n'
    with pytest.raises(InvalidList, match=r"list\.csv:1: list: is JSON, but its first line is no object; NDJSON has"):
        home.scrub(a_plan(tmp_path, content))
    assert left_in(tmp_path) == ["list.csv"]


def test_text_that_looks_like_a_formula_stays_text(tmp_path: Path, home: SmallHome) -> None:
    home.scrub(a_plan(tmp_path, as_xlsx(ROWS), "list.xlsx", class_column="kind"))
    for name in EXPECTED:
        with ZipFile(tmp_path / "out" / f"{name}.xlsx") as archive:
            sheet = archive.read("xl/worksheets/sheet1.xml").decode()
            assert "<f>" not in sheet
            assert "hyperlink" not in sheet


@pytest.mark.parametrize(
    ("content", "changes", "message"),
    [
        (a_workbook(), {"sheet": "Nobody"}, 'has no sheet that --sheet names; it has "Read me", "People"'),
        (as_xlsx(ROWS)[:-20], {}, "cannot be read as a workbook"),
        (b"PK\x03\x04", {}, "cannot be read as a workbook"),
    ],
    ids=["sheet", "cut off", "signature"],
)
def test_a_workbook_that_cannot_be_read_is_an_error(
    tmp_path: Path, home: SmallHome, content: bytes, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidList, match=message):
        home.scrub(a_plan(tmp_path, content, "list.xlsx", **changes))


def test_an_archive_that_is_no_workbook_or_unpacks_to_too_much_is_an_error(tmp_path: Path, home: SmallHome) -> None:
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        archive.writestr("list.csv", "email\n")
    with pytest.raises(InvalidList, match="no Excel workbook"):
        home.scrub(a_plan(tmp_path, content.getvalue(), "list.xlsx"))
    book = as_xlsx(ROWS)
    place = book.index(b"PK\x01\x02") + 24
    with pytest.raises(InvalidList, match=r"unpacks to more than 4 GiB|cannot be read as a workbook"):
        home.scrub(a_plan(tmp_path, book[:place] + b"\xfe\xff\xff\xff" + book[place + 4 :], "list.xlsx"))


def test_a_workbook_with_a_damaged_part_is_an_error(tmp_path: Path, home: SmallHome) -> None:
    content = io.BytesIO()
    with ZipFile(io.BytesIO(as_xlsx(ROWS))) as whole, ZipFile(content, "w") as damaged:
        for part in whole.namelist():
            damaged.writestr(part, b"<nothing" if part == "xl/workbook.xml" else whole.read(part))
    with pytest.raises(InvalidList, match=r"cannot be read as a workbook|has no sheet"):
        home.scrub(a_plan(tmp_path, content.getvalue(), "list.xlsx"))


def test_a_parquet_file_with_a_damaged_page_leaves_nothing(tmp_path: Path, home: SmallHome) -> None:
    rows = [{"email": f"person{number}@acme.example"} for number in range(3_000)]
    content = bytearray(as_parquet(rows))
    content[1_000:1_200] = bytes(200)
    with pytest.raises(InvalidList, match="cannot be read as Parquet"):
        home.scrub(a_plan(tmp_path, bytes(content), "list.parquet", address_column="email"))
    assert left_in(tmp_path) == ["list.parquet"]


def test_a_column_of_nothing_holds_no_addresses(tmp_path: Path, home: SmallHome) -> None:
    content = io.BytesIO()
    pq.write_table(pa.table({"email": pa.nulls(3), "id": [1, 2, 3]}), content)
    manifest = home.scrub(a_plan(tmp_path, content.getvalue(), "list.parquet", address_column="email"))
    assert manifest.document["reasons"]["rejected"] == {"empty_address": 3}


@pytest.mark.parametrize("suffix", [".csv.gz", ".jsonl.gz", ".csv.zst"])
def test_a_packed_list_that_is_cut_off_late_leaves_nothing(tmp_path: Path, home: SmallHome, suffix: str) -> None:
    rows = [{"id": number, "email": f"person{number * 7919}@acme.example"} for number in range(20_000)]
    content = MAKERS[suffix](rows)[:-10]
    with pytest.raises(InvalidList, match=r"cannot be unpacked to its end; was it cut off\?$"):
        home.scrub(a_plan(tmp_path, content, f"list{suffix}"))
    assert left_in(tmp_path) == [f"list{suffix}"]


def test_long_lines_of_json_make_short_batches(tmp_path: Path, home: SmallHome) -> None:
    seen: list[Progress] = []
    line = json.dumps({"email": "pat@acme.example", "note": "x" * 1_000_000}).encode() + b"\n"
    plan = a_plan(tmp_path, line * 7, "list.ndjson")
    asyncio.run(scrub(plan, home.decisions, home.sealer, lambda: NOW, seen.append))
    assert [progress.rows for progress in seen] == [5, 7]


def test_an_empty_sheet_is_an_error(tmp_path: Path, home: SmallHome) -> None:
    content = io.BytesIO()
    with Workbook(content) as book:
        book.add_worksheet()
    with pytest.raises(InvalidList, match="the sheet is empty"):
        home.scrub(a_plan(tmp_path, content.getvalue(), "list.xlsx"))


def test_a_parquet_file_keeps_types_names_and_compression(tmp_path: Path, home: SmallHome) -> None:
    table = pa.table(
        {
            "email": pa.array(["pat@acme.example", "kim@acme.example", None], pa.large_string()),
            "kind": pa.array(["work", "work", "work"]).dictionary_encode(),
            "when": pa.array([1, 2, 3], pa.timestamp("us", "UTC")),
            "tags": pa.array([["a"], [], None], pa.list_(pa.string())),
        }
    ).replace_schema_metadata({"made": "by hand"})
    content = io.BytesIO()
    pq.write_table(table, content, compression="brotli")
    manifest = home.scrub(a_plan(tmp_path, content.getvalue(), "list.parquet", class_column="kind"))
    kept = pq.read_table(tmp_path / "out" / "kept.parquet")
    assert kept.schema.equals(pq.read_schema(tmp_path / "list.parquet"), check_metadata=True)
    assert kept.to_pylist() == table.to_pylist()[:1]
    suppressed = pq.read_table(tmp_path / "out" / "suppressed.parquet")
    assert [str(suppressed.schema.field(name).type) for name in suppressed.schema.names[-2:]] == ["string"] * 2
    compression = pq.ParquetFile(tmp_path / "out" / "rejected.parquet").metadata.row_group(0).column(0).compression
    assert compression == "BROTLI"
    assert manifest.document["reasons"]["rejected"] == {"empty_address": 1}


def test_a_parquet_file_without_rows_gives_files_without_rows(tmp_path: Path, home: SmallHome) -> None:
    content = io.BytesIO()
    pq.write_table(pa.table({"email": pa.array([], pa.string())}), content)
    assert home.scrub(a_plan(tmp_path, content.getvalue(), "list.parquet")).counts["read"] == 0
    assert pq.read_table(tmp_path / "out" / "suppressed.parquet").num_rows == 0


def test_many_rows_of_a_parquet_file_are_in_few_row_groups(tmp_path: Path, home: SmallHome) -> None:
    rows = [{"email": "pat@acme.example"}] * 70_000
    home.scrub(a_plan(tmp_path, as_parquet(rows), "list.parquet", purpose="candidate-contact"))
    assert pq.ParquetFile(tmp_path / "out" / "kept.parquet").metadata.num_row_groups == 2


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"email": pa.array([[1]])}, r"holds list<.*>, which is neither text nor numbers"),
        ({"email": ["pat@acme.example"], "prefcenter_reason": ["x"]}, "has a column prefcenter_reason already"),
    ],
)
def test_a_parquet_file_that_cannot_be_scrubbed_is_an_error(
    tmp_path: Path, home: SmallHome, table: dict[str, Any], message: str
) -> None:
    content = io.BytesIO()
    pq.write_table(pa.table(table), content)
    with pytest.raises(InvalidList, match=message):
        home.scrub(a_plan(tmp_path, content.getvalue(), "list.parquet", address_column="email"))
    assert left_in(tmp_path) == ["list.parquet"]


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet", ".ndjson", ".csv.zst"])
def test_a_list_of_any_format_that_changes_after_it_was_opened_is_refused(
    tmp_path: Path, home: SmallHome, suffix: str
) -> None:
    async def change_the_list() -> None:
        (tmp_path / f"list{suffix}").write_bytes(MAKERS[suffix](ROWS[::-1]))
        await home.recording.opt_out("somebody@acme.example", EVERYTHING, "form")

    plan = a_plan(tmp_path, MAKERS[suffix](ROWS), f"list{suffix}", class_column="kind")
    if suffix == ".xlsx":
        assert home.scrub(plan, MeddledDecisions(home, before_batch=change_the_list)).is_stale
        assert with_reasons(tmp_path, suffix) == EXPECTED
        return
    with pytest.raises(InvalidList, match=r"changed while it was being read|cannot be"):
        home.scrub(plan, MeddledDecisions(home, before_batch=change_the_list))
    assert left_in(tmp_path) == [f"list{suffix}"]


def test_few_bytes_that_unpack_to_many_are_read_in_little_memory(tmp_path: Path, home: SmallHome) -> None:
    packer = zstandard.ZstdCompressor().compressobj()
    blank = b" " * (1 << 20)
    content = packer.compress(b"email,note\npat@acme.example,") + b"".join(packer.compress(blank) for _ in range(200))
    tracemalloc.start()
    with pytest.raises(InvalidList, match="is longer than 1 MiB"):
        home.scrub(a_plan(tmp_path, content + packer.flush(), "list.csv.zst"))
    assert len(content) < 1 << 16
    assert tracemalloc.get_traced_memory()[1] < 50 << 20
    tracemalloc.stop()


def test_packed_outputs_are_lists_of_the_same_bytes(tmp_path: Path, home: SmallHome) -> None:
    home.scrub(a_plan(tmp_path, class_column="kind", out=tmp_path / "plain"))
    plain = (tmp_path / "list.csv").read_bytes()
    for suffix, packed in ((".gz", gzip.compress(plain)), (".zst", zstandard.compress(plain))):
        home.scrub(a_plan(tmp_path, packed, f"list.csv{suffix}", class_column="kind", out=tmp_path / suffix))
        for name in EXPECTED:
            expected = (tmp_path / "plain" / f"{name}.csv").read_bytes()
            assert unpacked(tmp_path / suffix / f"{name}.csv{suffix}") == expected


def test_json_is_told_from_text_by_what_it_is() -> None:
    assert is_ndjson(json.dumps({"email": "x" * 5000}).encode()[:4096])
    assert is_ndjson(b'\xef\xbb\xbf\n{"a":1}\n{"b')
    assert not is_ndjson(b"{a},b\n")
    assert not is_ndjson(b'["a"]\n')
    assert not is_ndjson(as_csv(ROWS))
