"""Two machines on one MongoDB database: what one acknowledges binds the other, whatever becomes of the database."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from prefcenter.bootstrap import init_home
from prefcenter.settings import Settings, read_settings
from tests.mongo_server import MongoServer, store_url
from tests.web.server_process import ServerProcess, operation, serving_process
from tests.web.serving_home import CONTROLLER, POLICIES, make_key
from tests.web.test_processes import ALL_SCOPES

KILLS = 2
CALLERS = 4


@pytest.fixture(scope="module")
def database() -> Iterator[MongoServer]:
    made = MongoServer.in_memory()
    made.start()
    yield made
    made.end()


@dataclass(frozen=True)
class Machine:
    """A home of its own, with the keyring and the policies of the other's."""

    settings: Settings
    variables: Mapping[str, str]


@pytest.fixture
def machines(database: MongoServer, tmp_path: Path) -> tuple[Machine, Machine]:
    variables = {
        "PREFCENTER_STORE": f"{store_url(database, tmp_path.name)}&serverSelectionTimeoutMS=1000",
        "PREFCENTER_STORE_REGION": "EEA, US, UK",
    }
    homes = tmp_path / "one", tmp_path / "two"
    one, two = (read_settings(variables, home) for home in homes)
    asyncio.run(init_home(one, POLICIES))
    shutil.copytree(*homes)
    return Machine(one, variables), Machine(two, variables)


@asynccontextmanager
async def serving(machines: tuple[Machine, Machine]) -> AsyncIterator[tuple[ServerProcess, ServerProcess]]:
    one, two = machines
    _, token = await make_key(one.settings, *ALL_SCOPES)
    async with (
        serving_process(one.settings, token, variables=one.variables) as here,
        serving_process(two.settings, token, variables=two.variables) as there,
    ):
        yield here, there


async def test_a_refusal_on_one_machine_is_told_to_who_follows_the_other(machines: tuple[Machine, Machine]) -> None:
    async with serving(machines) as (here, there):
        headers = {"Authorization": f"Bearer {there.token}"}
        opened = there.session.ws_connect(f"{there.url}/graphql", headers=headers, protocols=["graphql-transport-ws"])
        async with opened as socket:
            await socket.send_json({"type": "connection_init"})
            assert (await socket.receive_json())["type"] == "connection_ack"
            follow = {"query": operation("follow-changes"), "variables": {"controller": CONTROLLER}}
            await socket.send_json({"id": "1", "type": "subscribe", "payload": follow})
            assert (await there.decide())["allowed"] is True
            for address in ("pat@acme.example", "kim@acme.example"):
                await here.run("opt-out", whom={"address": address}, source="page")
                assert (await there.decide(address))["reason"] == "opted_out"
            told = [(await socket.receive_json(timeout=30))["payload"]["data"]["changes"] for _ in range(2)]
        assert [change["node"]["kind"] for change in told] == ["refused", "refused"]


@dataclass
class Load:
    """People who opt out on one machine, and somebody who asks the other about those who were told that it is done."""

    here: ServerProcess
    there: ServerProcess
    acknowledged: list[str] = field(default_factory=list)
    unavailable: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    is_over: bool = False

    async def refuse(self, caller: int) -> None:
        number = 0
        while not self.is_over:
            number += 1
            address = f"p{caller}.{number}@acme.example"
            document = await self.here.answer("opt-out", whom={"address": address}, source="page")
            if document["data"] is not None:
                self.acknowledged.append(address)
                continue
            assert document["errors"][0]["extensions"]["code"] in ("unavailable", "busy")
            self.unavailable += 1

    async def ask(self) -> None:
        while not self.is_over:
            for address in self.acknowledged[-10:]:
                self.answers[(await self.there.decide(address))["reason"]] += 1
            await asyncio.sleep(0.01)

    async def goes_on(self) -> None:
        """Wait until more acts were acknowledged and somebody was told what became of them."""
        acts, answers = len(self.acknowledged) + 20, self.answers["opted_out"] + 20
        while len(self.acknowledged) < acts or self.answers["opted_out"] < answers:  # noqa: ASYNC110 - others do it
            await asyncio.sleep(0.02)

    async def is_felt(self) -> None:
        """Wait until somebody was told that the database is away; acts may outlast it."""
        answers = self.answers["check_failed"]
        while self.answers["check_failed"] == answers:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.02)


async def test_a_database_that_is_killed_under_load_gives_no_wrong_answer_and_loses_no_acknowledged_refusal(
    database: MongoServer, machines: tuple[Machine, Machine], record_property: Callable[[str, object], None]
) -> None:
    async with serving(machines) as (here, there):
        load = Load(here, there)
        tasks = [asyncio.create_task(load.refuse(caller)) for caller in range(CALLERS)]
        tasks.append(asyncio.create_task(load.ask()))
        for _ in range(KILLS):
            await load.goes_on()
            await asyncio.to_thread(database.kill)
            await load.is_felt()
            await asyncio.to_thread(database.start)
        await load.goes_on()
        load.is_over = True
        await asyncio.gather(*tasks)
        after = Counter([(await there.decide(address))["reason"] for address in load.acknowledged])
    record_property("acts", f"{len(load.acknowledged)} acknowledged and all kept, {load.unavailable} not acknowledged")
    record_property("answers", f"{KILLS} kills; {dict(load.answers)}")
    assert set(load.answers) == {"opted_out", "check_failed"}
    assert set(after) == {"opted_out"}
