"""A list of 100,000 rows by both engines, over a store in which every reason to refuse was given to somebody.

`python -m pytest -s` on this file prints its figures, which docs/scrub.md tells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from jobs.scrub import Manifest, ScrubPlan
from jobs.scrub.tally import DUPLICATE, EMPTY_ADDRESS, RAGGED_ROW
from prefcenter.domain.events import Cell
from prefcenter.domain.terms import Channel, PurposeClass, Reason, RefusalReason
from prefcenter.security.keyring import new_keyring
from tests.factories import DAY, HOUR, NOW
from tests.fakes import MemoryStore
from tests.jobs.scrub.fast.drawn_acts import Act, DrawnHome
from tests.jobs.scrub.fast.drawn_policies import CONSENT, INTERESTS, a_purpose, policy_of, tables_of
from tests.jobs.scrub.fast.test_equality import OF_AN_ADDRESS
from tests.jobs.scrub.fast.two_engines import TwoEngines

ROWS, FURTHER_ROWS = 100_000, 20_000
FEWEST_ROWS_A_REASON = 100
PEOPLE = 3_000
OFFERS = Cell("offers", Channel.EMAIL)
OF_ONE_AUDIENCE = (OF_AN_ADDRESS | {EMPTY_ADDRESS, RAGGED_ROW}) - {Reason.AUDIENCE_NOT_COVERED.value}


def a_home(people: list[str]) -> DrawnHome:
    """Of ten people four did nothing and two consented; something else happened to each of the others."""
    purpose = a_purpose("offers", PurposeClass.PROMOTIONAL, INTERESTS, CONSENT, audiences=["client"], cap=(2, 30))
    policy = policy_of(tables_of([purpose], {reason.value: "NO-1" for reason in RefusalReason}))
    keyring = new_keyring("2026-11-21T00:00:00Z")
    home = DrawnHome(policy, keyring, MemoryStore(keyring))
    home.take(act for number, person in enumerate(people) for act in acts_about(number, person))
    home.take([Act("refusal", "@acme7.example", OFFERS)])
    return home


def acts_about(number: int, person: str) -> Iterator[Act]:
    consent = Act("consent", person, OFFERS, at_ms=NOW - 9 * DAY)
    match number % 10:
        case 4 | 5:
            yield consent
        case 6 | 7:
            reasons = list(RefusalReason)
            yield Act("refusal", person, OFFERS, reasons[number // 10 % len(reasons)])
        case 8:
            yield replace(consent, ends_ms=NOW - DAY * (number % 20 // 10) + HOUR * (number % 3 - 1))
        case 9:
            ends_ms = NOW + HOUR
            yield (
                Act("pause", person, OFFERS, ends_ms=ends_ms)
                if number % 20 > 10
                else Act("send", person, OFFERS, at_ms=NOW - DAY, pick=number // 20 % 3)
            )


def a_list(chance: Random, people: list[str], rows: int) -> Iterator[str]:
    yield "id,email,kind,as"
    for number in range(rows):
        kind = chance.choice(["work", "work", "private", "", "?"])
        audience = chance.choice(["client", "Client", "client", "candidate"])
        yield f"{number},{a_cell(chance, people)},{kind}" + ("" if chance.random() < 0.005 else f",{audience}")


def a_cell(chance: Random, people: list[str]) -> str:
    person = chance.choice(people)
    spellings = Counter({person: 80, person.upper(): 6, f'" {person}"': 5, person.replace("@", "+x@"): 5})
    spellings.update({"": 1, person.replace("@", " at "): 2, f"J\u00fcrgen <{person}>": 1, '"a""b"@x.example': 1})
    return chance.choices(list(spellings), list(spellings.values()))[0]


def manifests_of(directory: Path, rows: int, **changes: Any) -> tuple[Manifest, Manifest]:
    """The manifests of both engines, found to have written the same, the reference's first."""
    chance = Random(1)
    people = [f"pat.{number}@{chance.choice(['acme', 'shop', 'b-2'])}{number % 50}.example" for number in range(PEOPLE)]
    home = a_home(people)
    text = "\r\n".join(a_list(chance, people, rows))
    (directory / "list.csv").write_text(text, encoding="utf-8", newline="")
    plan = ScrubPlan(directory / "list.csv", "offers", Channel.EMAIL, "email", class_column="kind", at_ms=NOW)
    engines = TwoEngines(home.policy, home.digester, home.store, home.sealer, directory / "cache")
    return engines.manifests(replace(plan, **changes), directory)


def reasons_of(manifest: Manifest) -> Counter[str]:
    by_output = manifest.document["reasons"].values()
    met: Counter[str] = Counter({Reason.PERMITTED.value: manifest.counts["kept"]})
    for reasons in by_output:
        met.update(reasons)
    return met


def test_both_engines_write_the_same_of_100_000_rows_and_every_reason_is_met(tmp_path: Path) -> None:
    reference, fast = manifests_of(tmp_path, ROWS)
    met = reasons_of(fast)
    print(f"{ROWS:,} rows:", ", ".join(f"{reason} {count:,}" for reason, count in met.most_common()))
    assert fast.counts["read"] == ROWS == met.total()
    assert met.keys() == OF_ONE_AUDIENCE
    assert min(met.values()) >= FEWEST_ROWS_A_REASON
    assert fast.document["run"]["engine"] != reference.document["run"]["engine"]


def test_so_they_do_where_rows_are_of_several_audiences_and_repeat(tmp_path: Path) -> None:
    _, fast = manifests_of(tmp_path, FURTHER_ROWS, audience_column="as", dedupe=True)
    met = reasons_of(fast)
    print(f"{FURTHER_ROWS:,} rows:", ", ".join(f"{reason} {count:,}" for reason, count in met.most_common()))
    assert met.keys() == OF_AN_ADDRESS | {EMPTY_ADDRESS, RAGGED_ROW, DUPLICATE}
