"""The story, played on real services: every row of both lists gets the answer that its person's fate asks for."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobs.demo.alumni_list import alumni_list
from jobs.demo.campaign_list import campaign_list
from jobs.demo.people import SHARES, Fate, Person, alumni_people, campaign_people
from jobs.demo.questions import Sample, sample_questions
from jobs.demo.rows import DemoList, WrittenRow
from jobs.demo.story import STRANGERS_ON_REGISTRY, Story, as_alias, play
from prefcenter.bootstrap import Services, init_home, open_services
from prefcenter.domain.address import parse, read_address_class
from prefcenter.domain.decision import Decision
from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.terms import AddressKind, Basis, Reason
from prefcenter.services.controller import ControllerServices
from prefcenter.services.decisions import Question
from prefcenter.settings import read_settings

ROOT = Path(__file__).resolve().parents[3]
BATCH_ROWS = 1_000
ACTS = {
    "bounces": 45,
    "complaints": 14,
    "consents": 143,
    "deliveries": 9,
    "erasures": 11,
    "imported consents": 180,
    "imported opt-outs": 90,
    "legal holds": 4,
    "minors": 4,
    "opt-outs": 293,
    "registry rows": 284,
    "restrictions": 5,
    "suppressed by hand": 9,
    "whole domains": 2,
}
SAMPLE_ANSWERS = [
    (Reason.PERMITTED, Basis.LEGITIMATE_INTERESTS, "OC-1"),
    (Reason.NO_CONSENT, None, "OC-3"),
    (Reason.OPTED_OUT, None, "OC-1"),
    (Reason.OPTED_OUT, None, "OC-2"),
    (Reason.PERMITTED, Basis.CONTRACT, "OC-9"),
    (Reason.PERMITTED, Basis.CONSENT, "OC-3"),
    (Reason.OPTED_OUT, None, "OC-1"),
    (Reason.BOUNCED, None, "OCC-2"),
]


@dataclass(frozen=True)
class Played:
    """What is left when the story is over."""

    story: Story
    events: int
    answers: dict[str, Sequence[tuple[WrittenRow, str]]]
    samples: Sequence[tuple[Sample, Decision]]
    again: Story


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return asyncio.run(play_in(tmp_path_factory.mktemp("demo") / "home"))


async def play_in(home: Path) -> Played:
    settings = read_settings({}, home)
    await init_home(settings, ROOT / "fixtures" / "policies")
    async with open_services(settings) as services:
        campaign, alumni = await services.controller("opencontact"), await services.controller("one-contact-center")
        now_ms = services.clock()
        story = await play(campaign, alumni, now_ms)
        events = await events_of(services)
        return Played(
            story=story,
            events=events,
            answers={made.file_name: await answers(services, made) for made in (campaign_list(), alumni_list())},
            samples=[(sample, await ask(services, sample)) for sample in sample_questions()],
            again=await play(campaign, alumni, now_ms),
        )


async def events_of(services: Services) -> int:
    reports = [await services.store.audit(controller, []) for controller in ("opencontact", "one-contact-center")]
    assert not any(report.findings for report in reports)
    return sum(report.events for report in reports)


async def ask(services: Services, sample: Sample) -> Decision:
    controller = await services.controller(sample.controller)
    return await controller.decisions.decide(sample.question, services.clock())


async def answers(services: Services, made: DemoList) -> Sequence[tuple[WrittenRow, str]]:
    """Each row with what is made of the cells that the standard reader finds in it."""
    controller = await services.controller(made.controller)
    header, *records = csv.reader(io.StringIO(made.content.decode(made.encoding), newline=""), delimiter=made.delimiter)
    names = [name.strip() for name in header]
    address = next(at for at, name in enumerate(names) if name.casefold() == made.address_column.casefold())
    stated = next(at for at, name in enumerate(names) if name.casefold() == made.class_column.casefold())
    reasons = ["ragged_row"] * len(records)
    asked = [at for at, record in enumerate(records) if len(record) == len(header)]
    questions = [
        Question(
            records[at][address], made.purpose, made.channel, address_class=read_address_class(records[at][stated])
        )
        for at in asked
    ]
    decided = await decide_all(controller, questions, services.clock())
    for at, question, decision in zip(asked, questions, decided, strict=True):
        reasons[at] = decision.reason.value if question.address.strip() else "empty_address"
    return list(zip(made.rows, reasons, strict=True))


async def decide_all(controller: ControllerServices, questions: list[Question], now_ms: int) -> list[Decision]:
    decided: list[Decision] = []
    for start in range(0, len(questions), BATCH_ROWS):
        decided += await controller.decisions.decide_many(questions[start : start + BATCH_ROWS], now_ms)
    return decided


@pytest.mark.parametrize("file_name", ["campaign.csv", "alumni.csv"])
def test_every_row_gets_the_answer_that_is_expected_of_it(played: Played, file_name: str) -> None:
    wrong = [
        (row.defect, row.fate, str(row.expected), reason)
        for row, reason in played.answers[file_name]
        if row.expected != reason
    ]
    assert wrong == []


@pytest.mark.parametrize("file_name", ["campaign.csv", "alumni.csv"])
def test_nobody_who_is_kept_has_refused(played: Played, file_name: str) -> None:
    """Told from the fates alone: whoever opted out, complained or was erased is in no kept row."""
    must_not_be_kept = {
        Fate.OPTED_OUT,
        Fate.OPTED_OUT_AS_ALIAS,
        Fate.OPTED_OUT_LONG_AGO,
        Fate.OPTED_OUT_OF_PURPOSE,
        Fate.CONSENT_WITHDRAWN,
        Fate.CONSENT_ARRIVED_LATE,
        Fate.COMPLAINED,
        Fate.ERASED,
        Fate.WHOLE_DOMAIN,
        Fate.MINOR,
        Fate.LEGAL,
        Fate.RESTRICTED,
    }
    kept = [row for row, reason in played.answers[file_name] if reason == Reason.PERMITTED]
    assert len(kept) > 300
    assert [row.fate for row in kept if row.fate in must_not_be_kept] == []


def test_acts_of_every_kind_are_played(played: Played) -> None:
    assert played.story.acts == ACTS
    assert played.story.total == sum(ACTS.values())


def test_every_act_that_is_counted_is_one_event_of_the_ledger(played: Played) -> None:
    assert played.events == played.story.total


def test_the_registry_names_strangers_besides_the_people_of_the_lists(played: Played) -> None:
    named = sum(
        share.of_campaign + share.of_alumni
        for fate, share in SHARES.items()
        if fate in {Fate.ON_REGISTRY, Fate.ON_REGISTRY_WITH_CONSENT}
    )
    assert played.story.acts["registry rows"] == named + 2 * STRANGERS_ON_REGISTRY


def test_imports_and_consents_of_a_second_run_change_nothing(played: Played) -> None:
    for kind in ("imported opt-outs", "imported consents", "registry rows"):
        assert played.again.acts[kind] == 0


def test_the_sample_questions_get_the_answers_that_they_are_there_to_show(played: Played) -> None:
    assert [(said.reason, said.basis, said.clause) for _, said in played.samples] == SAMPLE_ANSWERS


def test_the_sample_questions_are_about_people_on_the_lists(played: Played) -> None:
    mailboxes = {mailbox(person.address) for person in (*campaign_people(), *alumni_people())}
    assert {mailbox(sample.question.address) for sample, _ in played.samples} <= mailboxes


def test_what_a_sample_shows_names_no_address(played: Played) -> None:
    assert not any("@" in sample.shows for sample, _ in played.samples)


def test_the_alias_under_which_somebody_opts_out_is_the_same_mailbox() -> None:
    spelt = as_alias("pat.doe.madeup1@gmail.com")
    assert spelt == "P.A.T.D.O.E.M.A.D.E.U.P.1+news@googlemail.com"
    assert mailbox(spelt) == mailbox("pat.doe.madeup1@gmail.com")


@pytest.mark.parametrize("people", [campaign_people(), alumni_people()], ids=["campaign", "alumni"])
def test_every_fate_is_somebodys(people: tuple[Person, ...]) -> None:
    assert {person.fate for person in people} == set(Fate)


def test_an_act_that_the_services_refuse_ends_the_story(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        asyncio.run(play_at_another_controller(tmp_path / "home"))


async def play_at_another_controller(home: Path) -> None:
    """A controller without the purposes of the lists, to which nobody can consent to them."""
    settings = read_settings({}, home)
    await init_home(settings, ROOT / "fixtures" / "policies")
    async with open_services(settings) as services:
        openscape = await services.controller("openscape")
        await play(openscape, openscape, services.clock())


def mailbox(text: str) -> str:
    return parse(text, AddressKind.EMAIL, country="GB").current.mailbox
