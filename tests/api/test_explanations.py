"""The sentence beside a decision is in the caller's language, and no no ever reads as a yes."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path

import pytest

from prefcenter.api import explanations
from prefcenter.api.explanations import LANGUAGES, chosen_language, explained
from prefcenter.api.terms import Reason as ShownReason
from prefcenter.domain.decision import Decision
from prefcenter.domain.terms import Basis, Reason
from prefcenter.web import translations
from tests.api.served_api import open_api, operation
from tests.factories import NOW

SENTENCES = Path(explanations.__file__).with_name("sentences")
OTHERS = LANGUAGES[1:]
YES = {"en": "It may be", "de": "Es darf", "fr": "Cela peut être", "es": "Se puede", "cy": "Gellir", "ar": "يجوز"}
NO = {
    "en": ("It may not be", "It is never"),
    "de": ("Es darf nicht", "Es darf jetzt nicht", "Es wird nie"),
    "fr": ("Cela ne peut pas", "Cela n’est jamais"),
    "es": ("No se puede", "No se hace nunca"),
    "cy": ("Ni cheir", "Ni wneir"),
    "ar": ("لا يجوز", "لا يُفعل"),
}
REFUSALS = [reason for reason in Reason if reason is not Reason.PERMITTED]


def a_decision(reason: Reason, basis: Basis | None = None) -> Decision:
    return Decision(reason, basis, None, "0123456789abcdef", NOW, NOW)


def sentence(reason: Reason, basis: Basis | None, language: str, *, of_data_use: bool = False) -> str:
    return explained(a_decision(reason, basis), ShownReason(reason.value), language, of_data_use=of_data_use)


def test_the_api_speaks_the_languages_of_the_pages() -> None:
    assert set(LANGUAGES) == set(translations.LANGUAGES)
    assert {file.stem for file in SENTENCES.glob("*.toml")} == set(OTHERS)


@pytest.mark.parametrize("language", OTHERS)
def test_every_answer_has_its_sentence_and_there_is_none_besides(language: str) -> None:
    found = tomllib.loads((SENTENCES / f"{language}.toml").read_text("utf-8"))
    assert sorted(found) == ["act", "permitted", "refused", "suppressed"]
    assert set(found["act"]) == {"sent", "done"}
    assert set(found["permitted"]) == set(Basis)
    assert set(found["refused"]) == set(REFUSALS)
    assert len({*found["permitted"].values(), *found["refused"].values()}) == len(Basis) + len(REFUSALS)


@pytest.mark.parametrize(("language", "of_data_use"), list(itertools.product(LANGUAGES, (False, True))))
def test_a_no_reads_as_a_no_and_a_yes_as_a_yes(language: str, of_data_use: bool) -> None:
    for reason in REFUSALS:
        text = sentence(reason, None, language, of_data_use=of_data_use)
        assert text.startswith(NO[language])
        assert text.endswith(".")
        assert "{" not in text
    for basis in Basis:
        text = sentence(Reason.PERMITTED, basis, language, of_data_use=of_data_use)
        assert text.startswith(YES[language])
        assert not text.startswith(NO[language])
    masked = explained(a_decision(Reason.MINOR), ShownReason.SUPPRESSED, language, of_data_use=of_data_use)
    assert masked.startswith(NO[language])
    assert masked != sentence(Reason.MINOR, None, language, of_data_use=of_data_use)


@pytest.mark.parametrize(
    ("reads", "language"),
    [(["fr-ca", "en"], "fr"), (["tlh", "cy"], "cy"), (["tlh"], "en"), ([], "en"), (["en-gb", "de"], "en")],
)
def test_the_first_language_that_is_written_here_is_chosen(reads: list[str], language: str) -> None:
    assert chosen_language(reads) == language


async def test_a_caller_is_answered_in_their_language(home: Path) -> None:
    asked = {"controller": "opencontact", "purpose": "client-marketing", "channel": "email"}
    async with open_api(home) as api:
        variables = {"input": {**asked, "address": "pat@home.example"}}
        answer = await api.run(operation("decision"), variables, languages=["de-at"])
    assert answer["data"]["decision"]["explanation"] == (
        "Es darf nicht gesendet werden: Es braucht die Einwilligung genau dieser Adresse, und es gibt keine."
    )
