"""A scrub by Spark gives every row what the reference engine gives it, and lets nothing out that it should not."""

from __future__ import annotations

import asyncio
import random
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from pyspark.sql import SparkSession

from jobs.scrub import Decider, Manifest, ScrubPlan, scrub
from jobs.scrub.cluster.answering import AddressReader
from jobs.scrub.cluster.frames import FORMS_TYPE, INNER_PAD, OUTER_PAD, ROW, digested, key_frame, padded
from jobs.scrub.fast.answers import Asked
from jobs.scrub.manifest import MANIFEST_NAME, read_manifest
from jobs.scrub.tally import Output
from jobs.scrub.verifying import Trouble, Verification, verify
from jobs.scrub_spark import ClusterServices, scrub_on_cluster
from prefcenter.domain.address import parse
from prefcenter.domain.errors import InvalidInput, PrefcenterError
from prefcenter.domain.events import Cell
from prefcenter.domain.ledger import Head
from prefcenter.domain.terms import AddressKind, Channel, RefusalReason
from prefcenter.security.keyring import new_keyring
from prefcenter.services.decisions import Decisions
from prefcenter.services.policy_files import load_policy
from tests.factories import NOW
from tests.fakes import MemoryStore
from tests.jobs.scrub.fast.drawn_acts import KINDS, SHAPES, Act, DrawnHome
from tests.jobs.scrub.fast.drawn_lists import WORDS
from tests.jobs.scrub.fast.drawn_people import DEFECTS, reached_by
from tests.jobs.scrub.fast.drawn_worlds import ENDS, RECEIVED, STATED
from tests.jobs.scrub.small_home import POLICIES, left_in

ROWS = 3_000
DOMAINS = ("acme.example", "sales.acme.example", "shop.example", "gmail.com", "bücher.example", "post.example")
QUESTIONS = [
    ("opencontact", "client-marketing", Channel.EMAIL),
    ("contact-centre-community", "member-news", Channel.EMAIL),
    ("opencontact", "candidate-contact", Channel.SMS),
]
FEWEST_REASONS = {"client-marketing": 10, "member-news": 11, "candidate-contact": 8}


def people_of(channel: Channel) -> list[str]:
    known = [spelling for person in reached_by(channel) for spelling in person.spellings]
    if channel is Channel.SMS:
        return [*known, *(f"+44 7700 9{number:05}" for number in range(0, 1000, 3))]
    return [*known, *(f"pat{number}.o@{DOMAINS[number % len(DOMAINS)]}" for number in range(600))]


@dataclass(frozen=True)
class Crowd:
    """A controller, a question, hundreds of acts of every kind, and thousands of rows that meet what they left."""

    controller: str
    purpose: str
    channel: Channel
    acts: tuple[Act, ...]
    later: tuple[Act, ...]
    rows: tuple[tuple[str, str], ...]


def crowd_of(controller: str, purpose: str, channel: Channel) -> Crowd:
    chance, people = random.Random(purpose), people_of(channel)

    def act() -> Act:
        kind = chance.choice(["refusal", "refusal", "consent", "consent", "send", *KINDS])
        is_of_domain = kind == "refusal" and channel is Channel.EMAIL and chance.random() < 0.05
        end = chance.choice(ENDS)
        return Act(
            kind,
            f"@{chance.choice(DOMAINS[1:3])}" if is_of_domain else chance.choice(people),
            Cell(purpose, channel),
            chance.choice(list(RefusalReason)),
            chance.choice(SHAPES),
            chance.choice(RECEIVED),
            chance.choice(STATED),
            None if end is None else NOW + end,
            chance.randrange(12),
        )

    def cell() -> str:
        person = chance.choice(people)
        others = [person.upper(), person.replace("@", "+news@"), chance.choice(DEFECTS)]
        return chance.choice([person, person, person, *others])

    rows = tuple((cell(), chance.choice(WORDS)) for _ in range(ROWS))
    acts, later = (tuple(act() for _ in range(count)) for count in (900, 200))
    return Crowd(controller, purpose, channel, acts, later, rows)


def home_of(crowd: Crowd) -> DrawnHome:
    """The home after all acts, the later ones under a newer key."""
    policy = load_policy(POLICIES / f"{crowd.controller}.toml", known_clauses=None)
    keyring = new_keyring("2026-11-21T00:00:00Z")
    home = DrawnHome(policy, keyring, MemoryStore(keyring))
    home.take(crowd.acts)
    home = home.rotated()
    home.take(crowd.later)
    return home


def listed(crowd: Crowd, path: Path) -> Path:
    """The list of a crowd, with a column that is no text and cells that hold nothing at all."""
    addresses = [address or None for address, _ in crowd.rows]
    table = pa.table({"id": range(ROWS), "address": addresses, "kind": [word for _, word in crowd.rows]})
    parquet.write_table(table, path)
    return path


def rows_of(out: Path) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The rows of each output in the list's order, be it a file or a directory of parts."""
    return {
        output.value: sorted(parquet.read_table(out / f"{output}.parquet").to_pylist(), key=lambda row: row["id"])
        for output in Output
    }


def by_spark(home: DrawnHome, plan: ScrubPlan, spark: SparkSession, decider: Decider | None = None) -> Manifest:
    decisions = decider or Decisions(home.policy, home.digester, home.store)
    services = ClusterServices(decisions, home.digester, home.store, home.sealer, lambda: NOW)
    return asyncio.run(scrub_on_cluster(plan, services, spark))


def plan_of(crowd: Crowd, directory: Path) -> ScrubPlan:
    path = listed(crowd, directory / "list.parquet")
    return ScrubPlan(path, crowd.purpose, crowd.channel, "address", "kind", at_ms=NOW, out=directory / "spark")


class MovingDecisions(Decisions):
    """Real decisions, of a ledger that somebody writes to after each look at it."""

    def __init__(self, home: DrawnHome) -> None:
        super().__init__(home.policy, home.digester, home.store)
        self._home = home

    async def heads(self) -> tuple[Head, ...]:
        heads = await super().heads()
        await self._home.take_all(
            [Act("refusal", f"stranger{len(heads)}@acme.example", Cell("client-marketing", Channel.EMAIL))]
        )
        return heads


@pytest.mark.parametrize(("controller", "purpose", "channel"), QUESTIONS)
def test_spark_decides_every_row_as_the_reference_engine_does(
    controller: str, purpose: str, channel: Channel, spark: SparkSession, tmp_path: Path
) -> None:
    crowd = crowd_of(controller, purpose, channel)
    home, plan = home_of(crowd), plan_of(crowd, tmp_path)
    reference = ScrubPlan(plan.path, purpose, channel, "address", "kind", at_ms=NOW, out=tmp_path / "reference")
    decisions = Decisions(home.policy, home.digester, home.store)
    expected = asyncio.run(scrub(reference, decisions, home.sealer, lambda: NOW)).document
    found = by_spark(home, plan, spark).document
    assert rows_of(tmp_path / "spark") == rows_of(tmp_path / "reference")
    for key in ("counts", "reasons", "policyVersion", "ledger", "at", "validUntil", "stale"):
        assert found[key] == expected[key], key
    assert sum(map(len, found["reasons"].values())) >= FEWEST_REASONS[purpose]
    assert all(found["counts"][output] > 0 for output in Output)


def test_neither_keys_nor_addresses_reach_plans_and_events(spark: SparkSession, events: Path, tmp_path: Path) -> None:
    crowd = crowd_of(*QUESTIONS[0])
    home = home_of(crowd)
    by_spark(home, plan_of(crowd, tmp_path), spark)
    noted = b"".join(path.read_bytes() for path in events.rglob("*") if path.is_file()).lower()
    assert b"sha2(concat(inner" in noted
    keys = [key.match_key for key in home.digester.vector_keys().values()]
    secrets = [*keys, *(bytes(padded(key, octet)) for key in keys for octet in (INNER_PAD, OUTER_PAD))]
    forms = [form for secret in secrets for form in (secret, secret.hex().encode(), b64encode(secret).lower())]
    assert not any(form in noted for form in forms)
    assert not any(address.lower().encode() in noted for address, _ in crowd.rows if "acme.example" in address)


def test_spark_digests_as_the_keyring_does(spark: SparkSession) -> None:
    home, text = home_of(crowd_of(*QUESTIONS[0])), "Zoë+news@Sales.Bücher.example"
    reader = AddressReader(Asked("client-marketing", Channel.EMAIL, None, NOW), "GB", with_hashes=True)
    read = [(1, {"forms": reader.read(text, None)["forms"]})]
    rows = spark.createDataFrame(read, f"{ROW} long, read struct<forms {FORMS_TYPE}>")
    found = digested(rows, key_frame(spark, home.digester)).toArrow().to_pylist()
    digests = home.digester.of_address(parse(text, AddressKind.EMAIL, country="GB"), with_hashes=True)
    looked_up = {(int(digest.kind), digest.key, digest.rules, digest.value) for digest in digests.looked_up}
    assert {(row["kind"], row["key"], row["rules"], row["digest"]) for row in found} == looked_up
    exacts = {(digest.key, digest.rules, digest.value) for digest in digests.exacts}
    assert {(row["key"], row["rules"], row["exact_digest"]) for row in found if row["exact_digest"]} == exacts


def test_a_refusal_that_comes_in_meanwhile_makes_the_outputs_stale(spark: SparkSession, tmp_path: Path) -> None:
    crowd = replace(crowd_of(*QUESTIONS[0]), rows=(("pat@acme.example", "work"),) * ROWS)
    home = home_of(crowd)
    manifest = by_spark(home, plan_of(crowd, tmp_path), spark, MovingDecisions(home))
    assert manifest.is_stale


@pytest.mark.parametrize("spoilt", ["absent", "text", "column", "class", "taken"])
def test_a_list_that_cannot_be_read_leaves_nothing(spoilt: str, spark: SparkSession, tmp_path: Path) -> None:
    home = home_of(crowd_of(*QUESTIONS[0]))
    path = tmp_path / "list.parquet"
    name = "prefcenter_reason" if spoilt == "taken" else "kind"
    if spoilt == "text":
        path.write_text("address\n")
    elif spoilt != "absent":
        parquet.write_table(pa.table({"id": [1], "address": ["pat@acme.example"], name: ["work"]}), path)
    columns = {"column": ("id", None), "class": ("address", "no such")}.get(spoilt, ("address", None))
    plan = ScrubPlan(path, "client-marketing", Channel.EMAIL, *columns, at_ms=NOW, out=tmp_path / "spark")
    with pytest.raises(InvalidInput):
        by_spark(home, plan, spark)
    assert left_in(tmp_path) == ([] if spoilt == "absent" else ["list.parquet"])


def test_a_list_of_which_a_part_is_damaged_leaves_nothing(spark: SparkSession, tmp_path: Path) -> None:
    crowd = crowd_of(*QUESTIONS[0])
    parts = tmp_path / "parts"
    parts.mkdir()
    listed(crowd, parts / "part-0.parquet")
    (parts / "part-1.parquet").write_bytes((parts / "part-0.parquet").read_bytes()[:-100])
    plan = replace(plan_of(crowd, tmp_path), path=parts)
    with pytest.raises(PrefcenterError, match=r"list|nothing was written"):
        by_spark(home_of(crowd), plan, spark)
    assert left_in(tmp_path) == ["list.parquet", "parts"]


def test_what_spark_wrote_is_verified_like_any_outputs(spark: SparkSession, tmp_path: Path) -> None:
    rows = tuple((f"pat{number}@acme.example", "work") for number in range(ROWS - 1))
    crowd = replace(crowd_of(*QUESTIONS[0]), acts=(), later=(), rows=(*rows, ("broken", "work")))
    home, out = home_of(crowd), tmp_path / "spark"
    manifest = by_spark(home, plan_of(crowd, tmp_path), spark)
    assert (manifest.counts["kept"], manifest.counts["rejected"]) == (ROWS - 1, 1)
    assert troubles(home, out) == []
    cell = Cell("client-marketing", Channel.EMAIL)
    home.take([Act("refusal", "stranger@acme.example", cell)])
    assert (troubles(home, out), troubles(home, out, is_quick=True)) == ([], [Trouble.LEDGER_MOVED])
    home.take([Act("refusal", f"pat{number}@acme.example", cell) for number in (0, ROWS - 2)])
    assert troubles(home, out) == [Trouble.REFUSED_SINCE]
    first, *_ = sorted((out / "kept.parquet").glob("part-*"))
    first.rename(first.with_name("part-99999.parquet"))
    assert troubles(home, out) == [Trouble.MISSING, Trouble.CHANGED]


def troubles(home: DrawnHome, out: Path, *, is_quick: bool = False) -> list[Trouble]:
    read = read_manifest(out / MANIFEST_NAME, lambda _: home.sealer)
    assert read.is_genuine
    decisions = Decisions(home.policy, home.digester, home.store)
    found = verify(
        Verification(out, read, NOW, is_quick),
        decisions,
        lambda heads: home.store.holds_heads(home.policy.controller, heads),
    )
    return [finding.trouble for finding in asyncio.run(found)]
