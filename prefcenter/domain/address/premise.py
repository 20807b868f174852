"""The premise of a postal address: its unit, its number or name, and its street where a postcode spans many streets.

A British postcode names a stretch of one street, so number and postcode name the house. Postcodes of the other
countries span whole towns: without the street, one refusal would bind every house of that number there.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from prefcenter.domain.address.postal_words import PostalWords, Spellings
from prefcenter.domain.errors import InvalidAddress

STREET_BELONGS_TO_PREMISE = {"GB": False, "US": True, "DE": True, "FR": True}
NUMBER_STANDS_LAST = frozenset({"DE"})
GERMAN_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})

RANGE = r"(?:\s?[-/]\s?\d+[a-z]?)?"
NUMBER_FIRST = {
    "GB": re.compile(rf"(?P<number>\d+[a-z]?{RANGE})(?:\s+(?P<street>.*))?"),
    "US": re.compile(r"(?P<number>\d+[a-z]?(?:\s?-\s?\d+[a-z]?)?(?:\s\d/\d)?)(?:\s+(?P<street>.*))?"),
    "FR": re.compile(rf"(?P<number>\d+(?:\s?(?:bis|ter|quater|[a-z])\b)?{RANGE})(?:\s+(?P<street>.*))?"),
}
NUMBER_LAST = re.compile(rf"(?P<street>.*?[^\d\s].*?)\s*\b(?P<number>\d+(?:\s?[a-z])?{RANGE})")
HOUSE_NUMBER_SIGN = re.compile(r"\b(?:no|nr|n[°º])\.?\s?(?=\d)")
ORDINAL = re.compile(r"(\d+)(?:e|er|eme|st|nd|rd|th)")
BOX_NUMBER = re.compile(r"(?P<name>\D+?) (?P<number>\d[\d ]*)")
GERMAN_STREET = re.compile(r"str(?:asse)?$")


@dataclass(frozen=True, slots=True)
class Premise:
    """A premise, and the line on which it begins; the lines before that name who is there."""

    key: str
    line: int


@dataclass(frozen=True, slots=True)
class _House:
    line: int
    number: str
    street: str


def find_premise(lines: tuple[str, ...], country: str, words: PostalWords) -> Premise:
    """The premise in street lines that `plain_line` wrote; InvalidAddress where there is none."""
    divisions: dict[str, str] = {}
    first_division = len(lines)
    rests: list[str] = []
    for position, line in enumerate(lines):
        box = _box(line, words)
        if box is not None:
            return Premise(key=box, line=min(position, first_division))
        found, rest = _divided(line, words.divisions)
        if found:
            first_division = min(first_division, position)
        divisions.update(found)
        rests.append(rest)
    house = _house(rests, country)
    if house is None:
        return _named(divisions, rests, country)
    street = _street_key(house.street, country, words) if STREET_BELONGS_TO_PREMISE[country] else ""
    return Premise(key=_key(divisions, house.number, street), line=min(house.line, first_division))


def plain_line(text: str, country: str) -> str:
    """A street line as it is compared: case-folded, accents and punctuation gone, range hyphens and slashes kept."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    folded = unicodedata.normalize("NFC", folded)
    if country in NUMBER_STANDS_LAST:
        folded = folded.translate(GERMAN_LETTERS)
    letters = "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
    dashed = re.sub("[\u2010-\u2015]", "-", HOUSE_NUMBER_SIGN.sub(" ", letters))
    spaced = re.sub(r"[^\w\s/#-]|_", " ", re.sub(r"['\u2019.]", "", dashed)).replace("#", " # ")
    return " ".join(spaced.split())


def _box(line: str, words: PostalWords) -> str | None:
    match = BOX_NUMBER.fullmatch(line)
    is_box = match is not None and match["name"] in words.boxes
    return f"box {match['number'].replace(' ', '')}" if match is not None and is_box else None


def _divided(line: str, spellings: Spellings) -> tuple[dict[str, str], str]:
    """The divisions that a line names (`flat 2` is unit 2, `2nd floor` floor 2) and what is left of it."""
    words = line.split()
    tokens = [word for word, before in zip(words, ["", *words], strict=False) if word != "#" or before not in spellings]
    found, rest = dict[str, str](), list[str]()
    while tokens:
        token, following = tokens.pop(0), tokens[0] if tokens else ""
        ordinal = ORDINAL.fullmatch(token)
        if token in spellings and _is_designator(following):
            found[spellings[token]] = tokens.pop(0)
        elif ordinal is not None and spellings.get(following) == "floor":
            found[spellings[tokens.pop(0)]] = ordinal[1]
        else:
            rest.append(token)
    return found, " ".join(rest)


def _is_designator(token: str) -> bool:
    """A number or a single letter, as in `flat 2`, `apt 5b`, `unit a`; `tower street` names no tower."""
    return token[:1].isdigit() or len(token) == 1


def _house(rests: list[str], country: str) -> _House | None:
    """The line with the house number. The first line is the addressee's where a later one has a number as well."""
    houses = [house for line, rest in enumerate(rests) if (house := _read_house(line, rest, rests, country))]
    if not houses:
        return None
    return houses[1] if len(houses) > 1 and houses[0].line == 0 and not rests[0].isdigit() else houses[0]


def _read_house(line: int, rest: str, rests: list[str], country: str) -> _House | None:
    pattern = NUMBER_LAST if country in NUMBER_STANDS_LAST else NUMBER_FIRST[country]
    match = pattern.fullmatch(rest)
    if match is None:
        return None
    street = match["street"] or (rests[line + 1] if line + 1 < len(rests) else "")
    return _House(line=line, number=re.sub(r"\s?([-/])\s?|(?<=\d)\s(?=[a-z])", r"\1", match["number"]), street=street)


def _named(divisions: dict[str, str], rests: list[str], country: str) -> Premise:
    """A house without a number has a name, in the line below the addressee; only British addresses have that."""
    named = [rest for rest in rests[1:] if rest]
    if country != "GB" or len(named) < 2:
        raise InvalidAddress("has no house number or name")
    return Premise(key=_key(divisions, named[0], ""), line=1)


def _key(divisions: dict[str, str], number: str, street: str) -> str:
    """Divisions in one order. A floor is dropped beside a unit, which says more and is not always given with it."""
    counted = {name: value for name, value in divisions.items() if not (name == "floor" and "unit" in divisions)}
    return " ".join([*(f"{name} {counted[name]}" for name in sorted(counted)), number, *street.split()])


def _street_key(street: str, country: str, words: PostalWords) -> str:
    """The street with its type and directions spelt out; German ones as one word, for they are written both ways."""
    tokens = street.replace("-", " ").split()
    if not tokens:
        raise InvalidAddress("has no street")
    if country in NUMBER_STANDS_LAST:
        return GERMAN_STREET.sub("strasse", "".join(tokens))
    types = words.street_types[country]
    if country == "FR":
        return " ".join([types.get(tokens[0], tokens[0]), *tokens[1:]])
    return " ".join(_american_street(tokens, types, words.directions))


def _american_street(tokens: list[str], types: Spellings, directions: Spellings) -> list[str]:
    """Types are read at the end only, directions at the ends only and beside a name.

    `St Charles Ave` is a saint's avenue, and `E St NW` is the street called E.
    """
    spelt = list(tokens)
    last = len(spelt) - 1
    if last > 1 and spelt[last] in directions:
        spelt[last] = directions[spelt[last]]
        last -= 1
    if last > 1:
        spelt[0] = directions.get(spelt[0], spelt[0])
    if last > 0:
        spelt[last] = types.get(spelt[last], spelt[last])
    return spelt
