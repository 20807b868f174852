"""The demo's lists: the same bytes every time, the size that was promised, nobody real on them."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.demo.alumni_list import alumni_list
from jobs.demo.campaign_list import campaign_list
from jobs.demo.people import FREE_MAIL, alumni_people, campaign_people
from jobs.demo.rows import DemoList
from prefcenter.domain.terms import Reason

ROOT = Path(__file__).resolve().parents[3]
CAMPAIGN, ALUMNI = campaign_list(), alumni_list()
LISTS = [pytest.param(CAMPAIGN, id="campaign"), pytest.param(ALUMNI, id="alumni")]
ADDRESS = re.compile(r"([\w.+-]+)@+([\w-]+(?:[.,][\w-]+)+)")
RESERVED = re.compile(r"(?:.+\.)?example(?:[.,]com|\.net|\.org)?")
KEPT_FOR_FICTION = re.compile(r"07700900\d{3}|4420794600?\d{3,4}|1(?:212|312|415|617)55501\d\d")
PRINT_DIGESTS = """
import hashlib
from jobs.demo.alumni_list import alumni_list
from jobs.demo.campaign_list import campaign_list
print(*(hashlib.sha256(made().content).hexdigest() for made in (campaign_list, alumni_list)))
"""


def records_of(made: DemoList) -> list[list[str]]:
    text = made.content.decode(made.encoding)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=made.delimiter))


def is_reserved_or_made_up(local_part: str, domain: str) -> bool:
    if RESERVED.fullmatch(domain):
        return True
    return domain.replace(",", ".") in FREE_MAIL and "madeup" in local_part


@pytest.mark.parametrize("make", [campaign_list, alumni_list])
def test_a_list_is_the_same_whenever_it_is_made(make: Callable[[], DemoList]) -> None:
    assert make() == make()


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_a_list_is_the_same_in_every_process(hash_seed: str) -> None:
    environ = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PRINT_DIGESTS]
    printed = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert printed.stdout.split() == [hashlib.sha256(made.content).hexdigest() for made in (CAMPAIGN, ALUMNI)]


@pytest.mark.parametrize(("made", "rows"), [(CAMPAIGN, 2_000), (ALUMNI, 1_000)], ids=["campaign", "alumni"])
def test_a_list_has_the_rows_that_were_promised(made: DemoList, rows: int) -> None:
    assert len(made.rows) == rows
    assert len(records_of(made)) == rows + 1


@pytest.mark.parametrize("made", LISTS)
def test_the_rows_and_the_header_make_up_the_file(made: DemoList) -> None:
    assert made.content == made.header + b"".join(row.content for row in made.rows)


@pytest.mark.parametrize("made", LISTS)
def test_the_columns_of_a_list_are_found_by_their_names(made: DemoList) -> None:
    names = [name.strip().casefold() for name in records_of(made)[0]]
    for wanted in (made.address_column, made.class_column):
        assert names.count(wanted.casefold()) == 1


@pytest.mark.parametrize("made", LISTS)
def test_a_row_says_which_cells_a_reader_finds(made: DemoList) -> None:
    header, *records = records_of(made)
    names = [name.strip().casefold() for name in header]
    address, address_class = names.index(made.address_column.casefold()), names.index(made.class_column.casefold())
    whole = [(record, row) for record, row in zip(records, made.rows, strict=True) if len(record) == len(header)]
    stated = [(row.address, row.class_text) for _, row in whole if row.defect != "repeated_header"]
    found = [(record[address], record[address_class]) for record, row in whole if row.defect != "repeated_header"]
    assert found == stated
    ragged = len(records) - len(whole)
    assert ragged == sum(row.expected == "ragged_row" for row in made.rows) > 0


def test_the_campaign_list_is_no_utf_8_and_the_alumni_list_is() -> None:
    with pytest.raises(UnicodeDecodeError):
        CAMPAIGN.content.decode("utf-8")
    assert ALUMNI.content.startswith(b"\xef\xbb\xbf")
    ALUMNI.content.decode("utf-8")


def test_the_campaign_list_mixes_line_ends_and_has_none_at_the_end() -> None:
    assert re.search(rb"[^\r]\n", CAMPAIGN.content)
    assert b"\r\n" in CAMPAIGN.content
    assert not CAMPAIGN.content.endswith((b"\r", b"\n"))


def test_the_alumni_list_has_many_scripts() -> None:
    text = ALUMNI.content.decode(ALUMNI.encoding)
    for letters in ("[Α-ω]", "[А-я]", "[א-ת]", "[ء-ي]", "[अ-ह]", "[一-龯]", "[가-힣]", "[ぁ-ん]", "ł", "ş", "ễ"):
        assert re.search(letters, text), letters


@pytest.mark.parametrize("made", LISTS)
def test_every_address_is_reserved_or_made_up(made: DemoList) -> None:
    found = [match for record in records_of(made) for cell in record for match in ADDRESS.findall(cell.lower())]
    assert len(found) > 0.9 * len(made.rows)
    assert [domain for local_part, domain in found if not is_reserved_or_made_up(local_part, domain)] == []


def test_an_address_that_might_be_somebodys_is_found() -> None:
    assert not is_reserved_or_made_up("pat", "gmail.com")
    assert not is_reserved_or_made_up("pat.madeup1", "company.com")
    assert not is_reserved_or_made_up("pat", "notexample.com")


@pytest.mark.parametrize(("made", "header"), [(CAMPAIGN, "Phone"), (ALUMNI, "Mobile")], ids=["campaign", "alumni"])
def test_every_phone_number_is_kept_for_fiction(made: DemoList, header: str) -> None:
    first, *records = records_of(made)
    cells = [record[first.index(header)] for record in records if len(record) == len(first)]
    numbers = [part for cell in cells for part in cell.removesuffix(".0").split(" / ") if re.search(r"\d{3}", part)]
    whole = ["".join(re.findall(r"\d", number)) for number in numbers if "E+" not in number]
    assert len(whole) > 0.9 * len(made.rows)
    assert [number for number in whole if not KEPT_FOR_FICTION.fullmatch(re.sub("^020", "4420", number))] == []


def test_nobody_is_on_both_lists() -> None:
    campaign, alumni = ({person.address for person in people} for people in (campaign_people(), alumni_people()))
    assert campaign & alumni == set()
    assert (len(campaign), len(alumni)) == (len(campaign_people()), len(alumni_people()))


@pytest.mark.parametrize("made", LISTS)
def test_a_list_expects_nearly_every_reason(made: DemoList) -> None:
    in_no_store = {
        Reason.UNKNOWN_PURPOSE,
        Reason.CHANNEL_NOT_OFFERED,
        Reason.AUDIENCE_NOT_COVERED,
        Reason.PROHIBITED,
        Reason.PAUSED,
        Reason.FREQUENCY_CAP,
        Reason.CHECK_FAILED,
    }
    wanted = {reason.value for reason in Reason if reason not in in_no_store} | {"empty_address", "ragged_row"}
    assert {str(row.expected) for row in made.rows} == wanted
