"""Plain email addresses: those of which it is shown that email-validator changes nothing but their case.

Most addresses of any list are plain, and the library takes a hundred times as long to say so. Whatever is not plain is
the library's to judge. The suite holds this path against it; compiled code that follows the same rule is held against
this one.
"""

from __future__ import annotations

import re

MAX_PLAIN_CHARACTERS = 64
ATEXT = "A-Za-z0-9_!#$%&'*+/=?^{|}~`-"  # RFC 5322 section 3.2.3
SPECIAL_USE_LABELS = frozenset({"arpa", "invalid", "local", "localhost", "onion", "test"})
"""Last labels that the library refuses (RFC 6761)."""

PLAIN = re.compile(
    rf"([{ATEXT}]+(?:\.[{ATEXT}]+)*)@((?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+([A-Za-z]+))",
    re.ASCII,
)


def plain_parts(bare: str) -> tuple[str, str] | None:
    """Local part as it is and lower-case domain of a plain address; None for any other text."""
    if len(bare) > MAX_PLAIN_CHARACTERS:
        return None
    match = PLAIN.fullmatch(bare)
    if match is None or match[3].lower() in SPECIAL_USE_LABELS:
        return None
    return match[1], match[2].lower()
