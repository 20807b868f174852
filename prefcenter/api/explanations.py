"""The sentence beside a decision, in the caller's language, from a table that other languages can join."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from prefcenter.api.terms import Reason
from prefcenter.domain.decision import Decision
from prefcenter.domain.explanation import explain

Explain = Callable[[Decision, bool], str]
"""Writes the sentence for a decision; true: it is about a use of data and not a message."""

DEFAULT_LANGUAGE = "en"
_SUPPRESSED = {
    False: "It may not be sent: this address is suppressed.",
    True: "It may not be done: this address is suppressed.",
}


def _english(decision: Decision, of_data_use: bool) -> str:
    return explain(decision, of_data_use=of_data_use)


EXPLAINERS: Mapping[str, Explain] = {DEFAULT_LANGUAGE: _english}
SUPPRESSED: Mapping[str, Mapping[bool, str]] = {DEFAULT_LANGUAGE: _SUPPRESSED}
"""What callers are told who may not know more; the sentence gives nothing away."""


def chosen_language(languages: Sequence[str]) -> str:
    """The first language that the caller reads and that we write; a region (`en-gb`) falls back to its language."""
    known = (tag for language in languages for tag in (language, language.partition("-")[0]) if tag in EXPLAINERS)
    return next(known, DEFAULT_LANGUAGE)


def explained(decision: Decision, reason: Reason, language: str, *, of_data_use: bool) -> str:
    """The sentence for a decision that is shown with a reason, true or masked."""
    if reason is Reason.SUPPRESSED:
        return SUPPRESSED[language][of_data_use]
    return EXPLAINERS[language](decision, of_data_use)
