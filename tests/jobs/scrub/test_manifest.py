"""Manifests: signed, and refused when anything in them was changed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from jobs.scrub import manifest_heads
from jobs.scrub.manifest import MAX_MANIFEST_BYTES
from prefcenter.domain.errors import InvalidInput
from prefcenter.security.keyring import new_keyring
from prefcenter.security.seals import Sealer
from tests.jobs.scrub.small_home import SmallHome, a_plan, document


@pytest.fixture
def home(tmp_path: Path) -> SmallHome:
    home = SmallHome()
    home.opt_out("pat@acme.example")
    home.scrub(a_plan(tmp_path))
    return home


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out" / "manifest.json"


def test_the_heads_of_a_manifest_are_those_of_the_ledger(home: SmallHome, path: Path) -> None:
    assert manifest_heads(path, home.sealer_of) == ("opencontact", asyncio.run(home.decisions.heads()))


def test_a_manifest_may_be_laid_out_anew(tmp_path: Path, home: SmallHome, path: Path) -> None:
    path.write_text(json.dumps(document(tmp_path), sort_keys=True), encoding="utf-8")
    assert manifest_heads(path, home.sealer_of)[0] == "opencontact"


def test_the_signature_leaves_out_the_run_only(tmp_path: Path, home: SmallHome, path: Path) -> None:
    changed = document(tmp_path)
    changed["run"]["seconds"] = 77
    path.write_text(json.dumps(changed), encoding="utf-8")
    assert manifest_heads(path, home.sealer_of)[0] == "opencontact"


@pytest.mark.parametrize("key", ["purpose", "list", "counts", "reasons", "outputs", "policyVersion", "at", "stale"])
def test_a_changed_part_does_not_fit_the_signature(tmp_path: Path, home: SmallHome, path: Path, key: str) -> None:
    path.write_text(json.dumps({**document(tmp_path), key: "changed"}), encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"manifest\.json: mac: does not fit"):
        manifest_heads(path, home.sealer_of)


def test_a_changed_head_does_not_fit_the_signature(tmp_path: Path, home: SmallHome, path: Path) -> None:
    changed = document(tmp_path)
    changed["ledger"]["heads"][0] = {"position": 9, "mac": "00" * 16}
    path.write_text(json.dumps(changed), encoding="utf-8")
    with pytest.raises(InvalidInput, match="mac: does not fit"):
        manifest_heads(path, home.sealer_of)


def test_a_manifest_of_another_keyring_does_not_fit(home: SmallHome, path: Path) -> None:
    keyring = new_keyring("2026-11-21T00:00:00.000Z")
    with pytest.raises(InvalidInput, match="mac: does not fit"):
        manifest_heads(path, lambda controller: Sealer(keyring, controller))


BROKEN: list[dict[str, Any]] = [
    {"format": "prefcenter-scrub/2"},
    {"controller": 7},
    {"controller": None},
    {"mac": None},
    {"mac": {"key": 1}},
    {"mac": {"key": "1", "value": "00"}},
    {"mac": {"key": True, "value": "00"}},
    {"mac": {"key": 1, "value": "no hex"}},
    {"ledger": {}},
    {"ledger": {"heads": []}},
    {"ledger": {"heads": [{"position": 1}] * 8}},
    {"ledger": {"heads": [{"position": -1, "mac": ""}] * 8}},
    {"ledger": {"heads": [{"position": "1", "mac": ""}] * 8}},
    {"ledger": {"heads": 8}},
    {"audience": "\ud800"},
]


@pytest.mark.parametrize("part", BROKEN)
def test_a_document_of_another_shape_is_no_manifest(
    tmp_path: Path, home: SmallHome, path: Path, part: dict[str, Any]
) -> None:
    path.write_text(json.dumps({**document(tmp_path), **part}), encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"manifest\.json: format: expected a manifest"):
        manifest_heads(path, home.sealer_of)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b"\xff\xfe\xff", b"{", b"[" * 100_000, b'{"format": "' + b"x" * MAX_MANIFEST_BYTES + b'"}'],
)
def test_any_other_file_is_no_manifest(home: SmallHome, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"manifest\.json: format: expected a manifest"):
        manifest_heads(path, home.sealer_of)


def test_a_missing_manifest_is_said_to_be_missing(tmp_path: Path, home: SmallHome) -> None:
    with pytest.raises(InvalidInput, match=r"none\.json: No such file"):
        manifest_heads(tmp_path / "none.json", home.sealer_of)


def test_a_list_with_an_unreadable_name_has_a_manifest(tmp_path: Path, home: SmallHome) -> None:
    manifest = home.scrub(a_plan(tmp_path, name="l\udcffst.csv", out=tmp_path / "again"))
    assert manifest.document["list"]["name"] == "l?st.csv"
    assert manifest_heads(tmp_path / "again" / "manifest.json", home.sealer_of)[0] == "opencontact"
