"""GraphQL over HTTP as `graphql-http` audits it, against the running server."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from prefcenter.api.schema import ApiSettings
from tests.api.served_api import serve_api
from tests.node_programs import run_in_node

NOTICED = {"5A70", "D6D5", "6A70"}
"""Audits of queries by GET, which a server may answer and ours does not (docs/decisions/0011)."""

AUDITED = ApiSettings(any_document=True, introspection=True)
"""The audits send documents of their own, some of which ask for types of the schema."""

AUDITS_MIN = 60


async def test_the_server_passes_every_audit(home: Path) -> None:
    async with serve_api(home, AUDITED) as served:
        url = str(served.client.make_url("/graphql"))
        printed = await run_in_node("audit.mjs", url, f"Bearer {served.key}")
    results = [json.loads(line) for line in printed.splitlines()]
    assert len(results) >= AUDITS_MIN
    failed = {result["id"]: (result["status"], result["name"]) for result in results if result["status"] != "ok"}
    assert {name: status for name, (status, _) in failed.items()} == dict.fromkeys(NOTICED, "notice"), failed
    assert Counter(result["status"] for result in results)["ok"] == len(results) - len(NOTICED)
