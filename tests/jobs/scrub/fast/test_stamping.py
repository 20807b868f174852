"""Links beside kept rows: both engines write the same, whatever the list is like."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.scrub import AddressChoice, ScrubPlan, scrub
from jobs.scrub.fast.engine import FastEngine
from prefcenter.domain.terms import Channel
from prefcenter.security.digests import Digester
from prefcenter.security.tokens import LinkCipher
from prefcenter.services.links import Links
from prefcenter.services.site import Site
from tests.factories import NOW
from tests.jobs.lists.formats import MAKERS
from tests.jobs.scrub.fast.two_engines import rows_in
from tests.jobs.scrub.small_home import SmallHome, a_plan

ADDRESSES = [
    "pat@acme.example", "kim@acme.example", "Kim+x@Acme.example", "l.e.e@googlemail.com", "broken", "", " ",
    "Max <max@bulk.example>", "zo\u00eb@acme.example", "sam@b\u00fccher.example", " ann@uk.acme.example ",
    "mailto:jo@acme.example", "x" * 60 + "@acme.example", "PAT@ACME.EXAMPLE",
]  # fmt: skip
SEVERAL = (AddressChoice(Channel.SMS, "mobile"), AddressChoice(Channel.EMAIL, "email"))
ROWS = [
    {"id": number, "email": ADDRESSES[number % len(ADDRESSES)], "mobile": "+447700900123", "kind": "work"}
    for number in range(120)
]


@pytest.fixture(scope="module")
def home() -> SmallHome:
    home = SmallHome()
    home.opt_out("kim@acme.example")
    return home


def outputs_of(home: SmallHome, plan: ScrubPlan, out: Path, *, by_fast: bool, links: Links) -> dict[str, bytes]:
    digester = Digester(home.keyring, home.policy.controller)
    engine = FastEngine(plan, home.decisions, digester, home.store, home.sealer) if by_fast else None
    made = scrub(replace(plan, out=out), home.decisions, home.sealer, lambda: NOW, engine=engine, links=links)
    assert asyncio.run(made).document["run"]["engine"] == ("fast" if by_fast else "reference")
    return {path.name: path.read_bytes() for path in rows_in(out)}


def require_alike(home: SmallHome, plan: ScrubPlan, directory: Path, links: Links | None = None) -> bytes:
    """What is in `kept` of both engines, which must write the same."""
    reference, fast = (
        outputs_of(home, plan, directory / f"by-{by_fast}", by_fast=by_fast, links=links or home.links)
        for by_fast in (False, True)
    )
    assert fast == reference
    return next(content for name, content in fast.items() if name.startswith("kept"))


@pytest.mark.parametrize("suffix", MAKERS)
@pytest.mark.parametrize("changes", [{}, {"addresses": SEVERAL}, {"dedupe": True}, {"campaign": "spring"}])
def test_both_engines_add_the_same_links_in_every_format(
    tmp_path: Path, home: SmallHome, suffix: str, changes: dict[str, Any]
) -> None:
    changes = {"class_column": "kind", "links": True} | changes
    require_alike(home, a_plan(tmp_path, MAKERS[suffix](ROWS), f"list{suffix}", **changes), tmp_path)


def test_links_are_made_under_the_newest_key(tmp_path: Path) -> None:
    home = SmallHome()
    newer = home.keyring.rotated("2026-11-22T00:00:00.000Z")
    digester, cipher = Digester(newer, home.policy.controller), LinkCipher(newer, home.policy.controller)
    links = Links(home.policy, digester, cipher, lambda: NOW, Site("https://preferences.example"))
    home.keyring = newer
    content = b"email,kind\npat@acme.example,work\nMax <max@acme.example>,work\n"
    plan = a_plan(tmp_path, content, class_column="kind", links=True)
    _, *kept, end = require_alike(home, plan, tmp_path, links).split(b"\n")
    assert (len(kept), end) == (2, b"")
    for row in kept:
        opened = links.open(row.rpartition(b"/")[2].decode())
        assert opened is not None
        assert opened.target.write_to.key == newer.active.id != 1


@pytest.mark.parametrize("base_url", ["https://preferences.example", "https://preferences.example/a,b;c|d"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_url_that_a_list_has_to_quote_is_quoted(tmp_path: Path, base_url: str, delimiter: str) -> None:
    home = SmallHome()
    digester, cipher = Digester(home.keyring, home.policy.controller), LinkCipher(home.keyring, home.policy.controller)
    links = Links(home.policy, digester, cipher, lambda: NOW, Site(base_url))
    content = delimiter.join(["email", "kind"]) + "\r\n" + delimiter.join(["pat@acme.example", "work"])
    plan = a_plan(tmp_path, content.encode(), class_column="kind", links=True)
    kept = require_alike(home, plan, tmp_path, links)
    assert kept.count(b'"') == (4 if "," in base_url else 0)


cells = st.lists(st.sampled_from([*ADDRESSES, '"pat@acme.example"', '" kim@acme.example"']), min_size=1, max_size=40)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(cells, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.sampled_from(["utf-8", "utf-8-sig"]))
def test_both_engines_add_the_same_links_to_drawn_lists(
    tmp_path_factory: pytest.TempPathFactory, home: SmallHome, drawn: list[str], end: str, ends: bool, encoding: str
) -> None:
    directory = tmp_path_factory.mktemp("drawn")
    content = end.join(["email,kind", *(f"{cell},work" for cell in drawn)]) + end * ends
    plan = a_plan(directory, content.encode(encoding), class_column="kind", links=True)
    require_alike(home, plan, directory)
