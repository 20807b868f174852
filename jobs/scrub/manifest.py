"""The manifest: what a scrub read, decided and wrote, signed so that it can be shown later (CONTRACTS: Scrub files)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.ledger import Head
from prefcenter.security.seals import Sealer
from prefcenter.services.checkpoint import heads_from_json

MANIFEST_FORMAT = "prefcenter-scrub/1"
SPARK_MANIFEST_FORMAT = "prefcenter-scrub-spark/1"
MANIFEST_FORMATS = (MANIFEST_FORMAT, SPARK_MANIFEST_FORMAT)
MANIFEST_NAME = "manifest.json"
SEAL_LABEL = "manifest"
MAX_MANIFEST_BYTES = 1 << 24
UNSIGNED = ("run", "mac")
"""Parts that the signature leaves out: times and rates, which differ from run to run, and itself."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as the JSON object that it is."""

    document: Mapping[str, Any]

    @property
    def is_stale(self) -> bool:
        return bool(self.document["stale"])

    @property
    def counts(self) -> Mapping[str, int]:
        """Rows by `read`, `kept`, `suppressed` and `rejected`."""
        counts: Mapping[str, int] = self.document["counts"]
        return counts

    def to_json(self) -> str:
        return json.dumps(self.document, indent=2, ensure_ascii=False) + "\n"


def signed(document: Mapping[str, Any], sealer: Sealer) -> Manifest:
    """The manifest with its MAC, made with the controller's active key."""
    key = sealer.active_key_id
    mac = sealer.seal(key, SEAL_LABEL, _signed_part(document))
    return Manifest({**document, "mac": {"key": key, "value": mac.hex()}})


@dataclass(frozen=True, slots=True)
class ReadManifest:
    """A manifest as it was found. `is_genuine`: its signature is this keyring's and fits."""

    manifest: Manifest
    controller: str
    heads: tuple[Head, ...]
    is_genuine: bool


def read_manifest(path: Path, sealer_for: Callable[[str], Sealer]) -> ReadManifest:
    """Read a manifest and check its signature. Raises InvalidInput for a file that is no manifest at all."""
    document = _read_document(path)
    try:
        controller, mac = document["controller"], document["mac"]
        key, value = mac["key"], bytes.fromhex(mac["value"])
        heads = heads_from_json(document["ledger"]["heads"])
        content = _signed_part(document)
    except (KeyError, TypeError, ValueError, RecursionError):
        raise _not_a_manifest(path) from None
    if not isinstance(controller, str) or type(key) is not int:
        raise _not_a_manifest(path)
    is_genuine = sealer_for(controller).holds(key, value, SEAL_LABEL, content)
    return ReadManifest(Manifest(document), controller, heads, is_genuine)


def manifest_heads(path: Path, sealer_for: Callable[[str], Sealer]) -> tuple[str, tuple[Head, ...]]:
    """The controller of a manifest and the ledger heads in it, for `audit verify --against`.

    Raises InvalidInput for a file that is not a manifest, and for one that has been changed or is another store's.
    """
    read = read_manifest(path, sealer_for)
    if not read.is_genuine:
        raise InvalidInput(f"{path}: mac: does not fit; the manifest was changed, or made with another keyring")
    return read.controller, read.heads


def _read_document(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_MANIFEST_BYTES + 1)
        document = json.loads(content) if len(content) <= MAX_MANIFEST_BYTES else None
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise _not_a_manifest(path) from None
    if not isinstance(document, dict) or document.get("format") not in MANIFEST_FORMATS:
        raise _not_a_manifest(path)
    return document


def _signed_part(document: Mapping[str, Any]) -> bytes:
    """Canonical JSON of what is signed: keys sorted, no blanks, UTF-8."""
    part = {key: value for key, value in document.items() if key not in UNSIGNED}
    return json.dumps(part, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _not_a_manifest(path: Path) -> InvalidInput:
    return InvalidInput(f"{path}: format: expected a manifest that a scrub wrote ({MANIFEST_FORMAT})")
