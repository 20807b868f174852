"""The length beyond which a text is refused unread, so that no cell of a list costs more than any other."""

from __future__ import annotations

from prefcenter.domain.errors import InvalidAddress

MAX_TEXT_CHARACTERS = 1_024


def require_readable_length(text: str) -> None:
    if len(text) > MAX_TEXT_CHARACTERS:
        raise InvalidAddress("is too long")
