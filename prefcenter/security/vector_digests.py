"""Keyed digests of many forms at once: the same bytes as `digests.digest` gives, at a fraction of its cost a form.

HMAC (RFC 2104) begins each of its two hashes with a block that depends on the key only. The hash's state after that
block is saved once a key and copied for every form, and libcrypto does all hashing. Where no libcrypto can be found,
Python's `hmac` computes the digests one by one.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numba import types
from numpy.typing import NDArray

from prefcenter.domain.digest import DIGEST_BYTES
from prefcenter.security.compiled import compiled
from prefcenter.security.libcrypto import SHA256_STATE_BYTES, register_functions

Octets: TypeAlias = NDArray[np.uint8]
Offsets: TypeAlias = NDArray[np.int64]
Halves: TypeAlias = NDArray[np.uint64]

SHA256_BLOCK_BYTES = 64
SHA256_BYTES = 32
INNER_PAD, OUTER_PAD = 0x36, 0x5C

_start: Any = types.ExternalFunction("SHA256_Init", types.int32(types.intp))
_update: Any = types.ExternalFunction("SHA256_Update", types.int32(types.intp, types.intp, types.uintp))
_finish: Any = types.ExternalFunction("SHA256_Final", types.int32(types.intp, types.intp))


@dataclass(frozen=True, slots=True)
class Forms:
    """Many byte strings in a row: form i is `octets[offsets[i]:offsets[i + 1]]`, its kind byte first."""

    octets: Octets
    offsets: Offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of(cls, forms: Sequence[bytes]) -> Forms:
        offsets = np.zeros(len(forms) + 1, np.int64)
        np.cumsum([len(form) for form in forms], out=offsets[1:])
        return cls(np.frombuffer(b"".join(forms), np.uint8), offsets)


@dataclass(frozen=True, slots=True)
class DigestArray:
    """Many digests as two halves, each an unsigned number of 8 bytes with the most significant first."""

    high: Halves
    low: Halves

    def __len__(self) -> int:
        return len(self.high)

    @classmethod
    def of(cls, digests: Sequence[bytes]) -> DigestArray:
        return cls.from_octets(b"".join(digests))

    @classmethod
    def from_octets(cls, octets: bytes) -> DigestArray:
        """From digests of 16 bytes in a row."""
        halves = np.frombuffer(octets, ">u8").astype(np.uint64).reshape(-1, 2)
        return cls(np.ascontiguousarray(halves[:, 0]), np.ascontiguousarray(halves[:, 1]))

    def items(self) -> NDArray[Any]:
        """All digests as an array of items of 16 bytes."""
        halves = np.empty((len(self), 2), ">u8")
        halves[:, 0], halves[:, 1] = self.high, self.low
        return halves.view(f"V{DIGEST_BYTES}").reshape(-1)

    def values(self) -> list[bytes]:
        """All digests, each as its 16 bytes."""
        values: list[bytes] = self.items().tolist()
        return values

    def part(self, rows: slice) -> DigestArray:
        """Some of the digests."""
        return DigestArray(self.high[rows], self.low[rows])

    def value(self, index: int) -> bytes:
        """One digest as its 16 bytes."""
        return int(self.high[index]).to_bytes(8, "big") + int(self.low[index]).to_bytes(8, "big")


@dataclass(frozen=True)
class VectorKey:
    """A match key, to digest many forms with."""

    match_key: bytes

    def digests(self, forms: Forms) -> DigestArray:
        """The digest of each form, in order."""
        if not register_functions():
            return one_by_one(self.match_key, forms)
        halves = np.empty((2, len(forms)), np.uint64)
        _digest_all(forms.octets, forms.offsets, *self.states, halves)
        high, low = halves.view(">u8").astype(np.uint64)
        return DigestArray(high, low)

    @cached_property
    def states(self) -> tuple[Halves, Halves]:
        """What the inner and the outer hash have come to after the padded key, in words that are quickly copied."""
        key = self.match_key.ljust(SHA256_BLOCK_BYTES, b"\0")
        pads = (np.frombuffer(bytes(octet ^ pad for octet in key), np.uint8) for pad in (INNER_PAD, OUTER_PAD))
        inner, outer = (_state_after(pad).view(np.uint64) for pad in pads)
        return inner, outer

    def __repr__(self) -> str:
        return "VectorKey(***)"


def one_by_one(match_key: bytes, forms: Forms) -> DigestArray:
    """The same digests by Python's `hmac`, for a machine without a libcrypto that can be called."""
    octets, ends = forms.octets.tobytes(), forms.offsets.tolist()
    spans = pairwise(ends)
    return DigestArray.of([hmac.digest(match_key, octets[start:end], "sha256")[:DIGEST_BYTES] for start, end in spans])


@compiled
def _state_after(block: Octets) -> Octets:
    state = np.zeros(SHA256_STATE_BYTES, np.uint8)
    _start(state.ctypes.data)
    _update(state.ctypes.data, block.ctypes.data, np.uintp(block.size))
    return state


@compiled
def _digest_all(octets: Octets, offsets: Offsets, inner: Halves, outer: Halves, halves: Halves) -> None:
    """The first two words of each digest, in the order of their bytes."""
    state, hashed = np.empty_like(inner), np.empty(SHA256_BYTES // 8, np.uint64)
    first, at_state, at_hashed = octets.ctypes.data, state.ctypes.data, hashed.ctypes.data
    for index in range(offsets.size - 1):
        for place in range(state.size):
            state[place] = inner[place]
        _update(at_state, first + offsets[index], np.uintp(offsets[index + 1] - offsets[index]))
        _finish(at_hashed, at_state)
        for place in range(state.size):
            state[place] = outer[place]
        _update(at_state, at_hashed, np.uintp(SHA256_BYTES))
        _finish(at_hashed, at_state)
        halves[0, index], halves[1, index] = hashed[0], hashed[1]
