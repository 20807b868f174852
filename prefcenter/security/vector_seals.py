"""The MACs of many events in a row: the same bytes as `Sealer.seal` gives, at a fraction of its cost an event.

Each MAC goes into the next one of its partition, so they are made one after the other; all hashing is libcrypto's, from
saved states of the key (`prefcenter.security.vector_digests`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numba import types
from numpy.typing import NDArray

from prefcenter.security.compiled import compiled
from prefcenter.security.seals import MAC_BYTES
from prefcenter.security.vector_digests import SHA256_BYTES, Halves, Octets, VectorKey

Numbers: TypeAlias = NDArray[np.int64]

VALUE_BYTES = 16

_start: Any = types.ExternalFunction("SHA256_Init", types.int32(types.intp))
_update: Any = types.ExternalFunction("SHA256_Update", types.int32(types.intp, types.intp, types.uintp))
_finish: Any = types.ExternalFunction("SHA256_Final", types.int32(types.intp, types.intp))


class Message(NamedTuple):
    """What the MAC of an event is over, and where in it stands what differs from event to event.

    Numbers have 8 bytes, the most significant first. `previous` is -1 in the message of the first event of a chain.
    """

    octets: Octets
    partition: int
    position: int
    value: int
    previous: int
    body_hash: int


def message_of(octets: bytes, *places: int) -> Message:
    """A message of these bytes; the places are in the order of its fields."""
    return Message(np.frombuffer(octets, np.uint8).copy(), *places)


class Chains(NamedTuple):
    """The ends of the chains, by partition, which move on as events are added."""

    positions: Numbers
    macs: Octets


def chains_of(ends: Sequence[tuple[int, bytes]]) -> Chains:
    """Chains that end at these positions with these MACs; those that have no event yet at 0, with none."""
    macs = b"".join(mac.ljust(MAC_BYTES, b"\0") for _, mac in ends)
    positions = np.array([position for position, _ in ends], np.int64)
    return Chains(positions, np.frombuffer(macs, np.uint8).reshape(-1, MAC_BYTES).copy())


def chained(
    key: VectorKey, first: Message, later: Message, chains: Chains, values: bytes, salts: bytes, bodies: Sequence[bytes]
) -> tuple[Numbers, Octets]:
    """The position and the MAC of the event of each digest of 16 bytes, in order; the chains move on.

    Every digest has a salt, all of one length, and belongs to the partition that its first byte says. It has a body
    too, all of one length; or all have the one that is there.
    """
    count = len(values) // VALUE_BYTES
    positions, macs = np.empty(count, np.int64), np.empty((count, MAC_BYTES), np.uint8)
    sizes = (VALUE_BYTES, len(salts) // max(count, 1), len(bodies[0]))
    digests, of_salts, of_bodies = (
        np.frombuffer(octets, np.uint8).reshape(-1 if size else 1, size)
        for octets, size in zip((values, salts, b"".join(bodies)), sizes, strict=True)
    )
    _chain(*key.states, first, later, chains, digests, of_salts, of_bodies, positions, macs)
    return positions, macs


@compiled
def _chain(
    inner: Halves, outer: Halves, first: Message, later: Message, chains: Chains, digests: Octets, salts: Octets,
    bodies: Octets, positions: Numbers, macs: Octets,
) -> None:  # fmt: skip
    state, hashed = np.empty(inner.size, np.uint64), np.empty(SHA256_BYTES, np.uint8)
    at_state, at_hashed = state.ctypes.data, hashed.ctypes.data
    for row in range(positions.size):
        partition = np.int64(digests[row, 0]) % chains.positions.size
        message = later if chains.positions[partition] > 0 else first
        chains.positions[partition] += 1
        positions[row] = chains.positions[partition]
        _start(at_state)
        _update(at_state, salts[row].ctypes.data, np.uintp(salts.shape[1]))
        _update(at_state, bodies[row % bodies.shape[0]].ctypes.data, np.uintp(bodies.shape[1]))
        _finish(at_hashed, at_state)
        message.octets[message.body_hash : message.body_hash + MAC_BYTES] = hashed[:MAC_BYTES]
        message.octets[message.value : message.value + VALUE_BYTES] = digests[row]
        if message.previous >= 0:
            message.octets[message.previous : message.previous + MAC_BYTES] = chains.macs[partition]
        for place in range(8):
            message.octets[message.partition + 7 - place] = (partition >> (8 * place)) & 255
            message.octets[message.position + 7 - place] = (positions[row] >> (8 * place)) & 255
        state[:] = inner
        _update(at_state, message.octets.ctypes.data, np.uintp(message.octets.size))
        _finish(at_hashed, at_state)
        state[:] = outer
        _update(at_state, at_hashed, np.uintp(SHA256_BYTES))
        _finish(at_hashed, at_state)
        macs[row] = hashed[:MAC_BYTES]
        chains.macs[partition] = hashed[:MAC_BYTES]
