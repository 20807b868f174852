"""A snapshot as one file: arrays to be mapped into memory, then what they mean, under a MAC of the ledger key.

A file that was damaged, cut off, made by another store or put in another's place is not a snapshot: the MAC, the hash
of the arrays, their order and known answers are checked whenever one is opened.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from jobs.scrub.snapshot.snapshot import Consents, Snapshot
from jobs.scrub.snapshot.spill import SpilledDigests
from jobs.scrub.snapshot.state import State, state_as_json, state_from_json
from jobs.scrub.snapshot.table import DigestTable
from prefcenter.domain.events import Cell
from prefcenter.domain.ledger import Head
from prefcenter.domain.terms import Channel
from prefcenter.security.seals import MAC_BYTES, Sealer
from prefcenter.security.vector_digests import DigestArray
from prefcenter.services.checkpoint import heads_as_json, heads_from_json

SNAPSHOT_FORMAT = "prefcenter-snapshot/1"
SEAL_LABEL = "scrub snapshot"
READ_BYTES = 1 << 20
FOOTER = struct.Struct(f"<QQ{MAC_BYTES}s")
"""Length of the description, number of the key, MAC; the last bytes of the file."""

KnownAnswers = Sequence[tuple[bytes, int]]


class UnusableSnapshot(Exception):
    """The file is no snapshot of this controller and keyring."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a snapshot file is made of. `known` are digests of which the states were noted while they were read."""

    controller: str
    heads: tuple[Head, ...]
    states: Sequence[State | None]
    spilled: SpilledDigests
    cells: Sequence[Cell]
    consents: Consents
    known: KnownAnswers


def write_snapshot(file: IO[bytes], contents: Contents, sealer: Sealer) -> None:
    """Write a snapshot to an empty file."""
    layout = _Layout(contents.spilled.count, 0, len(contents.consents))
    row = 0
    for part in contents.spilled.parts():
        for offset, array in zip(layout.base_offsets, _base_arrays(part), strict=True):
            file.seek(offset + row * array.itemsize)
            file.write(array.tobytes())
        row += len(part)
    for offset, array in zip(layout.consent_offsets, _consent_arrays(contents.consents), strict=True):
        file.seek(offset)
        file.write(array.tobytes())
    file.truncate(layout.end)
    file.flush()
    description = json.dumps(_description(contents, row, _hash_of(file, layout.end))).encode()
    file.seek(layout.end)
    key = sealer.active_key_id
    file.write(description + FOOTER.pack(len(description), key, sealer.seal(key, SEAL_LABEL, description)))
    file.flush()
    os.fsync(file.fileno())


def open_snapshot(path: Path, controller: str, sealer: Sealer) -> Snapshot:
    """Map a snapshot file into memory. Raises UnusableSnapshot, and FileNotFoundError where there is none."""
    with path.open("rb") as file:
        try:
            document = _read_description(file, sealer)
            if document["format"] != SNAPSHOT_FORMAT or document["controller"] != controller:
                raise UnusableSnapshot
            snapshot = _mapped(file, document)
        except (KeyError, ValueError, TypeError, struct.error, OSError):
            raise UnusableSnapshot from None
    require_known_answers(snapshot, [(bytes.fromhex(digest), code) for digest, code in document["known"]])
    return snapshot


def require_known_answers(snapshot: Snapshot, known: KnownAnswers) -> None:
    """Raise UnusableSnapshot unless the table is in order, tells what is known, and nothing of digests that are not."""
    digests = DigestArray.of([digest for digest, _ in known])
    absent = DigestArray(~digests.high, ~digests.low)
    is_right = snapshot.base.find(digests).tolist() == [code for _, code in known]
    if not (is_right and snapshot.base.is_sorted() and not snapshot.base.find(absent).any()):
        raise UnusableSnapshot


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the arrays stand: there is room for `room` digests, of which `count` are used."""

    room: int
    count: int
    consents: int

    @property
    def base_offsets(self) -> tuple[int, int, int]:
        return 0, 8 * self.room, 16 * self.room

    @property
    def consent_offsets(self) -> tuple[int, ...]:
        start = 16 * self.room + 8 * ((self.room + 1) // 2)
        return tuple(start + 8 * self.consents * array for array in range(5))

    @property
    def end(self) -> int:
        return self.consent_offsets[-1] + 4 * self.consents


def _base_arrays(table: DigestTable) -> tuple[NDArray[Any], ...]:
    return table.digests.high, table.digests.low, table.codes


def _consent_arrays(consents: Consents) -> tuple[NDArray[Any], ...]:
    digests = consents.digests
    return digests.high, digests.low, consents.given_ms, consents.expires_ms, consents.cells


def _description(contents: Contents, count: int, sha256: str) -> Mapping[str, Any]:
    return {
        "format": SNAPSHOT_FORMAT,
        "controller": contents.controller,
        "heads": heads_as_json(contents.heads),
        "states": [state_as_json(state) for state in contents.states if state is not None],
        "cells": [[cell.purpose, cell.channel, cell.data_use] for cell in contents.cells],
        "room": contents.spilled.count,
        "count": count,
        "consents": len(contents.consents),
        "known": [[digest.hex(), code] for digest, code in contents.known],
        "sha256": sha256,
    }


def _read_description(file: IO[bytes], sealer: Sealer) -> Mapping[str, Any]:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - FOOTER.size))
    length, key, mac = FOOTER.unpack(file.read(FOOTER.size))
    file.seek(size - FOOTER.size - length)
    description = file.read(length)
    if not sealer.holds(key, mac, SEAL_LABEL, description):
        raise UnusableSnapshot
    document: Mapping[str, Any] = json.loads(description)
    if document["sha256"] != _hash_of(file, size - FOOTER.size - length):
        raise UnusableSnapshot
    return document


def _hash_of(file: IO[bytes], size: int) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while size and (chunk := file.read(min(size, READ_BYTES))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()


def _mapped(file: IO[bytes], document: Mapping[str, Any]) -> Snapshot:
    layout = _Layout(document["room"], document["count"], document["consents"])

    def array(offset: int, kind: type[Any], count: int) -> NDArray[Any]:
        if not count:
            return np.empty(0, kind)
        return np.asarray(np.memmap(file, kind, "r", offset, (count,)))

    high, low, codes = (
        array(offset, kind, layout.count)
        for offset, kind in zip(layout.base_offsets, (np.uint64, np.uint64, np.uint32), strict=True)
    )
    kinds = (np.uint64, np.uint64, np.int64, np.int64, np.uint32)
    consents = [
        array(offset, kind, layout.consents) for offset, kind in zip(layout.consent_offsets, kinds, strict=True)
    ]
    return Snapshot(
        heads_from_json(document["heads"]),
        (None, *map(state_from_json, document["states"])),
        DigestTable(DigestArray(high, low), codes),
        tuple(_cell_from_json(*parts) for parts in document["cells"]),
        Consents(DigestArray(consents[0], consents[1]), consents[4], consents[2], consents[3]),
    )


def _cell_from_json(purpose: str | None, channel: str | None, data_use: str | None) -> Cell:
    return Cell(purpose, None if channel is None else Channel(channel), data_use)
