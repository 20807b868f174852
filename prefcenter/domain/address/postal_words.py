"""The words of `postal_words_v*.toml`, ready for look-ups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from prefcenter.domain.address.packaged import table_of

Spellings = Mapping[str, str]
"""What each spelling of a word stands for; a word that is spelt in one way only is missing."""


@dataclass(frozen=True, slots=True)
class PostalWords:
    countries: Spellings
    divisions: Spellings
    boxes: Spellings
    directions: Spellings
    street_types: Mapping[str, Spellings]


@cache
def postal_words(rules: int) -> PostalWords:
    table = table_of(f"postal_words_v{rules}.toml")
    return PostalWords(
        countries=_by_spelling(table["country_names"]),
        divisions=_by_spelling(table["divisions"]),
        boxes=_by_spelling(table["boxes"]),
        directions=_by_spelling(table["directions"]),
        street_types={country: _by_spelling(words) for country, words in table["street_types"].items()},
    )


def _by_spelling(spellings_of: Mapping[str, list[str]]) -> Spellings:
    return {spelling: word for word, spellings in spellings_of.items() for spelling in spellings}
