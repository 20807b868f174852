"""Signed heads kept outside the store, so that a cut-off ledger or an older copy of the store shows.

`checkpoint.json` in the home holds, per controller, the eight heads of its ledger and their MAC. It moves forward only:
heads that the store no longer holds are kept as evidence.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.ledger import PARTITIONS, Head
from prefcenter.security.seals import Sealer
from prefcenter.services.ports import Store

CHECKPOINT_FORMAT = 1

SealerOf = Callable[[str], Sealer]


def heads_as_json(heads: Sequence[Head]) -> list[dict[str, Any]]:
    """Heads as checkpoints and manifests write them."""
    return [{"position": head.position, "mac": head.mac.hex()} for head in heads]


def heads_from_json(document: Any) -> tuple[Head, ...]:
    """One head for each partition. Raises KeyError, TypeError or ValueError for anything else."""
    heads = tuple(Head(head["position"], bytes.fromhex(head["mac"])) for head in document)
    if len(heads) != PARTITIONS or not all(type(head.position) is int and head.position >= 0 for head in heads):
        raise ValueError("not the heads of a ledger")
    return heads


def signed_heads(sealer: Sealer, heads: Sequence[Head]) -> dict[str, Any]:
    """Heads as JSON with the MAC of this controller's ledger key."""
    key = sealer.active_key_id
    return {
        "heads": heads_as_json(heads),
        "key": key,
        "mac": sealer.seal(key, "heads", *_fields(heads)).hex(),
    }


def read_signed_heads(sealer: Sealer, document: Any, where: str) -> tuple[Head, ...]:
    """Heads out of their JSON. Raises InvalidInput where they are not ours or were altered."""
    try:
        heads = heads_from_json(document["heads"])
        is_ours = sealer.holds(document["key"], bytes.fromhex(document["mac"]), "heads", *_fields(heads))
    except (KeyError, TypeError, ValueError, OverflowError):
        is_ours = False
    if not is_ours:
        raise InvalidInput(f"{where}: the ledger heads are not signed by this keyring, or were altered")
    return heads


class Checkpoint:
    """The checkpoint file of a home."""

    def __init__(self, path: Path, sealer_of: SealerOf) -> None:
        self._path = path
        self._sealer_of = sealer_of

    def read(self) -> Mapping[str, tuple[Head, ...]]:
        """The heads of each controller. Raises InvalidInput for a missing, altered or unreadable file."""
        try:
            controllers = json.loads(self._path.read_text(encoding="utf-8"))["controllers"].items()
            return {name: self._heads(name, document) for name, document in controllers}
        except FileNotFoundError:
            raise InvalidInput(f"{self._path.name}: missing; nothing shows whether the store was rolled back") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise InvalidInput(f"{self._path.name}: cannot be read as a checkpoint") from None

    def _heads(self, controller: str, document: Any) -> tuple[Head, ...]:
        return read_signed_heads(self._sealer_of(controller), document, f"{self._path.name}: {controller}")

    async def is_held_by(self, store: Store, controller: str) -> bool:
        """Whether the store still has everything that the checkpoint says was acknowledged."""
        if not self._path.exists():
            return True
        return await store.holds_heads(controller, self.read().get(controller, ()))

    async def advance(self, store: Store) -> None:
        """Write the store's heads, except where the store has lost what was signed before.

        A checkpoint that was altered is evidence, and stays as it is. Processes that serve one home take turns, for
        heads that were read before another's were written would take the checkpoint back.
        """
        async with _turn_in(self._path.parent):
            await self._advance(store)

    async def _advance(self, store: Store) -> None:
        try:
            before = self.read() if self._path.exists() else {}
        except InvalidInput:
            return
        after = dict(before)
        for controller in await store.controllers():
            if await store.holds_heads(controller, before.get(controller, ())):
                after[controller] = await store.heads(controller)
        if after != before:
            self._write(after)

    def _write(self, signed: Mapping[str, Sequence[Head]]) -> None:
        controllers = {name: signed_heads(self._sealer_of(name), heads) for name, heads in sorted(signed.items())}
        text = json.dumps({"format": CHECKPOINT_FORMAT, "controllers": controllers}, indent=1) + "\n"
        written = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        written.replace(self._path)


@asynccontextmanager
async def _turn_in(directory: Path) -> AsyncIterator[None]:
    """Hold a directory for oneself, against processes that do the same."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        await asyncio.to_thread(fcntl.flock, descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _fields(heads: Sequence[Head]) -> list[int | bytes]:
    return [field for head in heads for field in (head.position, head.mac)]
