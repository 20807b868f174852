"""The languages that a caller reads, from `Accept-Language` (RFC 9110 §12.5.4)."""

from __future__ import annotations

import re
from collections.abc import Sequence

LANGUAGES_MAX = 10
_RANGE = re.compile(r"([a-z]{2,8}(?:-[a-z0-9]{1,8})*)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?))?", re.IGNORECASE)


def read_languages(field: str | None) -> Sequence[str]:
    """Lower-case tags, best first; what is not a language range is passed over."""
    ranges = (_RANGE.fullmatch(part.strip()) for part in (field or "").split(",")[:LANGUAGES_MAX])
    weighed = [(float(found[2] or 1), found[1].casefold()) for found in ranges if found]
    return [tag for weight, tag in sorted(weighed, key=lambda pair: -pair[0]) if weight > 0]
