"""Every answer that a decision can give has a sentence of its own."""

from __future__ import annotations

import pytest

from prefcenter.domain.decision import Decision
from prefcenter.domain.explanation import explain
from prefcenter.domain.terms import Basis, Reason, RefusalReason
from tests.factories import NOW

REFUSALS = [reason for reason in Reason if reason is not Reason.PERMITTED]


def a_decision(reason: Reason, basis: Basis | None = None) -> Decision:
    return Decision(reason, basis, None, "0123456789abcdef", NOW, NOW)


@pytest.mark.parametrize("basis", Basis)
def test_a_permission_is_explained_by_its_basis(basis: Basis) -> None:
    assert explain(a_decision(Reason.PERMITTED, basis)).startswith("It may be sent")


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_refusal_never_reads_as_a_permission(reason: Reason) -> None:
    assert explain(a_decision(reason)).startswith(("It may not be sent", "It is never done"))


@pytest.mark.parametrize("reason", RefusalReason)
def test_every_reason_on_record_is_explained(reason: RefusalReason) -> None:
    assert explain(a_decision(Reason(reason.value)))


def test_no_two_answers_share_a_sentence() -> None:
    answers = [a_decision(Reason.PERMITTED, basis) for basis in Basis] + [a_decision(reason) for reason in REFUSALS]
    assert len({explain(answer) for answer in answers}) == len(answers)


@pytest.mark.parametrize("reason", REFUSALS)
def test_an_explanation_is_a_sentence_or_two(reason: Reason) -> None:
    sentence = explain(a_decision(reason))
    assert sentence.endswith(".")
    assert sentence.isprintable()


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_data_use_is_done_and_not_sent(reason: Reason) -> None:
    sentence = explain(a_decision(reason), of_data_use=True)
    assert sentence.startswith(("It may not be done", "It is never done"))
