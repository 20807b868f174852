"""Facts about the keyring file: one active key, nobody else's eyes, whole or not at all (DESIGN §3)."""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prefcenter.domain.errors import KeyringError
from prefcenter.security.keyring import (
    Key,
    Keyring,
    KeyState,
    KeyUse,
    load_keyring,
    new_keyring,
    save_keyring,
    subkey,
)

CREATED, LATER = "2026-11-21T00:00:00.000Z", "2026-11-22T00:00:00.000Z"
ACTIVE, LIVE, RETIRED = KeyState.ACTIVE, KeyState.LIVE, KeyState.RETIRED


def a_key(key_id: int = 1, state: KeyState = ACTIVE) -> Key:
    return Key(key_id, CREATED, state, bytes([key_id]) * 32)


def states(keyring: Keyring) -> list[tuple[int, KeyState]]:
    return [(key.id, key.state) for key in keyring.keys]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a keyring with two keys stands."""
    path = tmp_path / "keyring.json"
    save_keyring(Keyring((a_key(2), a_key(1, LIVE))), path, replace_existing=False)
    return path


def test_a_new_keyring_has_one_active_key_with_a_secret_of_its_own() -> None:
    one, other = new_keyring(CREATED), new_keyring(CREATED)
    assert states(one) == [(1, ACTIVE)]
    assert one.active.created == CREATED
    assert len(one.active.secret) == 32
    assert one.active.secret != other.active.secret


def test_a_saved_keyring_is_read_back(path: Path) -> None:
    keyring = Keyring((a_key(3), a_key(2, LIVE), a_key(1, RETIRED)))
    save_keyring(keyring, path, replace_existing=True)
    assert load_keyring(path) == keyring


def test_the_file_is_the_documented_json(path: Path) -> None:
    secrets = [base64.b64encode(bytes([number]) * 32).decode() for number in (2, 1)]
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "format": 1,
        "keys": [
            {"id": 2, "created": CREATED, "state": "active", "secret": secrets[0]},
            {"id": 1, "created": CREATED, "state": "live", "secret": secrets[1]},
        ],
    }


def test_the_file_is_for_its_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        save_keyring(new_keyring(CREATED), tmp_path / "keyring.json", replace_existing=False)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "keyring.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("bit", [0o040, 0o020, 0o010, 0o004, 0o002, 0o001])
@pytest.mark.parametrize("owner", [0o600, 0o400])
def test_any_permission_of_group_or_others_is_refused(path: Path, bit: int, owner: int) -> None:
    path.chmod(owner | bit)
    with pytest.raises(KeyringError, match=rf"^keyring\.json: others may read it \(mode {owner | bit:04o}\)"):
        load_keyring(path)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_permissions_of_the_owner_alone_are_accepted(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert load_keyring(path).active.id == 2


def test_a_missing_file_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KeyringError, match=r"^keyring\.json: there is none here; run `prefcenter init`"):
        load_keyring(tmp_path / "keyring.json")


def test_a_directory_is_no_keyring(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(KeyringError, match=r": Is a directory$"):
        load_keyring(tmp_path)


def rewritten(change: Callable[[Any], Any]) -> Callable[[Path], bytes]:
    """The document of the file after a change made in place, or the value that the change returns instead."""

    def content(path: Path) -> bytes:
        document = json.loads(path.read_text(encoding="utf-8"))
        changed = change(document)
        return json.dumps(document if changed is None else changed).encode()

    return content


def first_key(**changes: Any) -> Callable[[Path], bytes]:
    return rewritten(lambda document: document["keys"][0].update(changes))


def without(field: str) -> Callable[[Path], bytes]:
    return rewritten(lambda document: {key: value for key, value in document.items() if key != field})


DAMAGED = "not a keyring, or a damaged one"
NOT_JSON = "not a JSON document"
ONE_ACTIVE = "expected exactly one active key, and ids that differ"
OTHER_FORMAT = "its format is not one that this version reads"
DAMAGES: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "empty": (lambda _: b"", NOT_JSON),
    "cut off": (lambda path: path.read_bytes()[:-20], NOT_JSON),
    "not UTF-8": (lambda path: path.read_bytes().replace(b"active", b"\xff\xfe\xfa"), NOT_JSON),
    "a list": (rewritten(lambda document: document["keys"]), DAMAGED),
    "null": (lambda _: b"null", DAMAGED),
    "a number": (lambda _: b"1", DAMAGED),
    "no format": (without("format"), DAMAGED),
    "no keys": (without("keys"), DAMAGED),
    "a later format": (rewritten(lambda document: {**document, "format": 2}), OTHER_FORMAT),
    "keys that are a number": (rewritten(lambda document: {**document, "keys": 5}), DAMAGED),
    "keys that are names": (rewritten(lambda document: {**document, "keys": {"id": 1}}), DAMAGED),
    "an empty list of keys": (rewritten(lambda document: {**document, "keys": []}), ONE_ACTIVE),
    "a key without secret": (rewritten(lambda document: document["keys"][0].pop("secret") and None), DAMAGED),
    "a key without id": (rewritten(lambda document: document["keys"][0].pop("id") and None), DAMAGED),
    "a key without state": (rewritten(lambda document: document["keys"][0].pop("state") and None), DAMAGED),
    "a key without date": (rewritten(lambda document: document["keys"][0].pop("created") and None), DAMAGED),
    "an unknown state": (first_key(state="asleep"), DAMAGED),
    "id 0": (first_key(id=0), DAMAGED),
    "id 256": (first_key(id=256), DAMAGED),
    "a negative id": (first_key(id=-1), DAMAGED),
    "an id as text": (first_key(id="2"), DAMAGED),
    "a fractional id": (first_key(id=2.5), DAMAGED),
    "an endless id": (first_key(id=float("inf")), DAMAGED),
    "a boolean id": (first_key(id=True), DAMAGED),
    "a date that is a number": (first_key(created=2026), DAMAGED),
    "a short secret": (first_key(secret=base64.b64encode(bytes(31)).decode()), DAMAGED),
    "a long secret": (first_key(secret=base64.b64encode(bytes(33)).decode()), DAMAGED),
    "an empty secret": (first_key(secret=""), DAMAGED),
    "a secret that is not base64": (first_key(secret="*" * 44), DAMAGED),
    "a secret with a letter of another script": (first_key(secret="é" * 44), DAMAGED),
    "a secret that is a number": (first_key(secret=7), DAMAGED),
    "no active key": (first_key(state="live"), ONE_ACTIVE),
    "two active keys": (rewritten(lambda document: document["keys"][1].update(state="active")), ONE_ACTIVE),
    "an id twice": (first_key(id=1), ONE_ACTIVE),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_document_is_refused_and_not_quoted(path: Path, damage: str) -> None:
    content, message = DAMAGES[damage]
    path.write_bytes(content(path))
    with pytest.raises(KeyringError) as caught:
        load_keyring(path)
    assert str(caught.value) == f"keyring.json: {message}"


def test_saving_refuses_to_overwrite(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(KeyringError, match=r"^keyring\.json: a file stands there already; nothing was written$"):
        save_keyring(new_keyring(CREATED), path, replace_existing=False)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["keyring.json"]


def test_saving_refuses_to_write_through_a_dangling_link(tmp_path: Path) -> None:
    link = tmp_path / "keyring.json"
    link.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(KeyringError, match="nothing was written"):
        save_keyring(new_keyring(CREATED), link, replace_existing=False)
    assert [entry.name for entry in tmp_path.iterdir()] == ["keyring.json"]


def test_replacing_leaves_the_new_file_and_nothing_beside_it(path: Path) -> None:
    old = path.stat().st_ino
    keyring = load_keyring(path).rotated(LATER)
    save_keyring(keyring, path, replace_existing=True)
    assert load_keyring(path) == keyring
    assert [entry.name for entry in path.parent.iterdir()] == ["keyring.json"]
    assert path.stat().st_ino != old
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_reader_that_opened_the_old_file_still_reads_it_whole(path: Path) -> None:
    before = path.read_bytes()
    with path.open("rb") as opened:
        save_keyring(new_keyring(CREATED), path, replace_existing=True)
        assert opened.read() == before


@pytest.mark.parametrize("replace_existing", [True, False])
def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, replace_existing: bool) -> None:
    with pytest.raises(KeyringError, match=r"^keyring\.json: No such file or directory$"):
        save_keyring(new_keyring(CREATED), tmp_path / "gone" / "keyring.json", replace_existing=replace_existing)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_in_the_way_is_an_error_and_stays(tmp_path: Path) -> None:
    (tmp_path / "keyring.json").mkdir()
    with pytest.raises(KeyringError, match=r"^keyring\.json: "):
        save_keyring(new_keyring(CREATED), tmp_path / "keyring.json", replace_existing=True)
    assert [(entry.name, entry.is_dir()) for entry in tmp_path.iterdir()] == [("keyring.json", True)]


def test_a_rotation_adds_an_active_key_and_keeps_the_others_live() -> None:
    once = Keyring((a_key(1),)).rotated(LATER)
    twice = once.rotated(LATER)
    assert states(once) == [(2, ACTIVE), (1, LIVE)]
    assert states(twice) == [(3, ACTIVE), (2, LIVE), (1, LIVE)]
    assert once.active.created == LATER
    assert len({key.secret for key in twice.keys}) == 3
    assert twice.key(1).secret == a_key(1).secret


def test_a_rotation_leaves_retired_keys_retired() -> None:
    assert states(Keyring((a_key(2), a_key(1, RETIRED))).rotated(LATER)) == [(3, ACTIVE), (2, LIVE), (1, RETIRED)]


def test_a_keyring_holds_255_keys_and_no_more() -> None:
    nearly_full = Keyring((a_key(254),))
    full = nearly_full.rotated(LATER)
    assert full.active.id == 255
    with pytest.raises(KeyringError, match=r"^a keyring holds at most 255 keys$"):
        full.rotated(LATER)


def test_a_retired_key_is_looked_up_last_for_old_links_may_come_back() -> None:
    keyring = Keyring((a_key(3), a_key(2, LIVE), a_key(1, LIVE)))
    assert [key.id for key in keyring.lookup_keys] == [3, 2, 1]
    retired = keyring.with_retired(1)
    assert states(retired) == [(3, ACTIVE), (2, LIVE), (1, RETIRED)]
    assert [key.id for key in retired.lookup_keys] == [3, 2, 1]
    assert retired.key(1) == replace(a_key(1), state=RETIRED)


def test_the_active_key_is_looked_up_first_wherever_it_stands() -> None:
    assert [key.id for key in Keyring((a_key(1, LIVE), a_key(2))).lookup_keys] == [2, 1]


def test_the_active_key_is_not_retired() -> None:
    with pytest.raises(KeyringError, match=r"^key 1 is the active one; rotate first$"):
        Keyring((a_key(1),)).with_retired(1)


def test_an_unknown_key_is_an_error() -> None:
    keyring = Keyring((a_key(1),))
    for ask in (keyring.key, keyring.with_retired):
        with pytest.raises(KeyringError, match=r"^key 7 is not in the keyring"):
            ask(7)


def test_no_representation_shows_a_secret() -> None:
    keyring = Keyring((a_key(65), a_key(66, LIVE)))
    assert repr(keyring.active) == "Key(id=65, state=active, secret=***)"
    for text in (repr(keyring), str(keyring), f"{keyring}", repr(keyring.lookup_keys), str(keyring.active)):
        assert "AAAA" not in text
        assert base64.b64encode(keyring.active.secret).decode() not in text
        assert "secret=***" in text


def test_subkeys_differ_by_key_controller_and_use() -> None:
    made = {
        subkey(a_key(key_id), controller, use)
        for key_id in (1, 2)
        for controller in ("acme", "other", "acme/match")
        for use in KeyUse
    }
    assert len(made) == 2 * 3 * len(KeyUse)
    assert {len(each) for each in made} == {32}
    assert subkey(a_key(1), "acme", KeyUse.MATCH) == subkey(a_key(1, RETIRED), "acme", KeyUse.MATCH)
