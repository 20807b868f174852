"""The sentence beside a decision, in the caller's language: English of the domain, the others from files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from prefcenter.api.terms import Reason
from prefcenter.domain.decision import Decision
from prefcenter.domain.explanation import explain

DEFAULT_LANGUAGE = "en"
LANGUAGES = (DEFAULT_LANGUAGE, "de", "fr", "es", "cy", "ar")
_SUPPRESSED = "It may not be {act}: this address is suppressed."
"""What callers are told who may not know more; the sentence gives nothing away."""


def chosen_language(languages: Sequence[str]) -> str:
    """The first language that the caller reads and that we write; a region (`en-gb`) falls back to its language."""
    known = (tag for language in languages for tag in (language, language.partition("-")[0]) if tag in LANGUAGES)
    return next(known, DEFAULT_LANGUAGE)


def explained(decision: Decision, reason: Reason, language: str, *, of_data_use: bool) -> str:
    """The sentence for a decision that is shown with a reason, true or masked."""
    act = "done" if of_data_use else "sent"
    if language == DEFAULT_LANGUAGE:
        is_masked = reason is Reason.SUPPRESSED
        return _SUPPRESSED.format(act=act) if is_masked else explain(decision, of_data_use=of_data_use)
    sentences = _sentences(language)
    return _sentence(sentences, decision, reason).format(act=sentences["act"][act])


def _sentence(sentences: Mapping[str, Any], decision: Decision, reason: Reason) -> str:
    if reason is Reason.SUPPRESSED:
        return str(sentences["suppressed"])
    if decision.basis is not None:
        return str(sentences["permitted"][decision.basis.value])
    return str(sentences["refused"][decision.reason.value])


@cache
def _sentences(language: str) -> Mapping[str, Any]:
    return tomllib.loads(files("prefcenter.api").joinpath("sentences", f"{language}.toml").read_text(encoding="utf-8"))
