"""The defects: named, documented, in a list, and doing what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jobs.demo.address_defects import ALIAS_BY_DOMAIN, ALIAS_BY_DOTS, ALIAS_BY_TAG, COMMA_FOR_DOT, UPPER_CASE
from jobs.demo.alumni_list import alumni_list
from jobs.demo.campaign_list import campaign_list
from jobs.demo.chance import Chance
from jobs.demo.defects import DEFECT_BY_NAME, DEFECTS, row_defects
from jobs.demo.names import Name
from jobs.demo.people import Fate, Person
from jobs.demo.rows import Column, Field, Row, Sheet, Style, WrittenRow, expected_reason, written_header, written_rows
from jobs.demo.spoiling import Defect, spoilt
from prefcenter.domain.address import parse
from prefcenter.domain.errors import InvalidAddress
from prefcenter.domain.terms import AddressKind, Reason

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTED = re.compile(r"^\| `(\w+)` \| (.+) \| (.+) \|$", re.MULTILINE)
LISTS = (campaign_list(), alumni_list())
ROWS = [row for made in LISTS for row in made.rows]
DEFECTS_OF_LISTS = [made.defects for made in LISTS]
OTHER_SPELLINGS = [
    defect.name for defect in DEFECTS if isinstance(defect, Defect) and not defect.is_exact and defect.is_added
]


def a_person(address: str = "pat.doe.madeup1@gmail.com", company: str = "", fate: Fate = Fate.OPTED_OUT) -> Person:
    return Person(1, Name("Pat", "Doe", "pat", "doe"), address, company, fate)


def a_row(person: Person | None = None, notes: str = "") -> Row:
    person = person or a_person()
    return Row(person, {Field.EMAIL: person.address, Field.NOTES: notes}, {}, states_business=person.is_business)


def a_sheet(*rows: Row) -> Sheet:
    return Sheet((Column(Field.EMAIL, "Email"), Column(Field.NOTES, "Notes")), rows)


def rows_with(defect: str) -> list[WrittenRow]:
    return [row for row in ROWS if row.defect == defect]


def mailbox(text: str) -> str:
    return parse(text, AddressKind.EMAIL, country="GB").current.mailbox


def test_there_are_many_defects_and_each_has_a_name_of_its_own() -> None:
    assert len(DEFECTS) >= 60
    assert len(DEFECT_BY_NAME) == len(DEFECTS)


@pytest.mark.parametrize("name", DEFECT_BY_NAME)
def test_each_defect_is_in_a_list(name: str) -> None:
    assert any(name in defects for defects in DEFECTS_OF_LISTS)


def test_the_documentation_lists_exactly_these_defects() -> None:
    documented = DOCUMENTED.findall((ROOT / "docs" / "list-defects.md").read_text(encoding="utf-8"))
    assert sorted(documented) == sorted((defect.name, defect.description, defect.outcome) for defect in DEFECTS)


@pytest.mark.parametrize("defect", [defect for defect in DEFECTS if isinstance(defect, Defect)], ids=lambda d: d.name)
def test_rows_with_a_defect_are_rejected_or_not_as_documented(defect: Defect) -> None:
    reasons = {str(row.expected) for row in rows_with(defect.name)}
    if defect.rejected_as is not None:
        assert reasons == {defect.rejected_as.value}
    else:
        assert not reasons & {"invalid_address", "empty_address", "ragged_row"}


@pytest.mark.parametrize("defect", [defect for defect in DEFECTS if isinstance(defect, Defect)], ids=lambda d: d.name)
def test_an_address_cell_still_names_the_mailbox_unless_its_row_is_rejected(defect: Defect) -> None:
    for row in rows_with(defect.name):
        if row.expected == "invalid_address" and defect.name != "repeated_header":
            with pytest.raises(InvalidAddress):
                mailbox(row.address)
        elif defect.rejected_as is None:
            assert mailbox(row.address) == mailbox(row.mailbox)


@pytest.mark.parametrize("name", OTHER_SPELLINGS)
def test_another_spelling_is_another_exact_address(name: str) -> None:
    for row in rows_with(name):
        exact = parse(row.address, AddressKind.EMAIL, country="GB").current.exact
        assert exact != row.mailbox
        assert row.expected != Reason.PERMITTED


def test_free_mail_that_is_called_business_is_never_kept_without_consent() -> None:
    rows = rows_with("free_mail_called_business")
    assert {row.class_text for row in rows} == {"Business"}
    open_fates = {Fate.CONSENTED, Fate.CONSENTED_ON_PAPER, Fate.CONSENT_AFTER_OPT_OUT, Fate.ON_REGISTRY_WITH_CONSENT}
    assert not any(row.is_kept for row in rows if row.fate not in open_fates)


def test_aliases_are_written_as_the_provider_reads_them() -> None:
    row = a_row()
    assert ALIAS_BY_DOTS.apply(row).address == "p.a.tdoemadeup1@gmail.com"
    assert ALIAS_BY_TAG.apply(row).address == "pat.doe.madeup1+news@gmail.com"
    assert ALIAS_BY_DOMAIN.apply(row).address == "pat.doe.madeup1@googlemail.com"


def test_a_defect_of_the_address_leaves_a_row_about_nobody_as_it_is() -> None:
    row = Row(None, {}, {})
    assert UPPER_CASE.apply(row) is row


def test_a_list_without_rows_that_suit_a_defect_cannot_have_it() -> None:
    rows = [a_row(a_person("pat@acme.example", "Acme Tools")) for _ in range(20)]
    with pytest.raises(ValueError, match="comma_for_dot: the list has too few rows"):
        spoilt(rows, {COMMA_FOR_DOT: 1}, Chance("too few"))


def test_a_row_has_one_defect_at_most_and_the_first_rows_have_none() -> None:
    rows = [a_row() for _ in range(20)]
    result = spoilt(rows, {UPPER_CASE: 7, COMMA_FOR_DOT: 7}, Chance("one each"))
    assert [row.defect for row in result[:5]] == [""] * 5
    assert sorted(row.defect for row in result if row.defect) == ["comma_for_dot"] * 7 + ["upper_case"] * 7
    assert result[-1].defect == ""


def test_an_added_row_stands_after_the_sound_one_and_before_the_last() -> None:
    rows = [a_row(notes=str(number)) for number in range(20)]
    result = spoilt(rows, {ALIAS_BY_TAG: 14}, Chance("added"))
    assert len(result) == 34
    assert result[-1].defect == ""
    for place, row in enumerate(result):
        if row.defect:
            sound = next(
                other for other, base in enumerate(result) if base.fields[Field.NOTES] == row.fields[Field.NOTES]
            )
            assert sound < place


def test_a_number_of_nothing_leaves_a_defect_out() -> None:
    plan = row_defects(3, {UPPER_CASE: 0, COMMA_FOR_DOT: 9})
    assert UPPER_CASE not in plan
    assert plan[COMMA_FOR_DOT] == 9
    assert plan[ALIAS_BY_TAG] == 3


def test_cells_are_quoted_only_where_they_need_it() -> None:
    rows = (a_row(notes='a "b", c'), a_row(notes="plain"), a_row().with_text(Field.NOTES, "plain", Style.QUOTED))
    endings = [row.content.partition(b",")[2] for row in written_rows(a_sheet(*rows))]
    assert endings == [b'"a ""b"", c"\n', b"plain\n", b'"plain"\n']


def test_a_bare_cell_keeps_its_quote_and_another_encoding_its_bytes() -> None:
    sheet = a_sheet(a_row().with_text(Field.NOTES, '12" ü', Style.BARE), a_row().with_text(
        Field.NOTES, "ü", Style.OTHER_ENCODING
    ))  # fmt: skip
    sheet = Sheet(sheet.columns, sheet.rows, encoding="cp1252", ends_with_line_end=False)
    assert [row.content.partition(b",")[2] for row in written_rows(sheet)] == [b'12" \xfc\n', b"\xc3\xbc"]
    assert written_header(sheet) == b"Email,Notes\n"


@pytest.mark.parametrize(
    ("fate", "company", "is_exact", "reason"),
    [
        (Fate.NOTHING, "Acme Tools", True, Reason.PERMITTED),
        (Fate.NOTHING, "", True, Reason.NO_CONSENT),
        (Fate.CONSENTED, "", True, Reason.PERMITTED),
        (Fate.CONSENTED, "", False, Reason.NO_CONSENT),
        (Fate.CONSENT_EXPIRED, "", True, Reason.CONSENT_EXPIRED),
        (Fate.CONSENT_EXPIRED, "", False, Reason.NO_CONSENT),
        (Fate.CONSENT_AFTER_OPT_OUT, "", True, Reason.PERMITTED),
        (Fate.CONSENT_AFTER_OPT_OUT, "", False, Reason.OPTED_OUT),
        (Fate.OPTED_OUT, "Acme Tools", False, Reason.OPTED_OUT),
        (Fate.ON_REGISTRY_WITH_CONSENT, "", False, Reason.ON_REGISTRY),
        (Fate.BOUNCE_DISPROVED, "Acme Tools", True, Reason.PERMITTED),
    ],
)
def test_what_is_expected_follows_from_fate_class_and_spelling(
    fate: Fate, company: str, is_exact: bool, reason: Reason
) -> None:
    person = a_person(fate=fate, company=company)
    row = Row(person, {}, {}, states_business=person.is_business, is_exact=is_exact)
    assert expected_reason(row) == reason
