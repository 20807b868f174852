"""Callers and API keys: what each may do, for whom, and until when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.terms import Channel
from prefcenter.services.callers import LAST_USE_STEP_MS, ApiKeys, Caller, CallerScope, Person, caller_of
from tests.factories import NOW
from tests.running_home import RunningHome

DECIDE, RECORD, READ, ADMIN = CallerScope


@pytest.fixture
def keys(home: RunningHome) -> ApiKeys:
    return ApiKeys(home.services.store, home.clock)


def test_a_key_is_found_by_its_text_alone(home: RunningHome, keys: ApiKeys) -> None:
    key, text = home.run(keys.create("mail-tool", [DECIDE, READ], ["opencontact"]))
    home.now_ms += 1
    other, other_text = home.run(keys.create("crm", [RECORD]))
    assert home.run(keys.find(text)) == key
    assert home.run(keys.find(other_text)) == other
    assert home.run(keys.find(text.replace(key.id, other.id))) is None
    assert home.run(keys.find("pck_000000000000_" + "A" * 43)) is None
    assert home.run(keys.find("")) is None
    assert list(home.run(keys.all())) == [key, other]


def test_a_key_makes_a_caller_of_its_scopes_and_controllers(home: RunningHome, keys: ApiKeys) -> None:
    key, _ = home.run(keys.create("mail-tool", [DECIDE, READ], ["opencontact"]))
    caller = caller_of(key)
    assert caller == Caller(f"key:{key.id}", frozenset({DECIDE, READ}), frozenset({"opencontact"}))
    assert (caller.may(DECIDE), caller.may(RECORD, READ), caller.may(RECORD), caller.may()) == (
        True,
        True,
        False,
        False,
    )
    assert (caller.may_ask_for("opencontact"), caller.may_ask_for("openscape")) == (True, False)


def test_a_key_without_controllers_is_for_all(home: RunningHome, keys: ApiKeys) -> None:
    key, _ = home.run(keys.create("mail-tool", [DECIDE]))
    assert caller_of(key).may_ask_for("openscape")


def test_a_person_is_of_one_controller_whatever_else_is_said() -> None:
    person = Person("opencontact", "pat@acme.example", Channel.EMAIL)
    caller = Caller("person:1", frozenset(), frozenset(), person)
    assert (caller.may_ask_for("opencontact"), caller.may_ask_for("openscape")) == (True, False)


def test_a_revoked_key_is_refused_at_once_and_for_good(home: RunningHome, keys: ApiKeys) -> None:
    key, text = home.run(keys.create("mail-tool", [DECIDE]))
    assert home.run(keys.revoke(key.id)) is True
    assert home.run(keys.find(text)) is None
    home.now_ms += 1_000
    assert home.run(keys.revoke(key.id)) is False
    home.run(keys.note_use(key))
    assert home.run(keys.find(text)) is None
    (kept,) = home.run(keys.all())
    assert kept.revoked_ms == NOW


def test_a_key_is_in_force_until_the_moment_at_which_it_ends(home: RunningHome, keys: ApiKeys) -> None:
    key, text = home.run(keys.create("mail-tool", [DECIDE], expires_ms=NOW + 1_000))
    home.now_ms = NOW + 999
    assert home.run(keys.find(text)) == key
    home.now_ms = NOW + 1_000
    assert home.run(keys.find(text)) is None


def test_the_last_use_is_due_once_a_minute(home: RunningHome, keys: ApiKeys) -> None:
    key, text = home.run(keys.create("mail-tool", [DECIDE]))
    assert keys.is_use_due(key)
    home.run(keys.note_use(key))
    used = home.run(keys.find(text))
    assert used == replace(key, last_used_ms=NOW)
    home.now_ms = NOW + LAST_USE_STEP_MS - 1
    assert not keys.is_use_due(used)
    home.now_ms = NOW + LAST_USE_STEP_MS
    assert keys.is_use_due(used)


@pytest.mark.parametrize("label", ["", "Mail Tool", "pat@acme.example", "x" * 41, "0tool"])
def test_a_label_is_a_slug_and_no_free_text(home: RunningHome, keys: ApiKeys, label: str) -> None:
    with pytest.raises(InvalidInput, match="label: expected a short slug"):
        home.run(keys.create(label, [DECIDE]))
    assert list(home.run(keys.all())) == []


def test_a_key_that_may_nothing_or_has_ended_is_not_made(home: RunningHome, keys: ApiKeys) -> None:
    with pytest.raises(InvalidInput, match="scope: expected at least one of decide, record, read, admin"):
        home.run(keys.create("mail-tool", []))
    with pytest.raises(InvalidInput, match="expires: "):
        home.run(keys.create("mail-tool", [DECIDE], expires_ms=NOW))
    assert list(home.run(keys.all())) == []


def test_an_unknown_key_is_not_revoked(home: RunningHome, keys: ApiKeys) -> None:
    with pytest.raises(InvalidInput, match="id: no API key has it"):
        home.run(keys.revoke("0123456789ab"))
