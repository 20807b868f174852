"""Whether bytes are UTF-8, by compiled code: the same that Python's strict decoder takes."""

from __future__ import annotations

import numpy as np

from jobs.scrub.fast.cells import Octets
from prefcenter.security.compiled import compiled
from prefcenter.security.vector_digests import Halves

WORD, WORDS = 8, 8
BEYOND_ASCII = 0x8080808080808080
ASCII_END = 0x80

LEADING = np.zeros((256, 3), np.uint8)
"""How many bytes follow a first one beyond ASCII, and between which two the second must be (RFC 3629 section 4).

Shortest forms only, of characters that are no surrogates. 0: no character begins so.
"""
LEADING[0xC2:0xE0] = 1, 0x80, 0xBF
LEADING[0xE0:0xF0] = 2, 0x80, 0xBF
LEADING[0xE0, 1] = 0xA0
LEADING[0xED, 2] = 0x9F
LEADING[0xF0:0xF5] = 3, 0x80, 0xBF
LEADING[0xF0, 1] = 0x90
LEADING[0xF4, 2] = 0x8F


@compiled
def is_utf8(octets: Octets) -> bool:
    """Whether a text is whole and well-formed."""
    size = octets.size
    start = min(size, -octets.ctypes.data % WORD)
    words = octets[start : start + (size - start) // WORD * WORD].view(np.uint64)
    place = 0
    while place < size:
        if place >= start and (place - start) % WORD == 0:
            place = start + WORD * _end_of_ascii(words, (place - start) // WORD)
        if place < size and octets[place] >= ASCII_END:
            following = _following(octets, place)
            if following == 0:
                return False
            place += following
        place += 1
    return True


@compiled
def _end_of_ascii(words: Halves, place: int) -> int:
    """The first word at a place or later with a byte beyond ASCII, looking at several at a time."""
    while place + WORDS <= words.size:
        together = np.uint64(0)
        for offset in range(WORDS):
            together |= words[place + offset]
        if together & np.uint64(BEYOND_ASCII):
            break
        place += WORDS
    while place < words.size and not words[place] & np.uint64(BEYOND_ASCII):
        place += 1
    return place


@compiled
def _following(octets: Octets, place: int) -> int:
    """How many bytes the character at a place has after its first; 0 where there is none."""
    following, least, most = LEADING[octets[place]]
    if following == 0 or place + following >= octets.size or not least <= octets[place + 1] <= most:
        return 0
    for offset in range(2, following + 1):
        if not 0x80 <= octets[place + offset] <= 0xBF:
            return 0
    return int(following)
