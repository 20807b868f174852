"""Global Privacy Control: what a browser says for its person, and the file that says that it is honoured."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from prefcenter.bootstrap import init_home, open_services
from prefcenter.domain.events import Cell
from prefcenter.domain.terms import Channel
from prefcenter.services.callers import CallerScope
from prefcenter.services.decisions import Question
from prefcenter.services.targets import Targets
from prefcenter.settings import PortalSettings, ServingSettings, Settings, read_settings
from tests.api.served_api import operation
from tests.web.serving_home import POLICIES, make_key, running
from tests.web.test_portals import AUDIENCE, ISSUER, KEY_SET, token

PAT = "pat@acme.example"
CONTROLLER = "one-contact-center"
DATA_USES = """
[[data_use]]
id = "sale"
label = "Sale of your data"
default = "on"
basis = "legitimate_interests"
audiences = ["all"]
clause = "OCC-7"

[[data_use]]
id = "targeted-advertising"
label = "Advertising after your own activities"
default = "on"
basis = "legitimate_interests"
audiences = ["all"]
clause = "OCC-7"
"""


@pytest.fixture(scope="module")
def selling_policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Policies of which one permits both uses that a signal is about."""
    directory = tmp_path_factory.mktemp("selling")
    for path in POLICIES.iterdir():
        text = path.read_text(encoding="utf-8")
        (directory / path.name).write_text(text + DATA_USES * (path.stem == CONTROLLER), encoding="utf-8")
    return directory


@pytest.fixture
def selling(selling_policies: Path, tmp_path: Path) -> Settings:
    settings = read_settings({}, tmp_path / "selling")
    asyncio.run(init_home(settings, selling_policies))
    return settings


async def path_of(settings: Settings, controller: str, purpose: str) -> str:
    async with open_services(settings) as services:
        links = (await services.controller(controller)).links
        return "/u/" + links.of_message(PAT, purpose, Channel.EMAIL).unsubscribe_url.rpartition("/")[2]


async def reasons(settings: Settings, controller: str) -> list[str]:
    async with open_services(settings) as services:
        decisions = (await services.deciding(controller)).decisions
        asked = [Question(PAT, None, Channel.EMAIL, name) for name in ("sale", "targeted-advertising", "profiling")]
        return [one.reason.value for one in await decisions.decide_many(asked, services.clock())]


async def click(settings: Settings, path: str, fields: Mapping[str, str], times: int = 1) -> None:
    async with running(settings) as server:
        for _ in range(times):
            headers = {"Content-Type": "application/x-www-form-urlencoded", **fields}
            answer = await server.ask(path, method="POST", body=b"List-Unsubscribe=One-Click", headers=headers)
            assert answer.status == 200


async def test_a_signal_on_an_act_refuses_sale_and_advertising_and_nothing_else(selling: Settings) -> None:
    path = await path_of(selling, CONTROLLER, "client-marketing")
    assert await reasons(selling, CONTROLLER) == ["permitted"] * 3
    await click(selling, path, {"Sec-GPC": "1"})
    assert await reasons(selling, CONTROLLER) == ["opted_out", "opted_out", "permitted"]


async def page_path(settings: Settings) -> str:
    """The path of the page, as a message of the controller names it."""
    async with open_services(settings) as services:
        links = (await services.controller(CONTROLLER)).links
        return "/p/" + links.of_message(PAT, "client-marketing", Channel.EMAIL).manage_url.rpartition("/")[2]


@pytest.mark.parametrize(
    "form",
    [
        b"do=stop",
        b"do=show&address=" + PAT.encode(),
        b"do=show&address=sam%40acme.example",
        b"do=save&on=nonsense&was-off=nonsense",
        b"do=pause&until=yesterday",
        b"do=download",
        b"do=nonsense",
        b"",
        b"\xff\xfe=&%zz",
    ],
)
async def test_a_signal_on_any_form_of_the_page_is_honoured_whatever_comes_of_the_form(
    selling: Settings, form: bytes
) -> None:
    path = await page_path(selling)
    async with running(selling) as server:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-GPC": "1"}
        assert (await server.ask(path, method="POST", body=form, headers=headers)).status in (200, 400)
    assert (await reasons(selling, CONTROLLER))[:2] == ["opted_out", "opted_out"]


async def test_a_form_of_the_page_without_a_signal_refuses_what_it_says_and_nothing_else(selling: Settings) -> None:
    path = await page_path(selling)
    async with running(selling) as server:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = b"do=show&address=" + PAT.encode()
        assert (await server.ask(path, method="POST", body=body, headers=headers)).status == 200
    assert await reasons(selling, CONTROLLER) == ["permitted"] * 3


async def test_a_signal_on_a_page_that_a_portal_opens_is_honoured(selling: Settings, tmp_path: Path) -> None:
    key_set = tmp_path / "jwks.json"
    key_set.write_text(json.dumps(KEY_SET), encoding="utf-8")
    given = ServingSettings(portal=PortalSettings(ISSUER, AUDIENCE, CONTROLLER, str(key_set)))
    async with running(selling, given) as server:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-GPC": "1"}
        answer = await server.ask("/p", method="POST", body=b"token=" + token().encode(), headers=headers)
    assert answer.status == 200
    assert await reasons(selling, CONTROLLER) == ["opted_out", "opted_out", "permitted"]


async def test_a_signal_on_a_confirmation_is_honoured(selling: Settings) -> None:
    async with open_services(selling) as services:
        own = await services.controller(CONTROLLER)
        target = Targets(own.policy.country, own.digester).of(PAT, Channel.EMAIL)
        url = own.links.confirmation(target, Channel.EMAIL, [Cell("client-marketing", Channel.EMAIL)])
    async with running(selling) as server:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-GPC": "1"}
        path = "/c/" + url.rpartition("/")[2]
        assert (await server.ask(path, method="POST", body=b"confirm=yes", headers=headers)).status == 200
    assert await reasons(selling, CONTROLLER) == ["opted_out", "opted_out", "permitted"]


@pytest.mark.parametrize("fields", [{}, {"Sec-GPC": "0"}, {"Sec-GPC": "true"}, {"DNT": "1"}])
async def test_any_other_field_is_no_signal(selling: Settings, fields: Mapping[str, str]) -> None:
    await click(selling, await path_of(selling, CONTROLLER, "client-marketing"), fields)
    assert await reasons(selling, CONTROLLER) == ["permitted"] * 3


async def test_a_signal_on_a_page_that_is_only_looked_at_changes_nothing(selling: Settings) -> None:
    path = await path_of(selling, CONTROLLER, "client-marketing")
    async with running(selling) as server:
        assert (await server.ask(path, headers={"Sec-GPC": "1"})).status == 200
    assert await reasons(selling, CONTROLLER) == ["permitted"] * 3


async def test_the_same_signal_again_writes_nothing(selling: Settings) -> None:
    await click(selling, await path_of(selling, CONTROLLER, "client-marketing"), {"Sec-GPC": "1"}, times=3)
    async with open_services(selling) as services:
        assert len(await services.store.since(CONTROLLER, (0,) * 8, 100)) == 3


async def test_what_is_prohibited_anyway_needs_no_refusal(settings: Settings) -> None:
    await click(settings, await path_of(settings, "contact-center-1", "promotional-email"), {"Sec-GPC": "1"})
    async with open_services(settings) as services:
        assert len(await services.store.since("contact-center-1", (0,) * 8, 100)) == 1


async def query_signed_in(settings: Settings, tmp_path: Path, controller: str, fields: Mapping[str, str]) -> None:
    """Somebody who signed in at a controller's portal asks the API for their choices, which itself changes nothing."""
    key_set = tmp_path / "jwks.json"
    key_set.write_text(json.dumps(KEY_SET), encoding="utf-8")
    await query(settings, token(), fields, PortalSettings(ISSUER, AUDIENCE, controller, str(key_set)))


async def query(
    settings: Settings, credentials: str, fields: Mapping[str, str], portal: PortalSettings | None = None, **wanted: str
) -> None:
    body = json.dumps({"query": operation("preferences"), "variables": {"input": wanted or None}}).encode()
    headers = {"Content-Type": "application/json", **fields}
    async with running(settings, ServingSettings(portal=portal), with_api=True) as server:
        answer = await server.ask("/graphql", credentials, method="POST", body=body, headers=headers)
    assert answer.status == 200
    assert answer.document["data"]["preferences"]["maskedAddress"] == "***@acme.example"


async def test_a_signal_on_a_signed_in_persons_query_refuses_sale_and_advertising(
    selling: Settings, tmp_path: Path
) -> None:
    await query_signed_in(selling, tmp_path, CONTROLLER, {"Sec-GPC": "1"})
    assert await reasons(selling, CONTROLLER) == ["opted_out", "opted_out", "permitted"]


async def test_a_signed_in_persons_query_without_a_signal_refuses_nothing(selling: Settings, tmp_path: Path) -> None:
    await query_signed_in(selling, tmp_path, CONTROLLER, {"Sec-GPC": "0"})
    assert await reasons(selling, CONTROLLER) == ["permitted"] * 3


async def test_a_signed_in_persons_signal_writes_nothing_where_both_uses_are_prohibited(
    settings: Settings, tmp_path: Path
) -> None:
    await query_signed_in(settings, tmp_path, "contact-center-1", {"Sec-GPC": "1"})
    assert await reasons(settings, "contact-center-1") == ["prohibited"] * 3
    async with open_services(settings) as services:
        assert await services.store.since("contact-center-1", (0,) * 8, 100) == []


async def test_a_signal_on_a_tools_query_speaks_of_nobody(selling: Settings) -> None:
    _, key = await make_key(selling, CallerScope.READ, controllers=(CONTROLLER,))
    await query(selling, key, {"Sec-GPC": "1"}, controller=CONTROLLER, channel="email", address=PAT)
    assert await reasons(selling, CONTROLLER) == ["permitted"] * 3


async def test_the_file_says_that_the_signal_is_honoured(settings: Settings) -> None:
    async with running(settings) as server:
        answer = await server.ask("/.well-known/gpc.json")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.document["gpc"] is True
    assert answer.document["lastUpdate"].startswith("2026-")
