"""The alumni list: 1,000 rows of former employees, many scripts, mostly private addresses, for an invitation."""

from __future__ import annotations

from functools import reduce

from jobs.demo.cell_defects import OTHER_ENCODING_INSIDE
from jobs.demo.chance import Chance
from jobs.demo.defects import row_defects
from jobs.demo.particulars import INTERESTS, NOTES, american_phone, home_address
from jobs.demo.people import Person, alumni_people
from jobs.demo.rows import Column, DemoList, Field, Row, Sheet, written_header, written_rows
from jobs.demo.spoiling import spoilt
from jobs.demo.structure_defects import (
    BLANK_LINE,
    BYTE_ORDER_MARK,
    CARRIAGE_RETURN_ONLY,
    DUPLICATE_ROW,
    EMPTY_CELLS,
    LINE_FEED_ONLY,
    REPEATED_HEADER,
    SUBTOTAL,
)
from prefcenter.domain.terms import Channel

FILE_NAME = "alumni.csv"
CONTROLLER = "one-contact-center"
PURPOSE = "alumni-events"
COLUMNS = (
    Column(Field.NUMBER, "Alumni ID"),
    Column(Field.GIVEN, "Given name"),
    Column(Field.FAMILY, "Family name"),
    Column(Field.DATE, "Left in"),
    Column(Field.COMPANY, "Now at"),
    Column(Field.EMAIL, "Email"),
    Column(Field.CLASS, "Type of email"),
    Column(Field.PHONE, "Mobile"),
    Column(Field.HOME, "Home address"),
    Column(Field.NAMELESS, "Interests"),
    Column(Field.NOTES, "Notes"),
)
FILE_DEFECTS = (BYTE_ORDER_MARK,)
ROW_DEFECTS = row_defects(
    4,
    {
        DUPLICATE_ROW: 25,
        BLANK_LINE: 3,
        EMPTY_CELLS: 2,
        REPEATED_HEADER: 1,
        SUBTOTAL: 1,
        CARRIAGE_RETURN_ONLY: 2,
        # The file is in UTF-8, and its rows end with a line feed anyhow.
        OTHER_ENCODING_INSIDE: 0,
        LINE_FEED_ONLY: 0,
    },
)
FIRST_LEAVING_YEAR = 1998
LEAVING_YEARS = 27


def alumni_list() -> DemoList:
    """The list as bytes, with what the scrub must make of each row once the story has been played."""
    chance = Chance("alumni list")
    rows = [_row(person, chance) for person in chance.shuffled(alumni_people())]
    drafted = Sheet(COLUMNS, spoilt(rows, ROW_DEFECTS, chance))
    sheet = reduce(lambda sheet, defect: defect.spoil(sheet), FILE_DEFECTS, drafted)
    return DemoList(
        file_name=FILE_NAME,
        controller=CONTROLLER,
        purpose=PURPOSE,
        channel=Channel.EMAIL,
        address_column="Email",
        class_column="Type of email",
        encoding="utf-8-sig",
        delimiter=sheet.delimiter,
        header=written_header(sheet),
        rows=written_rows(sheet),
        file_defects=sheet.defects,
    )


def _row(person: Person, chance: Chance) -> Row:
    fields = {
        Field.NUMBER: f"A{person.number}",
        Field.GIVEN: person.name.given,
        Field.FAMILY: person.name.family,
        Field.DATE: str(FIRST_LEAVING_YEAR + chance.below(LEAVING_YEARS)),
        Field.COMPANY: person.company,
        Field.EMAIL: person.address,
        Field.CLASS: "Work" if person.is_business else "Personal",
        Field.PHONE: american_phone(chance),
        Field.HOME: home_address(chance),
        Field.NAMELESS: chance.pick(INTERESTS),
        Field.NOTES: chance.pick(NOTES),
    }
    return Row(person, fields, {}, states_business=person.is_business)
