"""Address columns: one clear candidate, or an error that names the candidates and no person."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.lists import OpenList, open_list
from jobs.lists.columns import labels
from prefcenter.domain.errors import InvalidList
from prefcenter.domain.terms import Channel

EMAIL, SMS, VOICE, POST, PUSH = Channel.EMAIL, Channel.SMS, Channel.VOICE, Channel.POST, Channel.PUSH


def opened(
    directory: Path, text: str, channel: Channel = EMAIL, named: str | None = None, class_column: str | None = None
) -> OpenList:
    path = directory / "list.csv"
    path.write_bytes(text.encode())
    return open_list(path, channel, "GB", named, class_column)


def fault(directory: Path, text: str, channel: Channel = EMAIL, named: str | None = None) -> str:
    with pytest.raises(InvalidList) as error:
        opened(directory, text, channel, named)
    return str(error.value).removeprefix(f"{directory}/")


@pytest.mark.parametrize(
    ("text", "channel", "index"),
    [
        ("name,contact\nPat,p@acme.example\n", EMAIL, 1),
        ("email,note\np@acme.example,ask k@acme.example\n", EMAIL, 0),
        ("email,opt in email\np@acme.example,yes\n", EMAIL, 0),
        ("email,reply to\np@acme.example,desk@acme.example\n", EMAIL, 0),
        ("id,Courriel\n1,\n2,\n", EMAIL, 1),
        ("E-Mail-Adresse,Ort\n", EMAIL, 0),
        ("email,x\nbroken,1\np@acme.example,2\nk@acme.example,3\n", EMAIL, 0),
        ("id,mobile\n1,07700 900123\n2,+44 7700 900124\n", SMS, 1),
        ("customer,phone\n02079460101,07700 900123\n02079460102,07700 900124\n", VOICE, 1),
        ("Name,Téléphone\n", VOICE, 1),
        ('id,home\n1,"Pat Doe, 10 High Street, London, SW1A 1AA"\n', POST, 1),
        ("E-Mail Address,Postal Address\n", POST, 1),
        ("id,token\n1,push:abc\n", PUSH, 1),
    ],
)
def test_the_address_column_is_found_by_content_and_heading(
    tmp_path: Path, text: str, channel: Channel, index: int
) -> None:
    found = opened(tmp_path, text, channel)
    assert (found.address_column.index, found.header is not None) == (index, True)


@pytest.mark.parametrize(
    ("named", "index"),
    [("Work", 1), ("work", 2), (" HOME ", 3), ("home", 3), ("2", 1), ("7", 0)],
)
def test_a_column_is_named_by_heading_or_by_number(tmp_path: Path, named: str, index: int) -> None:
    text = "7,Work,work,Home\na@acme.example,b@acme.example,c@acme.example,d@acme.example\n"
    assert opened(tmp_path, text, named=named).address_column.index == index


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("email", "header: the heading that --address-column names stands over column 1 and column 3; give the number"),
        ("EMAIL", "header: the heading that --address-column names stands over column 1 and column 3; give the number"),
        ("mail", 'header: --address-column names none of column 1 ("email"), column 2 ("name") and column 3 ("email")'),
        ("0", 'header: --address-column names none of column 1 ("email"), column 2 ("name") and column 3 ("email")'),
        ("4", 'header: --address-column names none of column 1 ("email"), column 2 ("name") and column 3 ("email")'),
    ],
)
def test_a_heading_that_is_missing_or_doubled_is_an_error(tmp_path: Path, named: str, message: str) -> None:
    text = "email,name,email\np@acme.example,Pat,k@acme.example\n"
    assert fault(tmp_path, text, named=named).startswith(f"list.csv:1: {message}")


def test_one_of_two_columns_of_one_heading_is_chosen_by_number(tmp_path: Path) -> None:
    text = "email,name,email\np@acme.example,Pat,k@acme.example\n"
    assert opened(tmp_path, text, named="3").address_column.index == 2


@pytest.mark.parametrize(
    ("text", "channel", "message"),
    [
        (
            "Email,Email 2\np@acme.example,k@acme.example\n",
            EMAIL,
            'column 1 ("Email") and column 2 ("Email 2") could each hold the email addresses',
        ),
        (
            "name,a,b\nPat,p@acme.example,k@acme.example\n",
            EMAIL,
            'column 2 ("a") and column 3 ("b") could each hold the email addresses',
        ),
        (
            "email,contact\n,p@acme.example\n",
            EMAIL,
            'column 1 ("email") and column 2 ("contact") could each hold the email addresses',
        ),
        ("name,city\nPat,Leeds\n", EMAIL, 'no column holds email addresses; there are column 1 ("name") and column 2'),
        ("name,city\n", SMS, 'no column holds phone numbers; there are column 1 ("name") and column 2 ("city")'),
        ("p@acme.example,k@acme.example\n", EMAIL, "column 1 and column 2 could each hold the email addresses"),
        ("Pat Doe,Leeds\nKim Roe,York\n", EMAIL, "no column holds email addresses; there are column 1 and column 2;"),
        ("\n\n\n", EMAIL, "no column holds email addresses; there is column 1;"),
    ],
)
def test_a_column_that_cannot_be_told_is_an_error_with_the_candidates(
    tmp_path: Path, text: str, channel: Channel, message: str
) -> None:
    told = fault(tmp_path, text, channel)
    assert told.startswith(f"list.csv:1: header: {message}")
    assert told.endswith("; choose one with --address-column")


def test_an_error_never_shows_a_cell_that_was_taken_for_a_heading(tmp_path: Path) -> None:
    told = fault(tmp_path, "name,Pat Doe 07700 900123,pat at acme@x," + "x" * 41 + "\n1,2,3,4\n")
    assert told == (
        'list.csv:1: header: no column holds email addresses; there are column 1 ("name"), column 2, column 3 and '
        "column 4; choose one with --address-column"
    )


def test_an_error_names_twenty_columns_at_most() -> None:
    assert labels(range(23), None).endswith(", column 20 and 3 more")


@pytest.mark.parametrize(
    ("text", "channel", "named"),
    [
        ("p@acme.example,Pat\nk@acme.example,Kim\n", EMAIL, None),
        ("p@acme.example\n", EMAIL, None),
        ("p@acme.example;Pat\nk@acme.example;Kim\n", EMAIL, "1"),
        ("p@acme.example k@acme.example,Pat\nl@acme.example,Lee\n", EMAIL, None),
        ("p@acme..example,Pat\nl@acme.example,Lee\n", EMAIL, None),
        (",Pat,x@acme.example\nl@acme.example,Lee,\nm@acme.example,Mo,\n", EMAIL, "1"),
        ("07700 900123,Pat\n07700 900124,Kim\n", SMS, None),
        ("07700 900123\n", SMS, None),
        ("4.477E+11 (070),Pat\n07700 900124,Kim\n", SMS, None),
        ("07700 900123 / 07700 900125,Pat\n07700 900124,Kim\n", VOICE, None),
        ("Pat;p@acme.example;call desk\nKim;;07700 900124\n", SMS, "3"),
        ('"Pat Doe, 10 High Street, London, SW1A 1AA"\n"Kim Roe, 9 Low Street, London, SW1A 1AB"\n', POST, None),
        ("push:abc\npush:def\n", PUSH, None),
        ("PUSH:\xe9,1\npush:def,2\n", PUSH, None),
        ("\np@acme.example\n", EMAIL, None),
    ],
)
def test_a_contact_in_the_first_row_never_passes_as_a_header(
    tmp_path: Path, text: str, channel: Channel, named: str | None
) -> None:
    found = opened(tmp_path, text, channel, named)
    assert found.header is None
    assert "".join(record.whole for record in found.records()) == text


def test_a_list_without_a_header_takes_numbers_only(tmp_path: Path) -> None:
    told = fault(tmp_path, "p@acme.example,Pat\n", named="email")
    assert told == "list.csv:1: header: the list has no header, so --address-column takes a number from 1 to 2"


@pytest.mark.parametrize(("text", "named"), [("x,p@acme.example\n1\n2\n", None), ("p@acme.example,x\n1\n2\n", "2")])
def test_a_column_that_whole_rows_do_not_have_holds_no_addresses(tmp_path: Path, text: str, named: str | None) -> None:
    told = fault(tmp_path, text, named=named)
    assert told == "list.csv:1: header: column 2 would hold the addresses, but a whole row has one cell"


def test_a_blank_record_is_no_header(tmp_path: Path) -> None:
    assert opened(tmp_path, "\n\n", named="1").header is None


def test_other_columns_are_found_by_heading_too(tmp_path: Path) -> None:
    found = opened(tmp_path, "email,Kind,since\np@acme.example,work,2026-01-01\n", class_column="kind")
    assert found.class_column is not None
    assert (found.class_column.index, found.class_column.heading, found.class_column.number) == (1, "Kind", 2)
    assert found.column("--time-column", "since").index == 2
    with pytest.raises(InvalidList, match=r"list\.csv:1: header: --time-column names none of column 1 "):
        found.column("--time-column", "until")


def test_other_columns_of_a_list_without_a_header_are_found_by_number(tmp_path: Path) -> None:
    found = opened(tmp_path, "p@acme.example,work\n", class_column="2")
    assert found.class_column is not None
    assert (found.class_column.index, found.class_column.heading) == (1, None)
