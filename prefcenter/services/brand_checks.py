"""What the table `[brand]` of a policy must mean, for the keys of it that the pages use; others are the owner's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from xml.etree import ElementTree

from prefcenter.services.brand import CONTRAST_MIN, LIGHT_GROUND, contrast
from prefcenter.services.policy_schema import MAX_LABEL_LENGTH_CHARACTERS, ONE_LINE, FaultReport

MAX_LOGO_CHARACTERS = 8_000
LANGUAGE = re.compile(r"[a-z]{2,3}")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_LABEL = re.compile(ONE_LINE)
_WEB_PAGE = re.compile(r"https://[!-~]{1,300}", re.ASCII)
_SVG = "{http://www.w3.org/2000/svg}svg"
_REACHES_OUT = re.compile(r"<!|<\?|<script|<foreignobject|\son\w+\s*=|href|url\(|@import", re.IGNORECASE)
"""What a drawing has no need of: declarations, programs, and whatever names something elsewhere."""


def check_brand(brand: object, report: FaultReport) -> None:
    """Add the faults of the table to the report; one that is none is reported elsewhere."""
    if not isinstance(brand, dict):
        return
    for key, (is_right, expected) in _EXPECTED.items():
        if key in brand and not is_right(brand[key]):
            report.add(f"brand.{key}", expected)


def _is_line(value: object) -> bool:
    is_text = isinstance(value, str) and len(value) <= MAX_LABEL_LENGTH_CHARACTERS
    return is_text and _LABEL.fullmatch(str(value)) is not None


def _is_colour(value: object) -> bool:
    is_written_so = isinstance(value, str) and _COLOUR.fullmatch(value) is not None
    return is_written_so and contrast(str(value), LIGHT_GROUND) >= CONTRAST_MIN


def _is_web_page(value: object) -> bool:
    return isinstance(value, str) and _WEB_PAGE.fullmatch(value) is not None


def _is_language(value: object) -> bool:
    return isinstance(value, str) and LANGUAGE.fullmatch(value) is not None


def _is_logo(value: object) -> bool:
    if not isinstance(value, str) or len(value) > MAX_LOGO_CHARACTERS or _REACHES_OUT.search(value):
        return False
    try:
        return ElementTree.fromstring(value).tag == _SVG  # noqa: S314 - without declarations there is nothing to expand
    except ElementTree.ParseError:
        return False


def _are_labels(value: object) -> bool:
    return isinstance(value, dict) and all(
        _is_language(language) and isinstance(labels, dict) and all(map(_is_line, labels.values()))
        for language, labels in value.items()
    )


_EXPECTED: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "name": (_is_line, f"one line of text, no blanks around it, at most {MAX_LABEL_LENGTH_CHARACTERS} characters"),
    "contact": (_is_line, f"one line of text, no blanks around it, at most {MAX_LABEL_LENGTH_CHARACTERS} characters"),
    "colour": (
        _is_colour,
        f"a colour such as `#1d4ed8`, in lower case, with a contrast to white of {CONTRAST_MIN} at least (WCAG 2.2)",
    ),
    "authority_url": (_is_web_page, "the address of a web page, with `https://`"),
    "language": (_is_language, "the language of the labels, such as `en`"),
    "logo": (
        _is_logo,
        f"an SVG drawing of at most {MAX_LOGO_CHARACTERS} characters, without programs, styles from elsewhere or links",
    ),
    "labels": (_are_labels, "a table for each other language, with the label of each id in it"),
}
