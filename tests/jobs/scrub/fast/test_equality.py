"""The fast engine writes what the reference engine writes: every row, byte for byte, and the same manifest."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings

from jobs.scrub import ScrubPlan
from jobs.scrub.tally import Output
from prefcenter.domain.events import EVERYTHING, Cell
from prefcenter.domain.terms import Channel, RefusalReason
from prefcenter.security.digests import Digester
from prefcenter.security.keyring import new_keyring
from prefcenter.services.admission import Consent
from prefcenter.services.sending import Sending
from tests.factories import DAY, NOW
from tests.fakes import MemoryStore
from tests.jobs.scrub.fast.drawn_worlds import Home, World, worlds
from tests.jobs.scrub.fast.two_engines import TwoEngines
from tests.jobs.scrub.small_home import SmallHome

ROWS = 100_000
EXAMPLES = 60


def engines_of(world: World, cache: Path) -> TwoEngines:
    """The services after all acts: the later ones come after a snapshot was taken, under a newer key."""
    older = new_keyring("2026-11-21T00:00:00Z")
    newer = older.rotated("2026-11-22T00:00:00Z")
    first = Home(world, older, MemoryStore(older))
    asyncio.run(first.take(world.acts))
    home = Home(world, newer, MemoryStore(newer, first.store._cabinet))
    engines = TwoEngines(home.policy, home.digester, home.store, home.sealer, cache)
    asyncio.run(engines.keeper(cache).current())
    asyncio.run(home.take(world.later))
    return engines


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(worlds())
def test_both_engines_write_the_same(world: World) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "list.csv").write_bytes(world.content())
        plan = ScrubPlan(
            directory / "list.csv",
            world.purpose,
            world.channel,
            address_column="address",
            class_column="kind",
            at_ms=NOW,
        )
        engines_of(world, directory / "cache").manifests(plan, directory)


def test_both_engines_write_the_same_of_100_000_rows(tmp_path: Path) -> None:
    home, chance = SmallHome(), random.Random(1)
    people = [f"pat.{number}@{chance.choice(['acme', 'shop', 'b-2'])}{number % 50}.example" for number in range(3_000)]
    for person in people[::10]:
        home.opt_out(person)
    for person in people[::37]:
        asyncio.run(home.recording.suppress(person, RefusalReason.LEGAL, EVERYTHING, "court"))
    home.opt_out("@acme7.example")
    lines = ["id,email,kind", *(f"{number},{a_cell(chance, people)},work" for number in range(ROWS))]
    (tmp_path / "list.csv").write_text("\r\n".join(lines), encoding="utf-8", newline="")
    plan = ScrubPlan(tmp_path / "list.csv", "client-marketing", Channel.EMAIL, class_column="kind", at_ms=NOW)
    reference, fast = engines_of_home(home, tmp_path / "cache").manifests(plan, tmp_path)
    assert fast.counts["read"] == ROWS
    assert all(fast.counts[output] > ROWS / 100 for output in Output)
    assert fast.document["run"]["engine"] != reference.document["run"]["engine"]


def a_cell(chance: random.Random, people: list[str]) -> str:
    person = chance.choice(people)
    spellings = Counter({person: 80, person.upper(): 6, f'" {person}"': 5, person.replace("@", "+x@"): 5})
    spellings.update({"": 1, person.replace("@", " at "): 2, f"J\u00fcrgen <{person}>": 1, '"a""b"@x.example': 1})
    return chance.choices(list(spellings), list(spellings.values()))[0]


def engines_of_home(home: SmallHome, cache: Path) -> TwoEngines:
    digester = Digester(home.keyring, home.policy.controller)
    return TwoEngines(home.policy, digester, home.store, home.sealer, cache)


def test_a_cap_that_is_reached_suppresses_and_one_that_is_not_does_not(tmp_path: Path) -> None:
    home = SmallHome("contact-centre-community")
    digester = Digester(home.keyring, home.policy.controller)
    sending = Sending(home.policy, home.sealer, digester, home.store, lambda: NOW - DAY)
    consent = Consent(Cell("member-news", Channel.EMAIL), "terms", "form", "person", NOW - 9 * DAY, None)
    members = ["often@acme.example", "seldom@acme.example"]
    for member, messages in zip(members, (4, 3), strict=True):
        asyncio.run(home.recording.record_consent(member, consent))
        for number in range(messages):
            asyncio.run(sending.record("member-news", Channel.EMAIL, f"c{number}", [member]))
    (tmp_path / "list.csv").write_text("\n".join(["email", *members]), encoding="utf-8")
    plan = ScrubPlan(tmp_path / "list.csv", "member-news", Channel.EMAIL, at_ms=NOW)
    _, fast = engines_of_home(home, tmp_path / "cache").manifests(plan, tmp_path)
    assert fast.document["reasons"]["suppressed"] == {"frequency_cap": 1}
    assert fast.counts["kept"] == 1
