"""The campaign list: 2,000 rows of a British customer system, for OpenContact's next mailing."""

from __future__ import annotations

from functools import reduce

from jobs.demo.address_defects import ZERO_WIDTH_AROUND, ZERO_WIDTH_INSIDE
from jobs.demo.cell_defects import DECOMPOSED_ACCENTS, MISREAD_UTF8
from jobs.demo.chance import Chance
from jobs.demo.defects import row_defects
from jobs.demo.particulars import NOTES, british_phone, home_address, recent_date
from jobs.demo.people import Person, campaign_people
from jobs.demo.rows import Column, DemoList, Field, Row, Sheet, written_header, written_rows
from jobs.demo.spoiling import spoilt
from jobs.demo.structure_defects import (
    BLANK_LINE,
    CARRIAGE_RETURN_ONLY,
    CODE_PAGE,
    CRLF,
    CRLF_AMONG_LINE_FEEDS,
    DUPLICATE_ROW,
    EMPTY_CELLS,
    NAMELESS_COLUMN,
    NO_LAST_LINE_END,
    ODD_HEADER,
    REPEATED_HEADER,
    SEMICOLONS,
    SUBTOTAL,
)
from prefcenter.domain.terms import Channel

FILE_NAME = "campaign.csv"
CONTROLLER = "opencontact"
PURPOSE = "client-marketing"
COLUMNS = (
    Column(Field.NUMBER, "Customer No"),
    Column(Field.NAME, "Name"),
    Column(Field.COMPANY, "Company"),
    Column(Field.EMAIL, "E-Mail"),
    Column(Field.CLASS, "Class of Address"),
    Column(Field.PHONE, "Phone"),
    Column(Field.HOME, "Home Address"),
    Column(Field.NAMELESS, "Old Code"),
    Column(Field.DATE, "Last Contact"),
    Column(Field.NOTES, "Notes"),
)
FILE_DEFECTS = (CODE_PAGE, SEMICOLONS, CRLF, NO_LAST_LINE_END, ODD_HEADER, NAMELESS_COLUMN)
ROW_DEFECTS = row_defects(
    6,
    {
        DUPLICATE_ROW: 37,
        BLANK_LINE: 3,
        EMPTY_CELLS: 2,
        REPEATED_HEADER: 1,
        SUBTOTAL: 1,
        # The code page cannot write these, and the file's rows end with CRLF anyhow.
        ZERO_WIDTH_AROUND: 0,
        ZERO_WIDTH_INSIDE: 0,
        MISREAD_UTF8: 0,
        DECOMPOSED_ACCENTS: 0,
        CRLF_AMONG_LINE_FEEDS: 0,
        CARRIAGE_RETURN_ONLY: 0,
    },
)


def campaign_list() -> DemoList:
    """The list as bytes, with what the scrub must make of each row once the story has been played."""
    chance = Chance("campaign list")
    rows = [_row(person, chance) for person in chance.shuffled(campaign_people())]
    drafted = Sheet(COLUMNS, spoilt(rows, ROW_DEFECTS, chance))
    sheet = reduce(lambda sheet, defect: defect.spoil(sheet), FILE_DEFECTS, drafted)
    return DemoList(
        file_name=FILE_NAME,
        controller=CONTROLLER,
        purpose=PURPOSE,
        channel=Channel.EMAIL,
        address_column="E-Mail",
        class_column="Class of Address",
        encoding=sheet.encoding,
        delimiter=sheet.delimiter,
        header=written_header(sheet),
        rows=written_rows(sheet),
        file_defects=sheet.defects,
    )


def _row(person: Person, chance: Chance) -> Row:
    fields = {
        Field.NUMBER: f"C-{person.number:05}",
        Field.NAME: person.name.full,
        Field.COMPANY: person.company,
        Field.EMAIL: person.address,
        Field.CLASS: "Business" if person.is_business else "Private",
        Field.PHONE: british_phone(chance),
        Field.HOME: "" if person.is_business else home_address(chance),
        Field.NAMELESS: str(chance.below(10)),
        Field.DATE: recent_date(chance),
        Field.NOTES: chance.pick(NOTES),
    }
    return Row(person, fields, {}, states_business=person.is_business)
