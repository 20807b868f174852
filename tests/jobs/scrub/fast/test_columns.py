"""Lists that the fast engine does not cut itself: every format, and whatever is asked of columns, by both engines."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from jobs.scrub import AddressChoice
from jobs.scrub.deciding import AskedColumn, OneByOne
from prefcenter.domain.events import EVERYTHING, Cell
from prefcenter.domain.terms import AddressClass, Channel, RefusalReason
from prefcenter.security.digests import Digester
from prefcenter.services.admission import Consent
from tests.factories import DAY, HOUR, NOW
from tests.jobs.lists.formats import MAKERS
from tests.jobs.scrub.fast.two_engines import TwoEngines
from tests.jobs.scrub.small_home import SmallHome, a_plan

ADDRESSES = [
    "pat@acme.example", "kim@acme.example", "Kim+x@Acme.example", "lee@gmail.com", "l.e.e@googlemail.com", "broken",
    "", " ", "Max <max@bulk.example>", "zoë@acme.example", "sam@bücher.example", "ann@uk.acme.example", "jo@gmail.com",
]  # fmt: skip
PHONES = ["+447700900123", "07700 900124", "12", "", "+447700900125"]
ROWS = [
    {
        "id": number,
        "email": ADDRESSES[number % len(ADDRESSES)],
        "mobile": PHONES[number % len(PHONES)],
        "kind": ["work", "home", "", "?"][number % 4],
        "as": ["client", "prospect", "candidate", ""][number % 3],
    }
    for number in range(1, 150)
]
SEVERAL = (AddressChoice(Channel.EMAIL, "email"), AddressChoice(Channel.SMS, "mobile"))


@pytest.fixture(scope="module")
def home() -> SmallHome:
    home = SmallHome()
    home.opt_out("kim@acme.example")
    home.opt_out("+447700900123")
    consent = Consent(Cell("client-marketing", Channel.EMAIL), "w1", "form", "person", NOW - 2 * DAY, NOW + HOUR)
    asyncio.run(home.recording.record_consent("lee@gmail.com", consent))
    asyncio.run(home.recording.suppress("@bulk.example", RefusalReason.MANUAL, EVERYTHING, "sales"))
    return home


@pytest.fixture
def both(home: SmallHome, tmp_path: Path) -> TwoEngines:
    digester = Digester(home.keyring, home.policy.controller)
    return TwoEngines(home.policy, digester, home.store, home.sealer, tmp_path)


@pytest.mark.parametrize("suffix", MAKERS)
@pytest.mark.parametrize(
    "changes",
    [{}, {"addresses": SEVERAL}, {"audience_column": "as"}, {"dedupe": True}, {"audience": "client"}],
    ids=["one", "several", "audiences", "repeats", "audience"],
)
def test_both_engines_write_the_same_in_every_format(
    tmp_path: Path, both: TwoEngines, suffix: str, changes: dict[str, Any]
) -> None:
    plan = a_plan(tmp_path, MAKERS[suffix](ROWS), f"list{suffix}", **{"class_column": "kind", "at_ms": NOW} | changes)
    reference, fast = both.manifests(plan, tmp_path)
    assert reference.counts["kept"] > 0
    assert (reference.document["run"]["engine"], fast.document["run"]["engine"]) == ("reference", "fast")


def test_both_engines_take_employers_domains_alike(tmp_path: Path, both: TwoEngines) -> None:
    (tmp_path / "employers").write_text("acme.example\n", encoding="utf-8")
    plan = a_plan(tmp_path, MAKERS[".csv"](ROWS), business_domains=tmp_path / "employers")
    reference, _ = both.manifests(plan, tmp_path)
    assert reference.counts["kept"] > 0


def test_several_files_are_decided_by_the_fast_engine_too(tmp_path: Path, both: TwoEngines) -> None:
    (tmp_path / "more.csv").write_bytes(MAKERS[".csv"](ROWS[:20]))
    plan = a_plan(tmp_path, MAKERS[".csv"](ROWS), class_column="kind", further=(tmp_path / "more.csv",))
    _, fast = both.manifests(plan, tmp_path)
    assert fast.document["run"]["engine"] == "fast"


def test_a_column_of_nothing_has_no_answers(both: TwoEngines, tmp_path: Path) -> None:
    nothing = AskedColumn(Channel.EMAIL, [], [], [])
    columns = both.fast(a_plan(tmp_path)).columns(NOW)
    for answers in (columns, OneByOne(both.decisions, "client-marketing", NOW)):
        assert asyncio.run(answers.of(nothing)) == ([], None)


def test_addresses_of_several_audiences_are_answered_in_their_order(both: TwoEngines, tmp_path: Path) -> None:
    addresses = ["pat@acme.example", "kim@acme.example", "lee@gmail.com", "broken"] * 3
    audiences = ["client", "candidate", None, "prospect", ""] * 3
    classes = [AddressClass.BUSINESS, None, AddressClass.PERSONAL] * 4
    asked = AskedColumn(Channel.EMAIL, addresses, classes, audiences[:12])
    columns = both.fast(a_plan(tmp_path)).columns(NOW)
    by_reference = asyncio.run(OneByOne(both.decisions, "client-marketing", NOW).of(asked))
    outcomes, end_ms = asyncio.run(columns.of(asked))
    assert list(outcomes) == list(by_reference[0])
    assert end_ms == by_reference[1]
