"""Encodings: told apart, and never losing a byte."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jobs.lists.content import CHUNK_BYTES
from jobs.lists.encoding import FALLBACK, LEGACY_ENCODINGS, Encoding, file_chunks, survey
from jobs.lists.records import RecordReader
from prefcenter.domain.errors import InvalidList

WESTERN = "name,email\nZoë Müller,zoe@acme.example\nFrançois Peña,f@acme.example\n"
POLISH = "imię,email\nŁukasz Żak,l@acme.example\nKrzysztof Dębski,k@acme.example\n" * 5
CYRILLIC = "имя,email\nИван Петров,ivan@acme.example\nМария Сидорова из Москвы,m@acme.example\n" * 20
JAPANESE = "名前,email\n山田太郎,yamada@acme.example\n鈴木花子,suzuki@acme.example\n"
FEW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def saved(directory: Path, content: bytes) -> Path:
    path = directory / "list.csv"
    path.write_bytes(content)
    return path


def detected(directory: Path, content: bytes) -> Encoding:
    return survey(saved(directory, content), "list.csv").encoding


def text_of(path: Path, encoding: Encoding) -> str:
    content = path.read_bytes()[len(encoding.bom) :]
    return "".join(encoding.decode_stream([content]))


@pytest.mark.parametrize(
    ("text", "written_as", "label"),
    [
        (WESTERN, "utf-8", "utf-8"),
        (WESTERN, "utf-8-sig", "utf-8-sig"),
        ("plain,ascii\n", "ascii", "utf-8"),
        (WESTERN, "utf-16", "utf-16-le"),
        (WESTERN, "utf-16-le", "utf-16-le"),
        (WESTERN, "utf-16-be", "utf-16-be"),
        (WESTERN, "cp1252", "cp1252"),
        (WESTERN, "latin-1", "cp1252"),
        ("Dear “Zoë” – hello,z@acme.example\n", "cp1252", "cp1252"),
        (POLISH, "cp1250", "cp1250"),
        (CYRILLIC, "cp1251", "cp1251"),
        (CYRILLIC, "koi8_r", "koi8_r"),
        (JAPANESE, "cp932", "cp932"),
    ],
)
def test_an_encoding_is_told_and_read(tmp_path: Path, text: str, written_as: str, label: str) -> None:
    path = saved(tmp_path, text.encode(written_as))
    encoding = survey(path, "list.csv").encoding
    assert encoding.label == label
    assert text_of(path, encoding) == text


def test_a_byte_order_mark_of_big_endian_utf16_is_taken_off(tmp_path: Path) -> None:
    encoding = detected(tmp_path, codecs.BOM_UTF16_BE + WESTERN.encode("utf-16-be"))
    assert (encoding.label, encoding.bom) == ("utf-16-be", codecs.BOM_UTF16_BE)


def test_nul_bytes_here_and_there_do_not_make_utf16(tmp_path: Path) -> None:
    assert detected(tmp_path, b"a\0b,c\n" + b"name,mail\n" * 9).label == "utf-8"


def test_one_damaged_byte_does_not_turn_utf8_into_something_else(tmp_path: Path) -> None:
    path = saved(tmp_path, WESTERN.encode() + b"Ren\xe9,r@acme.example\n")
    encoding = survey(path, "list.csv").encoding
    assert encoding.label == "utf-8 (damaged)"
    assert text_of(path, encoding) == WESTERN + "Ren\udce9,r@acme.example\n"


def test_a_byte_order_mark_of_utf8_outweighs_damage(tmp_path: Path) -> None:
    assert detected(tmp_path, codecs.BOM_UTF8 + b"Ren\xe9,r@acme.example\n").label == "utf-8-sig (damaged)"


def test_the_first_odd_byte_may_come_late(tmp_path: Path) -> None:
    content = b"name,pat@acme.example\n" * (2 * CHUNK_BYTES // 22 + 1) + "Zoë,z@acme.example\n".encode("cp1252")
    assert detected(tmp_path, content).label == "cp1252"


def test_a_character_across_two_chunks_is_one_character(tmp_path: Path) -> None:
    assert detected(tmp_path, b"a" * (CHUNK_BYTES - 1) + "é\n".encode()).label == "utf-8"


def test_a_guess_that_would_change_a_byte_is_dropped(tmp_path: Path) -> None:
    """Code page 932 has two codes for some characters, and Python writes the other one."""
    path = saved(tmp_path, (JAPANESE * 20).encode("cp932") + b"\x87\x90,x@acme.example\n")
    assert b"\x87\x90".decode("cp932").encode("cp932") != b"\x87\x90"
    assert survey(path, "list.csv").encoding.label == "cp1252"


@pytest.mark.parametrize("content", [b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_a_file_without_a_character_is_an_empty_list(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InvalidList, match=r"^list\.csv:1: list: the list is empty$"):
        detected(tmp_path, content)


def test_utf16_with_half_a_character_at_its_end_was_cut_off(tmp_path: Path) -> None:
    with pytest.raises(InvalidList, match=r"^list\.csv:1: list: ends in the middle of a character"):
        detected(tmp_path, codecs.BOM_UTF16_LE + b"a\0b")


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b", b"PAR1", b"%PDF"])
def test_what_is_no_text_at_all_is_said_to_be_what_it_is(tmp_path: Path, start: bytes) -> None:
    with pytest.raises(InvalidList, match=r"^list\.csv:1: list: is .*; export it as CSV$"):
        detected(tmp_path, start + b"\0" * 40)


def test_the_fallback_knows_every_byte() -> None:
    every_byte = bytes(range(256))
    encoding = Encoding(FALLBACK)
    assert encoding.encode("".join(encoding.decode_stream([every_byte]))) == every_byte


@pytest.mark.parametrize("name", LEGACY_ENCODINGS)
def test_line_ends_delimiters_and_quotes_are_ascii_in_every_legacy_encoding(name: str) -> None:
    assert '\r\n,;\t|"@'.encode(name) == b'\r\n,;\t|"@'


def test_a_character_that_the_encoding_lacks_is_added_as_its_escape() -> None:
    assert Encoding("cp1252").encode_added("Ж") == b"\\u0416"


CONTENT = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=60).map(lambda text: text.encode("utf-8", "ignore")),
    st.text(alphabet=st.sampled_from('aé漢\U0001f600",;\r\n\0'), max_size=60).map(
        lambda text: text.encode("utf-16-le")
    ),
    st.lists(st.sampled_from([b"caf\xe9", b",", b"\n", "é".encode(), b"\xff\xfe", b"\x81\x40", b"\r"])).map(b"".join),
    st.binary(max_size=60).map(lambda tail: codecs.BOM_UTF16_LE + tail),
)


@given(content=CONTENT, chunk_bytes=st.integers(1, 7), delimiter=st.sampled_from(",;\t|"))
@example(content=codecs.BOM_UTF16_LE + b"\x00\xd8\x00\xd8\x00\xdc\n\0", chunk_bytes=1, delimiter=",")
@FEW
def test_records_encoded_again_are_the_bytes_of_the_file(
    tmp_path: Path, content: bytes, chunk_bytes: int, delimiter: str
) -> None:
    path = saved(tmp_path, content.replace(b'"', b""))
    try:
        encoding = survey(path, "list.csv").encoding
    except InvalidList:
        return
    whole = b"".join(file_chunks(path))[len(encoding.bom) :]
    chunks = (whole[start : start + chunk_bytes] for start in range(0, len(whole), chunk_bytes))
    try:
        records = list(RecordReader("list.csv", encoding, delimiter).read(encoding.decode_stream(chunks)))
    except InvalidList:
        return
    again = b"".join(encoding.encode(record.text) + encoding.encode(record.terminator) for record in records)
    assert encoding.bom + again == path.read_bytes()
