"""Which column of a list holds the addresses: the one that was named, or the only one that can be meant.

A wrong guess would decide about other people than those who get the message, so anything but one clear candidate is an
error that names the candidates. Errors name columns by their headings and never show a cell.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jobs.lists.faults import list_fault
from jobs.lists.records import RawRecord
from prefcenter.domain.address import parse
from prefcenter.domain.address.blanks import stripped
from prefcenter.domain.errors import InvalidAddress, InvalidList
from prefcenter.domain.terms import KIND_OF_CHANNEL, AddressKind, Channel

ADDRESS_COLUMN_OPTION = "--address-column"
MOST_COLUMNS_NAMED = 20
LONGEST_HEADING_SHOWN = 40
EMAIL_IN_A_CELL = re.compile(r"[^\s@]@[^\s@]+\.[^\s@]")
NUMBER_IN_A_HEADING = re.compile(r"\d{4}")
FEWEST_DIGITS_OF_A_NUMBER = 6
FEWEST_DIGITS_OF_A_HASH = 16
HEX = re.compile("[0-9A-Fa-f]+")
HASH_HEADING = re.compile("hash|digest|md5|sha1|sha256|sha512")
PLACE_WITH_NUMBER = re.compile(r"\d.*[,\n]|[,\n].*\d", re.DOTALL)

# Headings in English, French, German, Spanish, Italian, Portuguese, Dutch, the Scandinavian languages and Polish,
# without accents and blanks.
HEADINGS = {
    AddressKind.EMAIL: re.compile(r"e?mail(?!ing)|courriel|correo|epost|poczta"),
    AddressKind.PHONE: re.compile(r"phone|telefo|fono|mobil|handy|portable|^cell|gsm|movil|^tel|sms|whatsapp"),
    AddressKind.POST: re.compile(r"adres|address|anschrift|direccion|domicil|indirizzo|endereco|morada|postal"),
    AddressKind.PUSH: re.compile(r"push|token|device"),
}
OTHER_HEADINGS = frozenset(
    "id nr no name firstname lastname surname fullname title company country city town date status notes "
    "nom prenom ville pays societe vorname nachname anrede firma ort land datum "
    "nombre apellido empresa ciudad pais nome cognome azienda citta naam bedrijf stad".split()
)
"""Frequent headings of other columns: where one of these stands, the record surely is a header."""

NO_POSTAL_HEADING = re.compile(r"e?mail(?!ing)|^ip|web|url|postalcode")
NOUNS = {
    AddressKind.EMAIL: "email addresses",
    AddressKind.PHONE: "phone numbers",
    AddressKind.POST: "postal addresses",
    AddressKind.PUSH: "push tokens",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its place (from 0) and its heading, None in a list without one."""

    index: int
    heading: str | None = None

    @property
    def number(self) -> int:
        """The place as people count it, and as `--address-column` takes it."""
        return self.index + 1


@dataclass(frozen=True, slots=True)
class ColumnFinder:
    """Finds columns of one list. `first` is the record that may be the header; `sample` are records after it.

    `has_names`: the format itself names its columns, so `first` holds their names and never a contact. `hash_digits`:
    what is sought are hashes of addresses, in hex of that many digits. `option` is what a caller names the column with,
    for errors.
    """

    name: str
    channel: Channel
    country: str
    first: RawRecord
    sample: Sequence[RawRecord]
    has_names: bool = False
    hash_digits: int | None = None
    option: str = ADDRESS_COLUMN_OPTION

    @property
    def is_first_surely_data(self) -> bool:
        """Whether the first record is blank or holds an email address: no heading does, whatever the list is for."""
        if self.has_names:
            return False
        return self.first.is_blank or any(EMAIL_IN_A_CELL.search(cell) for cell in self.first.cells)

    def address_column(self, named: str | None) -> tuple[Column, bool]:
        """The address column, and whether the first record is a header.

        A contact in the first row must never pass as a header, for a header is copied into every output. So whatever
        could be an address there, readable or not, makes a row of it.
        """
        headings = None if self.is_first_surely_data else self.first.cells
        if named is None:
            column = self._detected(headings)
        else:
            place = (self.name, self.first.line, self.option)
            column = named_column(*place, named, headings, len(self.first.cells), has_names=self.has_names)
        cells = self.first.cells
        if self.has_names:
            return column, True
        if headings is None or (column.index < len(cells) and self._could_be_address(cells[column.index])):
            return Column(column.index), False
        return column, True

    def _detected(self, headings: Sequence[str] | None) -> Column:
        kind = KIND_OF_CHANNEL[self.channel]
        filled = [index for index in range(self._width) if self._mostly_parses(index)]
        titled = [index for index, heading in enumerate(headings or ()) if self._is_heading(heading)]
        both = [index for index in filled if index in titled]
        candidates = both or sorted({*filled, *titled})
        if len(candidates) != 1:
            raise self._undecided(candidates, headings, kind)
        return _column(candidates[0], headings)

    @property
    def _width(self) -> int:
        return max(len(record.cells) for record in (self.first, *self.sample))

    def _mostly_parses(self, index: int) -> bool:
        """Whether at least half of the filled cells of a column in the sample are addresses of the channel."""
        rows = self.sample if self.sample and not self.is_first_surely_data else (self.first, *self.sample)
        cells = [record.cells[index] for record in rows if index < len(record.cells)]
        filled = [cell for cell in cells if stripped(cell)]
        return 2 * sum(map(self._parses, filled)) >= max(1, len(filled))

    def _is_heading(self, heading: str) -> bool:
        if self.hash_digits is not None:
            return HASH_HEADING.search(_folded(heading)) is not None
        return is_heading_of(heading, KIND_OF_CHANNEL[self.channel])

    def _parses(self, cell: str) -> bool:
        if self.hash_digits is not None:
            return len(stripped(cell)) == self.hash_digits and HEX.fullmatch(stripped(cell)) is not None
        kind = KIND_OF_CHANNEL[self.channel]
        if kind is AddressKind.EMAIL and "@" not in cell:
            return False
        try:
            parse(cell, kind, country=self.country)
        except InvalidAddress:
            return False
        return True

    def _could_be_address(self, cell: str) -> bool:
        """Whether a cell could be an address of the channel, even one with a defect that keeps it from being read."""
        if self.hash_digits is not None:
            return len(cell) >= FEWEST_DIGITS_OF_A_HASH and HEX.fullmatch(stripped(cell)) is not None
        looks_like_one: dict[AddressKind, Callable[[str], object]] = {
            AddressKind.EMAIL: EMAIL_IN_A_CELL.search,
            AddressKind.PHONE: lambda text: sum(map(str.isdigit, text)) >= FEWEST_DIGITS_OF_A_NUMBER,
            AddressKind.POST: PLACE_WITH_NUMBER.search,
            AddressKind.PUSH: lambda text: stripped(text).lower().startswith("push:"),
        }
        return bool(looks_like_one[KIND_OF_CHANNEL[self.channel]](cell)) or self._parses(cell)

    def _undecided(self, candidates: Sequence[int], headings: Sequence[str] | None, kind: AddressKind) -> InvalidList:
        noun = NOUNS[kind] if self.hash_digits is None else f"hashes of {self.hash_digits} hex digits"
        if candidates:
            message = f"{labels(candidates, headings, has_names=self.has_names)} could each hold the {noun}"
        else:
            verb = "is" if self._width == 1 else "are"
            there = labels(range(self._width), headings, has_names=self.has_names)
            message = f"no column holds {noun}; there {verb} {there}"
        return list_fault(self.name, self.first.line, "header", f"{message}; choose one with {self.option}")


def named_column(
    name: str,
    line: int,
    option: str,
    named: str,
    headings: Sequence[str] | None,
    width: int,
    *,
    has_names: bool = False,
) -> Column:
    """The column that a caller names by its heading, or by its number from 1 where no heading says so.

    `has_names`: the format names its columns, so that an error may show what they are called.
    """
    for same in (_exactly, _loosely):
        found = [index for index, heading in enumerate(headings or ()) if same(heading, named)]
        if len(found) > 1:
            message = f"the heading that {option} names stands over {labels(found, None)}; give the number of one"
            raise list_fault(name, line, "header", message)
        if found:
            return _column(found[0], headings)
    if named.isascii() and named.isdigit() and 1 <= int(named[:9]) <= width:
        return _column(int(named) - 1, headings)
    if headings is None:
        message = f"the list has no header, so {option} takes a number from 1 to {width}"
    else:
        message = f"{option} names none of {labels(range(len(headings)), headings, has_names=has_names)}"
    raise list_fault(name, line, "header", message)


def is_heading_of(heading: str, kind: AddressKind) -> bool:
    """Whether a heading says, in one of several languages, that a kind of address stands under it."""
    folded = _folded(heading)
    if kind is AddressKind.POST and NO_POSTAL_HEADING.search(folded):
        return False
    return HEADINGS[kind].search(folded) is not None


def labels(indexes: Sequence[int], headings: Sequence[str] | None, *, has_names: bool = False) -> str:
    """Columns in words for an error: `column 2 ("Email") and column 5`."""
    known = headings if headings is not None and (has_names or any(map(_is_known_heading, headings))) else ()
    shown = [_label(index, known) for index in indexes[:MOST_COLUMNS_NAMED]]
    if len(indexes) > MOST_COLUMNS_NAMED:
        shown.append(f"{len(indexes) - MOST_COLUMNS_NAMED} more")
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _label(index: int, headings: Sequence[str]) -> str:
    """A column by number, and by heading where it surely is one: a row could have been taken for the header."""
    heading = stripped(headings[index]) if index < len(headings) else ""
    is_showable = heading.isprintable() and 0 < len(heading) <= LONGEST_HEADING_SHOWN
    if not is_showable or "@" in heading or NUMBER_IN_A_HEADING.search(heading):
        return f"column {index + 1}"
    return f'column {index + 1} ("{heading}")'


def _is_known_heading(heading: str) -> bool:
    return _folded(heading) in OTHER_HEADINGS or any(is_heading_of(heading, kind) for kind in HEADINGS)


def _folded(heading: str) -> str:
    """Letters and digits in lower case and without accents."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", heading.casefold())))


def _column(index: int, headings: Sequence[str] | None) -> Column:
    if headings is None or index >= len(headings):
        return Column(index)
    return Column(index, stripped(headings[index]))


def _exactly(heading: str, named: str) -> bool:
    return heading == named


def _loosely(heading: str, named: str) -> bool:
    return stripped(heading).casefold() == stripped(named).casefold()
