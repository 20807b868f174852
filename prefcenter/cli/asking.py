"""`prefcenter check`: the one question, on the command line."""

from __future__ import annotations

import asyncio
import json

import click

from prefcenter.bootstrap import open_services, system_clock
from prefcenter.cli.options import (
    address_argument,
    address_class_option,
    at_option,
    channel_option,
    controller_option,
    data_use_option,
    json_option,
    purpose_option,
)
from prefcenter.cli.program import EXIT_DONE, EXIT_NO
from prefcenter.domain.decision import Decision, check_failed
from prefcenter.domain.errors import StoreError
from prefcenter.domain.explanation import explain
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.domain.time import format_time
from prefcenter.services.decisions import Question
from prefcenter.settings import Settings


@click.command()
@address_argument
@controller_option
@purpose_option()
@channel_option()
@data_use_option()
@address_class_option()
@click.option("--audience", metavar="WORD", help="The audience this person is addressed as, if the purpose names some.")
@at_option(end_of_day=False, at_help="Answer as of this time instead of now; refusals bind whenever they came.")
@json_option
@click.pass_obj
def check(
    settings: Settings,
    address: str,
    controller: str,
    purpose: str | None,
    channel: Channel | None,
    data_use: str | None,
    address_class: AddressClass | None,
    audience: str | None,
    at_ms: int | None,
    as_json: bool,
) -> int:
    """May this be sent to ADDRESS? Exit 0: yes; 1: no.

    \b
    Example:
      prefcenter check pat@acme.example --controller opencontact \\
          --purpose client-marketing --channel email --address-class business

    ADDRESS may be `-`: it is then read from standard input.
    """
    if (purpose is None) == (data_use is None):
        raise click.UsageError("Name either --purpose with --channel, or --data-use.")
    if purpose is not None and channel is None:
        raise click.UsageError("Missing option '--channel'.")
    question = Question(address, purpose, channel, data_use, address_class, audience)
    decision, fault = asyncio.run(_decide(settings, controller, question, at_ms))
    explanation = explain(decision, of_data_use=data_use is not None)
    click.echo(json.dumps(_as_json(decision, explanation)) if as_json else _as_text(decision, explanation))
    if fault is not None:
        raise fault
    return EXIT_DONE if decision.is_allowed else EXIT_NO


async def _decide(
    settings: Settings, controller: str, question: Question, at_ms: int | None
) -> tuple[Decision, StoreError | None]:
    now_ms = system_clock() if at_ms is None else at_ms
    try:
        async with open_services(settings) as services:
            deciding = await services.deciding(controller)
            return await deciding.decisions.decide(question, now_ms), None
    except StoreError as error:
        return check_failed("", now_ms), error


def _as_json(decision: Decision, explanation: str) -> dict[str, object]:
    """A decision as every JSON of ours writes it (DESIGN §6: Decision)."""
    return {
        "allowed": decision.is_allowed,
        "reason": decision.reason.value,
        "basis": decision.basis.value if decision.basis else None,
        "clause": decision.clause,
        "explanation": explanation,
        "policyVersion": decision.policy_version,
        "decidedAt": format_time(decision.decided_at_ms),
        "validUntil": format_time(decision.valid_until_ms),
    }


def _as_text(decision: Decision, explanation: str) -> str:
    """A decision for people: the answer, why, and for how long."""
    verdict = f"permitted  {decision.basis}" if decision.is_allowed else f"refused  {decision.reason}"
    clause = f"  (clause {decision.clause})" if decision.clause else ""
    return "\n".join(
        (
            verdict + clause,
            explanation,
            f"policy {decision.policy_version or 'unknown'}, decided {format_time(decision.decided_at_ms)},"
            f" valid until {format_time(decision.valid_until_ms)}",
        )
    )
