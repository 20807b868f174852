"""Lists as real exports leave them, opened and read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from jobs.lists import OpenList, open_list
from jobs.lists.content import CHUNK_BYTES
from prefcenter.domain.errors import InvalidList
from prefcenter.domain.terms import Channel


def opened(directory: Path, content: bytes, name: str = "list.csv", named: str | None = None) -> OpenList:
    path = directory / name
    path.write_bytes(content)
    return open_list(path, Channel.EMAIL, "GB", named)


def addresses(contacts: OpenList) -> list[str]:
    return [record.cells[contacts.address_column.index] for record in contacts.records()]


DEFECTS = {
    "byte order mark": (b"\xef\xbb\xbfemail,name\np@acme.example,Pat\n", ["p@acme.example"]),
    "byte order mark and a quoted heading": (b'\xef\xbb\xbf"email","name"\np@acme.example,Pat\n', ["p@acme.example"]),
    "byte order mark without a header": (b"\xef\xbb\xbfp@acme.example,Pat\n", ["p@acme.example"]),
    "utf-16 as Excel saves Unicode text": (
        "\ufeffemail\tname\r\np@acme.example\tZoë\r\n".encode("utf-16-le"),
        ["p@acme.example"],
    ),
    "utf-16 without a byte order mark": ("email,name\np@acme.example,Zoë\n".encode("utf-16-be"), ["p@acme.example"]),
    "Western code page": ("email;name\r\np@acme.example;Zoë\r\n".encode("cp1252"), ["p@acme.example"]),
    "semicolons": (b"email;name\np@acme.example;Pat\n", ["p@acme.example"]),
    "tabs": (b"email\tname\np@acme.example\tPat\n", ["p@acme.example"]),
    "vertical bars": (b"email|name\np@acme.example|Pat\n", ["p@acme.example"]),
    "Excel's own first line": (b"sep=;\r\nemail;name\r\np@acme.example;Doe, Pat\r\n", ["p@acme.example"]),
    "one column": (b"email\np@acme.example\nk@acme.example\n", ["p@acme.example", "k@acme.example"]),
    "one column without a header": (b"p@acme.example\nk@acme.example\n", ["p@acme.example", "k@acme.example"]),
    "blank lines above the header": (b"\r\n,\r\nemail,name\r\np@acme.example,Pat\r\n", ["p@acme.example"]),
    "no last newline": (b"email,name\np@acme.example,Pat", ["p@acme.example"]),
    "header only": (b"email,name\n", []),
    "header only, no newline": (b"email,name", []),
    "old Macintosh line ends": (b"email,name\rp@acme.example,Pat\r", ["p@acme.example"]),
    "mixed line ends": (
        b"email,name\r\np@acme.example,Pat\nk@acme.example,Kim\r",
        ["p@acme.example", "k@acme.example"],
    ),
    "newline in a quoted cell": (b'note,email\n"two\r\nlines",p@acme.example\n', ["p@acme.example"]),
    "newline in the header": (b'"the\nnote",email\nx,p@acme.example\n', ["p@acme.example"]),
    "delimiter in a quoted cell": (b'name,email\n"Doe, Pat",p@acme.example\n', ["p@acme.example"]),
    "doubled quotes": (b'name,email\n"Pat ""P"" Doe",p@acme.example\n', ["p@acme.example"]),
    "inches": (b'size,email\n5" pipe,p@acme.example\n', ["p@acme.example"]),
    "NUL in a cell": (b"name,email\nP\0at,p@acme.example\n", ["p@acme.example"]),
    "quoted address": (b'name,email\nPat,"p@acme.example"\n', ["p@acme.example"]),
    "blanks around the heading": (b"name, E-Mail \nPat, p@acme.example \n", [" p@acme.example "]),
    "unnamed index column": (b",email\n0,p@acme.example\n1,k@acme.example\n", ["p@acme.example", "k@acme.example"]),
    "two columns of one heading": (b"name,name,email\na,b,p@acme.example\n", ["p@acme.example"]),
    "trailing delimiters": (b"email,name,,\np@acme.example,Pat,,\n", ["p@acme.example"]),
    "display names": (b"email,id\nPat Doe <p@acme.example>,1\n", ["Pat Doe <p@acme.example>"]),
    "blank cells at the top": (b"email,id\n,1\n,2\np@acme.example,3\n", ["", "", "p@acme.example"]),
    "control Z of DOS at the end": (b"email\np@acme.example\n\x1a", ["p@acme.example", "\x1a"]),
    "one byte of another encoding": (
        "email,name\np@acme.example,Zoë\n".encode() + b"k@acme.example,Ren\xe9\n",
        ["p@acme.example", "k@acme.example"],
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_an_export_is_read_with(tmp_path: Path, defect: str) -> None:
    content, expected = DEFECTS[defect]
    contacts = opened(tmp_path, content)
    assert addresses(contacts) == expected
    header = "" if contacts.header is None else contacts.header.whole
    rows = "".join(record.whole for record in contacts.records())
    assert contacts.encoding.bom + contacts.encoding.encode(contacts.prologue + header + rows) == content


def test_rows_carry_the_line_they_begin_on(tmp_path: Path) -> None:
    contacts = opened(tmp_path, b'sep=,\n\n"a\nb",email\n"x\r\ny",p@acme.example\nz,k@acme.example')
    assert contacts.header is not None
    assert (contacts.header.line, [record.line for record in contacts.records()]) == (3, [5, 7])


@pytest.mark.parametrize(
    ("content", "width"),
    [
        (b"email,name\np@acme.example,Pat,x\nk@acme.example,Kim,x\n", 2),
        (b"p@acme.example,Pat,x\nk@acme.example,Kim\nl@acme.example,Lee\n", 2),
        (b"p@acme.example\nk@acme.example\n", 1),
    ],
)
def test_the_width_is_the_headers_or_what_most_rows_have(tmp_path: Path, content: bytes, width: int) -> None:
    assert opened(tmp_path, content, named="1").width == width


def test_hash_and_bytes_read_are_those_of_the_file(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbfemail\n" + b"p@acme.example\n" * (2 * CHUNK_BYTES // 15)
    contacts = opened(tmp_path, content)
    for _ in range(2):
        assert sum(1 for _ in contacts.records()) == 2 * CHUNK_BYTES // 15
        assert contacts.bytes_read == contacts.size == len(content)
    assert contacts.sha256 == hashlib.sha256(content).hexdigest()
    assert (contacts.name, contacts.path.name) == (str(tmp_path / "list.csv"), "list.csv")


def test_a_list_that_changes_after_it_was_opened_is_refused(tmp_path: Path) -> None:
    contacts = opened(tmp_path, b"email\np@acme.example\n")
    (tmp_path / "list.csv").write_bytes(b"email\nk@acme.example\n")
    with pytest.raises(InvalidList, match=r"list\.csv:1: list: changed while it was being read$"):
        list(contacts.records())


def test_a_list_that_vanishes_after_it_was_opened_is_an_error(tmp_path: Path) -> None:
    contacts = opened(tmp_path, b"email\np@acme.example\n")
    (tmp_path / "list.csv").unlink()
    with pytest.raises(InvalidList, match=r"list\.csv: No such file"):
        list(contacts.records())


@pytest.mark.parametrize("content", [b"sep=;", b"sep=;\r\n"])
def test_a_list_of_nothing_but_a_declaration_is_empty(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InvalidList, match=r"list\.csv:1: list: the list is empty$"):
        opened(tmp_path, content)


def test_a_missing_list_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidList, match=r"none\.csv: No such file"):
        open_list(tmp_path / "none.csv", Channel.EMAIL, "GB")


def test_a_directory_is_no_list(tmp_path: Path) -> None:
    with pytest.raises(InvalidList, match="is a directory; name the files in it"):
        open_list(tmp_path, Channel.EMAIL, "GB")


def test_a_pipe_is_no_list(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidList, match="is not a regular file"):
        open_list(tmp_path / "pipe", Channel.EMAIL, "GB")


def test_an_error_on_the_way_names_the_file_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.csv").write_bytes(b'email\n"p@acme.example\n')
    with pytest.raises(InvalidList, match=r"^list\.csv:2: column 1: the quote"):
        open_list(Path("list.csv"), Channel.EMAIL, "GB")
