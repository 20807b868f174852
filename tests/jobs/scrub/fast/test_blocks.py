"""Lists of any format in blocks: several columns, cells of every make, and lists with faults, by both engines."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.scrub import AddressChoice, ScrubPlan, scrub
from jobs.scrub.fast.row_kinds import RowKinds
from jobs.scrub.tally import EMPTY, RAGGED, Outcome, Output
from prefcenter.domain.errors import InvalidList
from prefcenter.domain.terms import AddressClass, Channel
from tests.factories import NOW
from tests.jobs.scrub.fast.test_columns import ADDRESSES, PHONES
from tests.jobs.scrub.fast.two_engines import TwoEngines, engines_of_home
from tests.jobs.scrub.small_home import MeddledDecisions, SmallHome, a_plan, left_in

TWO = (AddressChoice(Channel.EMAIL, "email"), AddressChoice(Channel.SMS, "mobile"))
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".csv": bytes,
    ".ndjson": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
}
BOM = b"\xef\xbb\xbf"


@pytest.fixture(scope="module")
def home() -> SmallHome:
    home = SmallHome()
    home.opt_out("kim@acme.example")
    home.opt_out("+447700900123")
    return home


@pytest.fixture
def both(home: SmallHome, tmp_path: Path) -> TwoEngines:
    return engines_of_home(home, tmp_path / "cache")


def scrubbed(both: TwoEngines, directory: Path, content: bytes, name: str, **changes: Any) -> dict[str, int]:
    """Both engines' counts, which are the same, as are the files."""
    plan = a_plan(directory, content, name, **({"addresses": TWO, "purpose": "candidate-contact"} | changes))
    reference, fast = both.manifests(plan, directory)
    assert (reference.document["run"]["engine"], fast.document["run"]["engine"]) == ("reference", "fast")
    return dict(fast.counts)


CELLS = (
    "pat@acme.example", "kim@acme.example", '"kim@acme.example"', '"a""b"@acme.example', '"kim@acme.example" ', "",
    '" "', "broken", '"Zo\u00eb <zo\u00eb@acme.example>"', "+447700900123", '"+44 7700\n900124"', "12",
)  # fmt: skip
rows_of_text = st.lists(st.lists(st.sampled_from(CELLS), min_size=1, max_size=4), min_size=1, max_size=12)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows_of_text, st.sampled_from([",", ";"]), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_cells_are_blanked_however_they_are_written(
    home: SmallHome,
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[str]],
    delimiter: str,
    end: str,
    is_ended: bool,
) -> None:
    directory = tmp_path_factory.mktemp("drawn")
    lines = [delimiter.join(row) for row in (["mobile", "note", "email"], *rows)]
    content = (end.join(lines) + end * is_ended).encode()
    scrubbed(engines_of_home(home, directory / "cache"), directory, content, "list.csv")


LINES = (
    '{"email":"pat@acme.example","mobile":"+447700900124"}',
    '{ "mobile" : "+447700900123" , "email":"pat@acme.example", "x":[{"email":1}] } ',
    '{"email":"kim@acme.example","mobile":447700900124,"y":"zo\u00eb"}',
    '{"email":"p\\u0061t@acme.example","mobile":null}',
    '{"em\\u0061il":"kim@acme.example","mobile":"+447700900124"}',
    '{"email":["pat@acme.example"],"mobile":{"a":true}}',
    '{"email":true,"mobile":"\\ud800"}',
    '{"email":"pat@acme.example"}',
    '{"mobile":1.50e3}',
    "{}",
    " { } ",
    '{"email":"","mobile":""}',
    "",
    "  ",
)
drawn_lines = st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(["\n", "\r\n", " \r\n"])), max_size=12)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn_lines, st.booleans())
def test_lines_of_json_are_taken_whatever_is_in_them(
    home: SmallHome, tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, str]], is_marked: bool
) -> None:
    directory = tmp_path_factory.mktemp("drawn")
    text = "".join(f"{line}{end}" for line, end in [(LINES[0], "\n"), *drawn])
    content = BOM * is_marked + text.removesuffix("\n").encode()
    scrubbed(engines_of_home(home, directory / "cache"), directory, content, "list.ndjson")


def a_table(chance: random.Random, count: int) -> pa.Table:
    emails = [chance.choice([*ADDRESSES, None]) for _ in range(count)]
    return pa.table(
        {
            "id": range(count),
            "email": emails,
            "mobile": pa.array([chance.choice([*PHONES, None]) for _ in range(count)], pa.large_string()),
            "tags": pa.array([["a"], [], None] * (count // 3) + [None] * (count % 3), pa.list_(pa.string())),
        }
    ).replace_schema_metadata({"made": "by hand"})


def as_bytes(table: pa.Table, **options: Any) -> bytes:
    content = io.BytesIO()
    pq.write_table(table, content, **options)
    return content.getvalue()


@pytest.mark.parametrize("options", [{}, {"row_group_size": 1_000, "compression": "gzip"}])
def test_columns_of_parquet_stay_columns(tmp_path: Path, both: TwoEngines, options: dict[str, Any]) -> None:
    counts = scrubbed(both, tmp_path, as_bytes(a_table(random.Random(5), 5_000), **options), "list.parquet")
    assert all(counts[output] > 0 for output in Output)
    kept = pq.read_table(tmp_path / "by-fast" / "kept.parquet")
    assert kept.schema.metadata[b"made"] == b"by hand"
    assert kept.num_rows == counts["kept"]


EMAILS = ["pat@acme.example", "kim@acme.example", None, "", "Kim+x@Acme.example"]


@pytest.mark.parametrize(
    "emails",
    [
        pa.array(EMAILS, pa.large_string()),
        pa.array(EMAILS).dictionary_encode(),
        pa.array([None] * 5, pa.string()),
        pa.array([447700900123, None, 5, 0, -1]),
        pa.nulls(5),
        pa.array([b"pat@acme.example", b"p\xfft@acme.example", b"\xff", None, b"kim@acme.example"]).view(pa.string()),
    ],
    ids=["large", "dictionary", "nothing", "numbers", "nulls", "odd bytes"],
)
@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS])
def test_addresses_of_parquet_are_read_whatever_their_type(
    tmp_path: Path, both: TwoEngines, emails: pa.Array, channel: Channel
) -> None:
    table = pa.table({"email": emails, "mobile": PHONES})
    addresses = (AddressChoice(channel, "email"), TWO[1])
    counts = scrubbed(both, tmp_path, as_bytes(table), "list.parquet", addresses=addresses)
    assert counts["read"] == 5


def test_a_parquet_file_without_rows_has_no_blocks(tmp_path: Path, both: TwoEngines) -> None:
    table = pa.table({"email": pa.array([], pa.string()), "mobile": pa.array([], pa.string())})
    assert scrubbed(both, tmp_path, as_bytes(table), "list.parquet")["read"] == 0


def test_classes_are_those_of_the_column_of_the_row_or_of_the_heading(tmp_path: Path, both: TwoEngines) -> None:
    addresses = (
        AddressChoice(Channel.EMAIL, "home_mail"),
        AddressChoice(Channel.EMAIL, "email"),
        AddressChoice(Channel.EMAIL, "other", AddressClass.BUSINESS),
    )
    rows = [f"pat@acme.example,pat@acme.example,pat@acme.example,{kind}" for kind in ("work", "home", "", "?")]
    content = "\n".join(["home_mail,email,other,kind", *rows, "short", ""]).encode()
    plan = {"addresses": addresses, "class_column": "kind", "purpose": "client-marketing"}
    assert scrubbed(both, tmp_path, content, "list.csv", **plan) == {
        "read": 5,
        "kept": 4,
        "suppressed": 0,
        "rejected": 1,
    }


def long_list(suffix: str) -> bytes:
    rows = [
        {"id": number, "email": ADDRESSES[number % len(ADDRESSES)], "mobile": f"+4477009{number % 100_000:05}"}
        for number in range(6_000)
    ]
    lines = [",".join(map(str, row.values())) for row in rows]
    text = "\n".join(["id,email,mobile", *lines, ""])
    if "json" in suffix:
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
    return PACKERS[suffix[suffix.rindex(".") :]](text.encode())


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".csv.zst", ".ndjson", ".jsonl.gz"])
def test_lists_of_many_blocks_come_out_in_their_order(tmp_path: Path, home: SmallHome, suffix: str) -> None:
    plan = a_plan(tmp_path, long_list(suffix), f"list{suffix}", addresses=TWO[:1], purpose="candidate-contact")
    both = engines_of_home(home, tmp_path / "cache")
    small = replace(both.fast(plan), block_octets_max=10_000)
    by_small, by_large = replace(plan, out=tmp_path / "small"), replace(plan, out=tmp_path / "large")
    asyncio.run(scrub(by_small, home.decisions, home.sealer, lambda: NOW, engine=small))
    asyncio.run(both.scrub(by_large, by_fast=False))
    for output in Output:
        name = f"{output}{suffix}"
        assert (tmp_path / "small" / name).read_bytes() == (tmp_path / "large" / name).read_bytes()


LONG = b"x" * (1 << 20)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.ndjson", b'{"email":"pat@acme.example"}\n{"email":1,"email":2}\n'),
        ("list.ndjson", b'{"email":"pat@acme.example"}\n["pat@acme.example"]\n'),
        ("list.ndjson", b'{"email":"pat@acme.example"}\n{"email":NaN}\n'),
        ("list.ndjson", b'{"email":"pat@acme.example"}\n{"email":"\xff"}\n'),
        ("list.ndjson", b'{"email":"pat@acme.example"}\n{"email":"%s"}\n' % LONG),
        ("list.ndjson", BOM + b'{"email":"%s"}\n' % LONG[14:]),
        ("list.ndjson.gz", gzip.compress(b'{"email":"pat@acme.example"}\n' * 9_000, mtime=0)[:-9]),
        ("list.csv.gz", gzip.compress(b"email,x\n" + b"pat@acme.example,1\n" * 9_000, mtime=0)[:-9]),
        ("list.csv.zst", zstandard.compress(b'email,x\n"pat@acme.example,1\n')),
    ],
)
def test_what_is_wrong_with_a_list_is_told_in_the_words_of_the_reference(
    tmp_path: Path, both: TwoEngines, name: str, content: bytes
) -> None:
    plan = a_plan(tmp_path, content, name, address_column="email")
    faults = []
    for by_fast in (False, True):
        with pytest.raises(InvalidList) as fault:
            asyncio.run(both.scrub(plan, by_fast=by_fast))
        faults.append(str(fault.value))
    assert faults[0] == faults[1]
    assert left_in(tmp_path) in ([name], ["cache", name])


def test_the_longest_line_that_the_reader_takes_is_taken(tmp_path: Path, both: TwoEngines) -> None:
    start, end = BOM + b'{"email":"pat@acme.example","note":"', b'"}\n'
    content = start + LONG[len(start) + len(end) :] + end
    assert len(content) == len(LONG)
    addresses = (AddressChoice(Channel.EMAIL, "email"),)
    assert scrubbed(both, tmp_path, content, "list.ndjson", addresses=addresses)["read"] == 1


@pytest.mark.parametrize(
    ("name", "before", "start", "end"),
    [("list.ndjson", b"", b'{"email":"', b'"}\n'), ("list.csv", b"email,mobile\n", b"1,", b"\n")],
)
def test_a_row_that_fits_until_its_reason_is_added_is_rejected(
    tmp_path: Path, both: TwoEngines, name: str, before: bytes, start: bytes, end: bytes
) -> None:
    content = before + start + LONG[len(start) + len(end) :] + end
    addresses = (AddressChoice(Channel.EMAIL, "email"),)
    counts = scrubbed(both, tmp_path, content, name, addresses=addresses)
    assert counts == {"read": 1, "kept": 0, "suppressed": 0, "rejected": 1}
    assert (tmp_path / "by-fast" / f"rejected.{name.partition('.')[2]}").stat().st_size > len(LONG)


@pytest.mark.parametrize(
    ("suffix", "changed"),
    [
        (".csv.gz", gzip.compress(b"id,email\n1,pat@acme.example\n", mtime=0)),
        (".ndjson", b'{"email":"pat@acme.example"}\n'),
    ],
)
def test_a_list_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, home: SmallHome, suffix: str, changed: bytes
) -> None:
    async def change_the_list() -> None:
        (tmp_path / f"list{suffix}").write_bytes(changed)

    meddled = MeddledDecisions(home, before_heads=change_the_list)
    plan = a_plan(tmp_path, long_list(suffix), f"list{suffix}", address_column="email")
    engine = replace(engines_of_home(home, tmp_path / "cache").fast(plan), decider=meddled)
    with pytest.raises(InvalidList, match="changed while it was being read"):
        asyncio.run(scrub(plan, meddled, home.sealer, lambda: NOW, engine=engine))
    assert left_in(tmp_path) in ([f"list{suffix}"], ["cache", f"list{suffix}"])


def test_a_dry_run_of_any_format_counts_what_would_be_written(tmp_path: Path, both: TwoEngines) -> None:
    plan = a_plan(tmp_path, long_list(".ndjson"), "list.ndjson", addresses=TWO, dry_run=True)
    fast, reference = (asyncio.run(both.scrub(plan, by_fast=by_fast)) for by_fast in (True, False))
    assert fast.counts == reference.counts
    assert fast.document["cells"] == reference.document["cells"]


def test_a_list_from_standard_input_is_the_fast_engines_too(tmp_path: Path, home: SmallHome, both: TwoEngines) -> None:
    content = long_list(".csv")
    plan = ScrubPlan(Path("-"), "candidate-contact", Channel.EMAIL, addresses=TWO, at_ms=NOW)
    for out, engine in ((tmp_path / "a", None), (tmp_path / "b", both.fast(plan))):
        given_plan = replace(plan, out=out)
        taken = scrub(
            given_plan, home.decisions, home.sealer, lambda: NOW, engine=engine, standard_input=io.BytesIO(content)
        )
        manifest = asyncio.run(taken)
    assert manifest.document["run"]["engine"] == "fast"
    for output in Output:
        assert (tmp_path / "a" / f"{output}.csv").read_bytes() == (tmp_path / "b" / f"{output}.csv").read_bytes()


def test_rows_are_of_as_many_kinds_as_their_cells_differ() -> None:
    kept, refused = Outcome(Output.KEPT, "permitted"), Outcome(Output.SUPPRESSED, "opted_out")
    kinds = RowKinds()
    first, second = np.array([0, 1, 1, 0], np.uint16), np.array([1, 0, 1, 1], np.uint16)
    numbers = kinds.of([first, second], [[kept, refused], [EMPTY, kept]])
    assert [kinds.rows[number].cells for number in numbers] == [
        (kept, kept), (refused, EMPTY), (refused, kept), (kept, kept),
    ]  # fmt: skip
    assert numbers[0] == numbers[3]
    again = kinds.of([second, second], [[refused, kept], [RAGGED, kept]])
    assert [kinds.rows[number].outcome for number in again] == [kept, refused, kept, kept]
    assert again[0] == numbers[0]
    assert list(kinds.of([first[:0]], [[kept]])) == []


FILES = {
    ".csv": [b'email,note\r\nkim@acme.example,"a\r\nb"', b"email,note\r\nsam@acme.example,c", b"email,note\r\n"],
    ".tsv": [b"email\tnote\nkim@acme.example\t", b"email\tnote\r\n", b"email\tnote\npat@acme.example\td\n\n"],
    ".ndjson": [
        b'{"email":"kim@acme.example"}',
        b'\n{"email":"pat@acme.example"}\r',
        b'{"email":"sam@acme.example"}\n ',
    ],
}


@pytest.mark.parametrize("block_octets", [16, 1 << 20])
@pytest.mark.parametrize("suffix", FILES)
def test_several_files_are_cut_as_one_list(tmp_path: Path, home: SmallHome, suffix: str, block_octets: int) -> None:
    names = [tmp_path / f"{number}{suffix}" for number in range(len(FILES[suffix]))]
    for name, content in zip(names, FILES[suffix], strict=True):
        name.write_bytes(content)
    both = engines_of_home(home, tmp_path / "cache", block_octets)
    plan = replace(a_plan(tmp_path, b"unused", address_column="email"), path=names[0], further=tuple(names[1:]))
    reference, fast = both.manifests(plan, tmp_path)
    assert fast.document["run"]["engine"] == "fast"
    assert fast.document["inputs"] == reference.document["inputs"]
    assert fast.counts["read"] >= 2


def test_several_parquet_files_are_taken_as_one_list(tmp_path: Path, home: SmallHome, both: TwoEngines) -> None:
    names = [tmp_path / f"{number}.parquet" for number in range(2)]
    for name, address in zip(names, ("kim@acme.example", "pat@acme.example"), strict=True):
        pq.write_table(pa.table({"email": [address] * 3, "n": [1, 2, 3]}), name)
    plan = replace(a_plan(tmp_path, b"unused"), path=names[0], further=(names[1],))
    _, fast = both.manifests(plan, tmp_path)
    assert (fast.document["run"]["engine"], fast.counts["read"]) == ("fast", 6)


@pytest.mark.parametrize("block_octets", [64, 1 << 20])
@pytest.mark.parametrize("suffix", [".csv", ".ndjson"])
def test_mailboxes_that_repeat_are_told_in_the_lists_order(
    tmp_path: Path, home: SmallHome, suffix: str, block_octets: int
) -> None:
    spellings = [
        "pat+{}@acme.example",
        "PAT@acme.example",
        "zoë@acme.example",
        "ZOË+{}@acme.example",
        "kim@acme.example",
        "broken",
    ]
    numbers = ["+44 7700 900125", "+447700900125", "+447700900123", ""]
    drawn = random.Random(7)
    rows = [
        {"email": drawn.choice(spellings).format(row), "work": drawn.choice(spellings), "mobile": drawn.choice(numbers)}
        for row in range(60)
    ]
    content = "".join(json.dumps(row) + "\n" for row in rows)
    if suffix == ".csv":
        content = "email,work,mobile\n" + "".join(",".join(row.values()) + "\n" for row in rows)
    both = engines_of_home(home, tmp_path / "cache", block_octets)
    addresses = (*TWO[:1], AddressChoice(Channel.EMAIL, "work"), *TWO[1:])
    plan = a_plan(
        tmp_path, content.encode(), f"list{suffix}", addresses=addresses, purpose="candidate-contact", dedupe=True
    )
    _, fast = both.manifests(plan, tmp_path)
    assert fast.document["run"]["engine"] == "fast"
    kept = {cell["channel"]: cell["kept"] for cell in fast.document["cells"]}
    assert kept == {"email": 2, "sms": 1}
