"""People whom a portal hands over: the same page, of which they see everything, and consents count at once."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlencode

from prefcenter.bootstrap import open_services
from prefcenter.domain.events import Granted
from prefcenter.settings import Settings
from tests.web.serving_home import CONTROLLER, Answer, Running, make_key, running
from tests.web.test_portals import KEY_SET, portal, token

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def key_set(tmp_path: Path) -> str:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(KEY_SET), encoding="utf-8")
    return str(file)


async def send(server: Running, *fields: tuple[str, str]) -> Answer:
    return await server.ask("/p", method="POST", body=urlencode(fields).encode(), headers=FORM)


async def test_a_portal_hands_a_person_over_by_a_form(settings: Settings, tmp_path: Path) -> None:
    async with running(settings, portal(key_set(tmp_path))) as server:
        answer = await send(server, ("token", token()))
    page = answer.body.decode()
    assert answer.status == 200
    assert "***@acme.example" in page
    assert "pat@acme.example" not in page
    assert 'value="download"' in page
    assert "Set-Cookie" not in answer.headers


async def test_who_is_signed_in_consents_at_once(settings: Settings, tmp_path: Path) -> None:
    signed_in = ("token", token())
    async with running(settings, portal(key_set(tmp_path))) as server:
        await send(server, signed_in, ("do", "stop"))
        name = "email/client-marketing"
        saved = await send(server, signed_in, ("do", "save"), ("was-off", name), ("on", name))
    assert "Saved. It holds from now on." in saved.body.decode()
    async with open_services(settings) as services:
        events = [item.event for item in await services.store.since(CONTROLLER, (0,) * 8, 100)]
    (granted,) = [event for event in events if isinstance(event, Granted)]
    assert granted.wording == "preference-page.en@1"


async def test_without_a_token_in_force_nothing_is_shown_or_changed(settings: Settings, tmp_path: Path) -> None:
    _, key = await make_key(settings)
    async with running(settings, portal(key_set(tmp_path))) as server:
        for given in ("", "no token", token(exp=1), key):
            answer = await send(server, ("token", given), ("do", "stop"))
            assert answer.status == 401
            assert b"Your session is over" in answer.body
    async with open_services(settings) as services:
        assert list(await services.store.since(CONTROLLER, (0,) * 8, 10)) == []
