"""Mailboxes that a scrub has kept already, so that nobody gets a message twice.

Held as digests of 16 bytes, in sorted runs of which each is at least twice as long as the next: a look-up is a few
binary searches, and memory is 16 bytes a mailbox, and for a moment 32 while runs are joined.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefcenter.domain.address import parse
from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.terms import KIND_OF_CHANNEL, Channel

MAX_MAILBOXES = 50_000_000
DIGEST_BYTES = 16


class SeenMailboxes:
    """The mailboxes of one run, by digests under a `key` that is drawn for it and ends with it."""

    def __init__(self, country: str, most: int = MAX_MAILBOXES) -> None:
        self._country = country
        self._most = most
        self.key = secrets.token_bytes(32)
        self._runs: list[NDArray[np.bytes_]] = []

    def digest_of(self, address: str, channel: Channel) -> bytes:
        """The digest of a readable address's mailbox; two spellings of one mailbox have the same."""
        kind = KIND_OF_CHANNEL[channel]
        mailbox = parse(address, kind, country=self._country).current.mailbox
        return hashlib.blake2b(f"{kind}:{mailbox}".encode(), digest_size=DIGEST_BYTES, key=self.key).digest()

    def are_new(self, digests: Sequence[bytes] | NDArray[np.bytes_]) -> NDArray[np.bool_]:
        """Which of these, in order, have not been seen before; from now on they have. Raises InvalidInput past 50M."""
        if not len(digests):
            return np.zeros(0, np.bool_)
        given = np.asarray(digests, dtype=f"S{DIGEST_BYTES}")
        unique, first = np.unique(given, return_index=True)
        is_new = ~np.logical_or.reduce([_are_in(run, unique) for run in self._runs], initial=False)
        is_new = np.broadcast_to(is_new, unique.shape)
        self._add(unique[is_new])
        places = np.zeros(len(digests), dtype=bool)
        places[first[is_new]] = True
        return places

    def _add(self, run: NDArray[np.bytes_]) -> None:
        """Join runs until each is at least twice as long as the one after it."""
        if not len(run):
            return
        while self._runs and len(self._runs[-1]) < 2 * len(run):
            run = np.sort(np.concatenate([self._runs.pop(), run]), kind="stable")
        self._runs.append(run)
        if sum(map(len, self._runs)) > self._most:
            raise InvalidInput(f"--dedupe: more than {self._most:,} mailboxes; scrub the list in parts")


def _are_in(run: NDArray[np.bytes_], wanted: NDArray[np.bytes_]) -> Any:
    places = np.minimum(np.searchsorted(run, wanted), len(run) - 1)
    return run[places] == wanted
