"""Postal addresses of the United Kingdom, the United States, Germany and France.

Mailbox: `post:CC|POSTCODE|premise`. Exact: that and the addressee. Addresses of other countries are refused: without
knowing what a postcode spans there, a form would merge strangers or miss the household.
"""

from __future__ import annotations

import re
import unicodedata

from prefcenter.domain.address.blanks import stripped, without_format_marks
from prefcenter.domain.address.forms import RULES_VERSIONS, Address, Forms
from prefcenter.domain.address.postal_words import PostalWords, postal_words
from prefcenter.domain.address.premise import STREET_BELONGS_TO_PREMISE, find_premise, plain_line
from prefcenter.domain.errors import InvalidAddress
from prefcenter.domain.terms import AddressKind

POST = "post:"
LINE_BREAKS = re.compile(r"[,\n\r\u2028\u2029]+")
POSTCODES = {
    "GB": re.compile(r"(?:.*\s)?(?P<code>[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2})"),
    # USPS Publication 28 section 2 (last line): the four digits of ZIP+4 say no more about the premise than we keep.
    "US": re.compile(r"(?:.*\s)?(?P<code>\d{5})(?:-?\d{4})?"),
    "DE": re.compile(r"(?:DE?[-\s]?)?(?P<code>\d{5})\s+\D+"),
    "FR": re.compile(r"(?:FR?[-\s]?)?(?P<code>\d{5})\s+.+"),
}
CODE_ON_ANY_LINE = frozenset({"GB"})
FORM = re.compile(r"post:(?P<country>[A-Z]{2})\|(?P<code>[A-Z0-9]+)\|(?P<premise>[^|]+)(?:\|(?P<addressee>[^|]*))?")


def parse_post(text: str, country: str) -> Address:
    bare = stripped(text)
    forms = tuple(_forms(rules, *_read(bare, country, postal_words(rules))) for rules in RULES_VERSIONS)
    return Address(kind=AddressKind.POST, forms=forms, masked=_masked(forms[0]))


def _forms(rules: int, country: str, code: str, premise: str, addressee: str) -> Forms:
    mailbox = f"{POST}{country}|{code}|{premise}"
    return Forms(rules, exact=f"{mailbox}|{addressee}", mailbox=mailbox)


def _masked(forms: Forms) -> str:
    """The country, and the district of a British postcode, which thousands of households share."""
    country, code, *_ = forms.mailbox.removeprefix(POST).split("|")
    return f"{country} {code[:-3]} ***" if country == "GB" else f"{country} ***"


def _read(text: str, country: str, words: PostalWords) -> tuple[str, str, str, str]:
    """Country, postcode, premise and addressee; a form that this module wrote reads back as itself."""
    return _read_form(text) if text.startswith(POST) else _read_lines(text, country, words)


def _read_lines(text: str, country: str, words: PostalWords) -> tuple[str, str, str, str]:
    compatible = unicodedata.normalize("NFKC", without_format_marks(text))
    lines = [" ".join(line.split()) for line in LINE_BREAKS.split(compatible) if plain_name(line)]
    named = words.countries.get(plain_line(lines[-1], "")) if lines else None
    if named is not None:
        country = named
        lines.pop()
    if country not in STREET_BELONGS_TO_PREMISE:
        raise InvalidAddress("is in a country whose postal addresses are not known here")
    street_lines, code = _without_postcode(lines, country)
    premise = find_premise(tuple(plain_line(line, country) for line in street_lines), country, words)
    addressee = " ".join(plain_name(line) for line in street_lines[: premise.line])
    return country, code, premise.key, addressee


def _without_postcode(lines: list[str], country: str) -> tuple[list[str], str]:
    """The lines above the postcode's line, which names the town besides, and the code without blanks.

    A code of five digits counts on the last line only, so that a foreign country's name below it is not read past.
    """
    candidates = range(len(lines) - 1, 0, -1)
    for position in candidates if country in CODE_ON_ANY_LINE else candidates[:1]:
        if match := POSTCODES[country].fullmatch(lines[position].upper()):
            return lines[:position], match["code"].replace(" ", "")
    raise InvalidAddress("has no postcode on its last line")


def plain_name(text: str) -> str:
    """An addressee as it is compared: NFKC case-folded, punctuation dropped, blanks collapsed; accents stay."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(_letter_or_blank(character) for character in re.sub("['\u2019.]", "", folded))
    return " ".join(kept.split())


def _letter_or_blank(character: str) -> str:
    return character if unicodedata.category(character)[0] in "LMN" else " "


def _read_form(text: str) -> tuple[str, str, str, str]:
    match = FORM.fullmatch(text)
    if match is None or match["country"] not in STREET_BELONGS_TO_PREMISE:
        raise InvalidAddress("is not a postal address")
    premise, addressee = match["premise"], match["addressee"] or ""
    if premise != plain_line(premise, match["country"]) or addressee != plain_name(addressee):
        raise InvalidAddress("is not a postal address")
    return match["country"], match["code"], premise, addressee
