"""GraphQL beside a plain aiohttp handler that does the same: same server, same key, same look-ups, same decisions.

    python benchmarks/graphql.py

One process serves both on loopback, another asks them in turn, so that whatever the machine does it does to both. Only
the ratios count. The plain handler reads JSON, decides and writes JSON with the standard library; ours also validates
against the schema, checks scopes, masks reasons and explains.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

# Python looks for modules beside a script first, where this file would be found instead of graphql-core.
sys.path.remove(str(Path(__file__).resolve().parent))

import structlog
from aiohttp import ClientSession, TCPConnector, web

from prefcenter.api.schema import ApiSettings, PreferenceSchema
from prefcenter.bootstrap import init_home
from prefcenter.bootstrap.live import LiveHome, live_home
from prefcenter.domain.address import parse
from prefcenter.domain.decision import Decision
from prefcenter.domain.events import EVERYTHING, Refused
from prefcenter.domain.explanation import explain
from prefcenter.domain.record import Record, fold
from prefcenter.domain.terms import AddressClass, AddressKind, Channel, RefusalReason
from prefcenter.domain.time import format_time
from prefcenter.services.callers import ApiKeys, CallerScope
from prefcenter.services.decisions import Question
from prefcenter.services.ports import Change
from prefcenter.settings import ServingLimits, ServingSettings, read_settings
from prefcenter.web.app import Surroundings, create_app
from prefcenter.web.authentication import Authenticator
from prefcenter.web.graphql import GraphQLView
from prefcenter.web.log import web_log
from prefcenter.web.metrics import new_metrics
from prefcenter.web.rate_limits import RateLimits
from prefcenter.web.server import serving

ROOT = Path(__file__).resolve().parents[1]
CONTROLLER = "opencontact"
PURPOSE = "client-marketing"
NO_LIMIT = ServingLimits(key_requests_per_minute_max=10**9, origin_requests_per_minute_max=10**9)
ROW_FIELDS = "allowed reason basis clause policyVersion validUntil"
ONE = f"query Q($input: DecisionInput!) {{ decision(input: $input) {{ {ROW_FIELDS} explanation }} }}"
ROWS = f"query Q($input: DecisionsInput!) {{ decisions(input: $input) {{ {ROW_FIELDS} }} }}"
COLUMNS = "query Q($input: DecisionsInput!) { decisionColumns(input: $input) { allowed reasons } }"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--refusals", type=int, default=50_000, help="refusals on record (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=15, help="requests of each kind of batch (default: %(default)s)")
    parser.add_argument("--singles", type=int, default=1_500, help="requests of one address (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        home = Path(place) / "home"
        key = asyncio.run(_fill(home, arguments.refusals))
        ours, theirs = multiprocessing.Pipe()
        server = multiprocessing.get_context("fork").Process(target=_serve, args=(home, theirs), daemon=True)
        server.start()
        asyncio.run(_measure(ours.recv(), key, arguments))
        ours.send("stop")
        server.join()


async def _fill(home: Path, refusals: int) -> str:
    """A home with refusals of `p<number>@acme.example`, and a key that may decide."""
    settings = read_settings({}, home)
    await init_home(settings, ROOT / "fixtures" / "policies")
    async with live_home(LiveHome(settings)) as live:
        services = await live.controller(CONTROLLER)
        for start in range(0, refusals, 5_000):
            numbers = range(start, min(start + 5_000, refusals))
            changes = [_refusal(services.digester.of_address(_address(number)).subject) for number in numbers]
            await services.store.append(CONTROLLER, changes, bulk=True)
        _, text = await ApiKeys(services.store, live.clock).create("bench", [CallerScope.DECIDE])
    return text


def _address(number: int) -> Any:
    return parse(f"p{number}@acme.example", AddressKind.EMAIL, country="GB")


def _refusal(subject: Any) -> Change:
    before = Record(subject)
    event = Refused(1_795_000_000_000, None, RefusalReason.OPTED_OUT, EVERYTHING, "form")
    return Change(before, (event,), fold(before, event))


def _serve(home: Path, asker: Connection) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    asyncio.run(_serve_until_told(home, asker))


async def _serve_until_told(home: Path, asker: Connection) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    async with live_home(LiveHome(read_settings({}, home))) as live, _served(live, listener):
        asker.send(listener.getsockname()[1])
        await asyncio.to_thread(asker.recv)


@asynccontextmanager
async def _served(live: LiveHome, listener: socket.socket) -> AsyncIterator[None]:
    log, given = web_log(), ServingSettings(limits=NO_LIMIT)
    authenticator = Authenticator(live, log)
    around = Surroundings(given, authenticator, RateLimits(given.limits), new_metrics(), log)
    view = GraphQLView(PreferenceSchema(ApiSettings(any_document=True)), live)
    plain = [
        web.post("/plain/one", partial(_plain_one, live)),
        web.post("/plain/rows", partial(_plain_rows, live)),
        web.post("/plain/columns", partial(_plain_columns, live)),
    ]
    app = create_app(live, around, [*view.routes, *plain])
    async with serving(app, around, [listener], []):
        yield
    await authenticator.close()


async def _decided(live: LiveHome, request: web.Request) -> Sequence[Decision]:
    wanted = await request.json()
    services = await live.deciding(wanted["controller"])
    stated = AddressClass(wanted["addressClass"])
    channel = Channel(wanted["channel"])
    questions = [Question(text, wanted["purpose"], channel, None, stated) for text in wanted["addresses"]]
    return await services.decisions.decide_many(questions, live.clock())


async def _plain_one(live: LiveHome, request: web.Request) -> web.Response:
    (decision,) = await _decided(live, request)
    return web.json_response({**_row(decision), "explanation": explain(decision)})


async def _plain_rows(live: LiveHome, request: web.Request) -> web.Response:
    return web.json_response([_row(decision) for decision in await _decided(live, request)])


async def _plain_columns(live: LiveHome, request: web.Request) -> web.Response:
    decisions = await _decided(live, request)
    return web.json_response(
        {"allowed": [one.is_allowed for one in decisions], "reasons": [one.reason.value for one in decisions]}
    )


def _row(decision: Decision) -> dict[str, Any]:
    return {
        "allowed": decision.is_allowed,
        "reason": decision.reason.value,
        "basis": decision.basis.value if decision.basis else None,
        "clause": decision.clause,
        "policyVersion": decision.policy_version,
        "validUntil": format_time(decision.valid_until_ms),
    }


@dataclass(frozen=True)
class Pair:
    """One question to both, and the ratio that ours must keep and is to reach."""

    name: str
    plain: str
    document: str
    must: float
    goal: float


PAIRS = (
    Pair("decisions", "rows", ROWS, 2.0, 1.3),
    Pair("decisionColumns", "columns", COLUMNS, 1.5, 1.2),
    Pair("decision", "one", ONE, 2.5, 1.5),
)


class Asker:
    """Asks both, one after the other, over one connection kept alive."""

    def __init__(self, session: ClientSession, port: int, key: str) -> None:
        self._session = session
        self._url = f"http://127.0.0.1:{port}"
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    async def seconds(self, path: str, body: bytes) -> float:
        began = time.perf_counter()
        async with self._session.post(self._url + path, data=body, headers=self._headers) as response:
            answer = await response.read()
        seconds = time.perf_counter() - began
        if response.status != 200 or b'"errors"' in answer:
            raise SystemExit(f"{path} answered {response.status}: {answer[:300]!r}")
        return seconds

    async def both(self, pair: Pair, wanted: Mapping[str, Any], rounds: int) -> tuple[list[float], list[float]]:
        plain, ours = [], []
        for number in range(rounds):
            asked = {**wanted, "addresses": [f"p{number}x{text}" for text in wanted["addresses"]]}
            given = {**asked, "address": asked["addresses"][0]} if pair.plain == "one" else asked
            if pair.plain == "one":
                given.pop("addresses")
            question = json.dumps({"query": pair.document, "variables": {"input": given}}).encode()
            plain.append(await self.seconds(f"/plain/{pair.plain}", json.dumps(asked).encode()))
            ours.append(await self.seconds("/graphql", question))
        return plain, ours


async def _measure(port: int, key: str, arguments: argparse.Namespace) -> None:
    sizes = {"rows": (1_000, arguments.rounds), "columns": (10_000, arguments.rounds), "one": (1, arguments.singles)}
    asked = {"controller": CONTROLLER, "purpose": PURPOSE, "channel": "email", "addressClass": "business"}
    print(f"{'field':<18}{'addresses':>10}{'':>7}{'plain ms':>10}{'ours ms':>10}{'ratio':>8}{'must':>7}{'goal':>6}")
    async with ClientSession(connector=TCPConnector(limit=1)) as session:
        asker = Asker(session, port, key)
        for pair in PAIRS:
            addresses, rounds = sizes[pair.plain]
            wanted = {**asked, "addresses": [f"{number}@acme.example" for number in range(addresses)]}
            await asker.both(pair, wanted, 3)
            plain, ours = await asker.both(pair, wanted, rounds)
            for label, pick in (("p50", statistics.median), *((("p99", _p99),) if pair.plain == "one" else ())):
                _print(pair, addresses, label, pick(plain), pick(ours))


def _p99(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=100)[-1]


def _print(pair: Pair, addresses: int, label: str, plain_s: float, ours_s: float) -> None:
    times = f"{plain_s * 1e3:>10.2f}{ours_s * 1e3:>10.2f}{ours_s / plain_s:>8.2f}"
    print(f"{pair.name:<18}{addresses:>10,}{label:>7}{times}{pair.must:>7}{pair.goal:>6}")


if __name__ == "__main__":
    main()
