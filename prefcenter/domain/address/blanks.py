"""Blanks that people do not see: spaces of every script, zero-width and direction marks, and the byte order mark."""

from __future__ import annotations

import unicodedata

INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})


def is_blank(character: str) -> bool:
    return unicodedata.category(character) in INVISIBLE_CATEGORIES


def stripped(text: str) -> str:
    """The text without invisible characters at its ends; those inside are left for the parser of the kind to judge."""
    if text.isascii() and text.isprintable():
        return text.strip(" ")
    start, end = 0, len(text)
    while start < end and is_blank(text[start]):
        start += 1
    while end > start and is_blank(text[end - 1]):
        end -= 1
    return text[start:end]


def without_format_marks(text: str) -> str:
    """The text without zero-width and direction marks, which copied phone numbers and street lines carry inside."""
    return "".join(character for character in text if unicodedata.category(character) != "Cf")
