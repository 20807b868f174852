"""Defects of the cells beside the address: class, phone, names and notes."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from jobs.demo.people import OWN_DOMAIN, Fate
from jobs.demo.rows import Field, Row, Style
from jobs.demo.spoiling import Defect

BUSINESS_SPELLINGS = ("Work", "B2B", " business ", "GESCHÄFTLICH", "professionnel", "Office")
PRIVATE_SPELLINGS = ("privat", "Home", "B2C", "PERSONAL ", "privé", "Consumer")
UNKNOWN_CLASSES = ("W/H", "1", "yes", "VIP", "tbc")
FORMULAS = ("=cmd", "=1+1", "@SUM(A1:A9)", "+CALL BACK", "-2 REMINDERS")


def _variant(row: Row, variants: tuple[str, ...]) -> str:
    return variants[(row.person.number if row.person else 0) % len(variants)]


def _text(field: Field, rewrite: Callable[[str], str], style: Style | None = None) -> Callable[[Row], Row]:
    """A defect that rewrites the text of one cell."""

    def apply(row: Row) -> Row:
        return row.with_text(field, rewrite(row.fields.get(field, "")), style)

    return apply


def _note(text: str, style: Style | None = None) -> Callable[[Row], Row]:
    return _text(Field.NOTES, lambda _: text, style)


def _class_in_other_words(row: Row) -> Row:
    spellings = BUSINESS_SPELLINGS if row.states_business else PRIVATE_SPELLINGS
    return row.with_text(Field.CLASS, _variant(row, spellings))


def _digits(phone: str) -> str:
    return "".join(character for character in phone if character.isdigit())


def _scientific(phone: str) -> str:
    """What a spreadsheet shows of a long number in a narrow column: six digits of it are left."""
    digits = _digits(phone)
    return f"{digits[0]}.{digits[1:6]}E+{len(digits) - 1}"


def _name_field(row: Row) -> Field:
    return Field.NAME if Field.NAME in row.fields else Field.FAMILY


def _misread_name(row: Row) -> Row:
    """Text in UTF-8 that a program took for Latin-1 and saved again."""
    field = _name_field(row)
    return row.with_text(field, row.fields[field].encode("utf-8").decode("latin-1"))


def _name_in_other_encoding(row: Row) -> Row:
    field = _name_field(row)
    return row.with_text(field, row.fields[field], Style.OTHER_ENCODING)


def _name_with_question_marks(row: Row) -> Row:
    field = _name_field(row)
    return row.with_text(field, row.fields[field].encode("ascii", "replace").decode("ascii"))


def _decomposed_name(row: Row) -> Row:
    field = _name_field(row)
    return row.with_text(field, unicodedata.normalize("NFD", row.fields[field]))


def _has_accents_in_name(row: Row) -> bool:
    """Names whose accented letters have two UTF-8 bytes that both print in Latin-1, so that people see the damage."""
    accented = [letter for letter in row.fields.get(_name_field(row), "") if not letter.isascii()]
    return bool(accented) and all("\u00e0" <= letter <= "\u00ff" for letter in accented)


def _is_free_mail(row: Row) -> bool:
    return row.person is not None and not row.person.is_business and row.person.domain != OWN_DOMAIN


def _is_business_without_history(row: Row) -> bool:
    """Rows that the scrub would keep, were it not for their class."""
    return row.states_business and row.person is not None and row.person.fate is Fate.NOTHING


CLASS_IN_OTHER_WORDS = Defect(
    "class_in_other_words", "The class is in another word, case or language (`Work`, `B2B`, `privat`).",
    _class_in_other_words,
)  # fmt: skip
CLASS_LEFT_EMPTY = Defect(
    "class_left_empty", "A business address has no class.", _text(Field.CLASS, lambda _: ""),
    _is_business_without_history, counts_as_personal=True,
)  # fmt: skip
CLASS_NOBODY_KNOWS = Defect(
    "class_nobody_knows", "The class of a business address is a code that is explained nowhere (`W/H`, `1`).",
    lambda row: row.with_text(Field.CLASS, _variant(row, UNKNOWN_CLASSES)), _is_business_without_history,
    counts_as_personal=True,
)  # fmt: skip
FREE_MAIL_CALLED_BUSINESS = Defect(
    "free_mail_called_business", "A free-mail address, which is a private person's, is flagged as business.",
    _text(Field.CLASS, lambda _: "Business"), _is_free_mail, counts_as_personal=True,
)  # fmt: skip
PHONE_AS_FLOAT = Defect(
    "phone_as_float", "The phone number went through a spreadsheet as a number (`447700900123.0`).",
    _text(Field.PHONE, lambda phone: f"{_digits(phone)}.0"),
)  # fmt: skip
PHONE_IN_SCIENTIFIC_NOTATION = Defect(
    "phone_in_scientific_notation", "The phone number lost most of its digits (`4.47700E+11`).",
    _text(Field.PHONE, _scientific),
)  # fmt: skip
TWO_PHONES = Defect(
    "two_phones_in_a_cell", "Two phone numbers share a cell.",
    _text(Field.PHONE, lambda phone: f"{phone} / 020 7946 0199"),
)  # fmt: skip
HOME_ADDRESS_IN_LINES = Defect(
    "quoted_newline", "A postal address has its line breaks, so that the row goes over several lines.",
    _text(Field.HOME, lambda home: home.replace(", ", "\n")),
)  # fmt: skip
DELIMITER_IN_QUOTES = Defect(
    "delimiter_in_quotes", "A cell in quotes holds every character that might separate cells.",
    _note("asked for; price list, terms | catalogue", Style.QUOTED),
)  # fmt: skip
DOUBLED_QUOTES = Defect(
    "doubled_quotes", "A cell in quotes holds quotes, which are doubled.", _note('said "call me in spring", twice'),
)  # fmt: skip
QUOTE_IN_BARE_CELL = Defect(
    "quote_in_bare_cell", "A quote stands in the middle of a cell without quotes.",
    _note('ordered 12" shelves', Style.BARE),
)  # fmt: skip
SMART_QUOTES = Defect(
    "smart_quotes", "A word processor made the quotes and dashes typographic.",
    _note("prefers \u201cinfo\u201d \u2013 doesn\u2019t read mails"),
)  # fmt: skip
HTML_ENTITIES = Defect(
    "html_entities", "Text from a web form still has its entities (`&amp;`).",
    _note("Research &amp; Development, O&#39;Hara&nbsp;wing"),
)  # fmt: skip
FORMULA = Defect(
    "formula_cell", "A cell looks like a formula to a spreadsheet (`=cmd`).",
    lambda row: row.with_text(Field.NOTES, _variant(row, FORMULAS)),
)  # fmt: skip
ADDRESS_IN_NOTES = Defect(
    "address_in_notes", "The notes hold an address that is not to be written to.",
    _note("assistant: reception@brambling.example"),
)  # fmt: skip
ESCAPED_CARRIAGE_RETURN = Defect(
    "escaped_carriage_return", "A spreadsheet's escape for a line break stands in the text.",
    _note("moved in May_x000D_new desk"),
)  # fmt: skip
MISREAD_UTF8 = Defect(
    "misread_utf8", "A name in UTF-8 was read as Latin-1 and saved that way.", _misread_name, _has_accents_in_name,
)  # fmt: skip
OTHER_ENCODING_INSIDE = Defect(
    "other_encoding_inside", "A name was pasted in UTF-8 into a file in cp1252.", _name_in_other_encoding,
    _has_accents_in_name,
)  # fmt: skip
QUESTION_MARKS = Defect(
    "letters_lost_to_question_marks", "The letters that an older system did not know became question marks.",
    _name_with_question_marks, _has_accents_in_name,
)  # fmt: skip
DECOMPOSED_ACCENTS = Defect(
    "decomposed_accents", "The accents of a name are characters of their own, as some file systems write them.",
    _decomposed_name, _has_accents_in_name,
)  # fmt: skip

CELL_DEFECTS = (
    MISREAD_UTF8, OTHER_ENCODING_INSIDE, QUESTION_MARKS, DECOMPOSED_ACCENTS, CLASS_LEFT_EMPTY, CLASS_NOBODY_KNOWS,
    FREE_MAIL_CALLED_BUSINESS, CLASS_IN_OTHER_WORDS, PHONE_AS_FLOAT, PHONE_IN_SCIENTIFIC_NOTATION, TWO_PHONES,
    HOME_ADDRESS_IN_LINES, DELIMITER_IN_QUOTES, DOUBLED_QUOTES, QUOTE_IN_BARE_CELL, SMART_QUOTES, HTML_ENTITIES,
    FORMULA, ADDRESS_IN_NOTES, ESCAPED_CARRIAGE_RETURN,
)  # fmt: skip
"""In the order in which they choose their rows, those that suit few rows first."""
