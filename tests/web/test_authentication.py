"""API keys as bearer tokens: checked anew for each request, by every process."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from prefcenter.bootstrap import open_services, system_clock
from prefcenter.services.callers import CallerScope
from prefcenter.settings import Settings
from tests.web.serving_home import make_key, revoke, running, take_store_away


async def test_a_key_is_a_caller_with_its_scopes_and_controllers(settings: Settings) -> None:
    key_id, token = await make_key(settings, CallerScope.READ, CallerScope.DECIDE, controllers=["openscape"])
    async with running(settings) as server:
        answer = await server.ask("/who", token)
    assert answer.document == {
        "id": f"key:{key_id}",
        "scopes": ["decide", "read"],
        "controllers": ["openscape"],
        "person": None,
    }


async def test_the_scheme_may_be_spelt_in_any_case(settings: Settings) -> None:
    _, token = await make_key(settings)
    async with running(settings) as server:
        assert (await server.ask("/who", headers={"Authorization": f"bEARER {token}"})).status == 200


async def test_whatever_is_no_key_in_force_is_refused_in_the_same_words(settings: Settings) -> None:
    key_id, token = await make_key(settings)
    other_id, other = await make_key(settings)
    await revoke(settings, other_id)
    basic = "Basic " + base64.b64encode(b"user:password").decode()
    wrong = [
        *("Bearer", "Bearer ", "Bearer x", f"Token {token}", token, basic, f"Bearer {token} {token}"),
        *(f"Bearer {token}x", f"Bearer {token[:-1]}", f"Bearer {token[:-1]}~", f"Bearer {token.upper()}"),
        f"Bearer pck_{key_id}_{'A' * 43}",
        f"Bearer {token.replace(key_id, '0' * 12)}",
        f"Bearer {token.replace(key_id, other_id)}",
        f"Bearer {other}",
        f"Bearer pck_{'é' * 12}_{'A' * 43}",
        "Bearer " + "x" * 8_100,
        "Bearer eyJhbGciOiJub25lIn0.e30.",
    ]
    async with running(settings) as server:
        answers = [await server.ask("/who", headers={"Authorization": given}) for given in wrong]
    assert {answer.status for answer in answers} <= {401, 431}
    assert len({answer.document["error"]["message"] for answer in answers if answer.status == 401}) == 1


async def test_a_key_that_another_process_revokes_is_refused_at_once(settings: Settings) -> None:
    key_id, token = await make_key(settings)
    async with running(settings) as server:
        assert (await server.ask("/who", token)).status == 200
        await revoke(settings, key_id)
        assert (await server.ask("/who", token)).status == 401


async def test_a_key_is_refused_from_the_moment_on_at_which_it_ends(settings: Settings) -> None:
    now_ms = system_clock()
    key_id, token = await make_key(settings, expires_ms=now_ms + 3_600_000)
    async with running(settings) as server:
        assert (await server.ask("/who", token)).status == 200
        async with open_services(settings) as services:
            key = await services.store.api_key(key_id)
            assert key is not None
            await services.store.put_api_key(replace(key, expires_ms=system_clock()))
        assert (await server.ask("/who", token)).status == 401


async def test_the_last_use_is_noted_and_not_for_each_request(settings: Settings) -> None:
    key_id, token = await make_key(settings)
    noted = []
    async with running(settings) as server:
        for _ in range(5):
            await server.ask("/who", token)
            await server.around.authenticator.close()
            async with open_services(settings) as services:
                key = await services.store.api_key(key_id)
                assert key is not None
                noted.append(key.last_used_ms)
    assert noted[0] is not None
    assert set(noted) == {noted[0]}


async def test_a_use_that_is_noted_late_does_not_bring_a_revoked_key_back(settings: Settings) -> None:
    key_id, token = await make_key(settings)
    async with running(settings) as server:
        await server.ask("/who", token)
        await revoke(settings, key_id)
        await server.around.authenticator.close()
        assert (await server.ask("/who", token)).status == 401


async def test_without_a_store_only_keys_that_were_known_get_past_the_door(settings: Settings) -> None:
    known_id, known = await make_key(settings)
    _, unknown = await make_key(settings)
    async with running(settings) as server:
        assert (await server.ask("/who", known)).status == 200
        take_store_away(settings)
        assert (await server.ask("/who", known)).document["id"] == f"key:{known_id}"
        assert (await server.ask("/who", unknown)).status == 401
        assert (await server.ask("/who", known[:-4] + "AAAA")).status == 401
        assert (await server.ask("/readyz")).status == 503


@pytest.mark.parametrize("upgrade", [{}, {"Upgrade": "h2c"}])
async def test_only_a_web_socket_may_bring_its_credentials_later(settings: Settings, upgrade: dict[str, str]) -> None:
    async with running(settings) as server:
        assert (await server.ask("/who", headers=upgrade)).status == 401


async def test_a_web_socket_with_wrong_credentials_is_refused(settings: Settings) -> None:
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Authorization": "Bearer x"}
    async with running(settings) as server:
        assert (await server.ask("/who", headers=headers)).status == 401


async def test_no_secret_of_a_key_is_in_the_store(settings: Settings) -> None:
    _, token = await make_key(settings)
    secret = token.split("_", 2)[2]
    kept = b"".join(path.read_bytes() for path in settings.home.iterdir() if path.is_file())
    assert secret.encode() not in kept
    assert base64.urlsafe_b64decode(secret + "=") not in kept
