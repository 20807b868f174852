"""`prefcenter opt-out`, `consent`, `suppress` and `lift`: single acts, on disk when the command returns."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import click

from prefcenter.bootstrap import open_services
from prefcenter.cli.options import (
    TimeType,
    address_argument,
    at_option,
    channel_option,
    class_option,
    controller_option,
    data_use_option,
    purpose_option,
    reason_option,
)
from prefcenter.cli.program import EXIT_DONE, EXIT_NO
from prefcenter.domain.address import mask
from prefcenter.domain.events import Cell, Scope
from prefcenter.domain.terms import Channel, PurposeClass, RefusalReason
from prefcenter.services.acts import Outcome
from prefcenter.services.admission import Consent
from prefcenter.services.recording import Recording
from prefcenter.settings import Settings

OPERATOR = "command-line"
"""The source of acts that an operator records here, who thereby attests them."""


def _act(settings: Settings, controller: str, act: Callable[[Recording], Awaitable[Outcome]]) -> Outcome:
    async def run() -> Outcome:
        async with open_services(settings) as services:
            return await act((await services.controller(controller)).recording)

    return asyncio.run(run())


def _say(outcome: Outcome, address: str, what: str) -> int:
    is_new = outcome is Outcome.RECORDED
    click.echo(f"{mask(address)}  {what}" if is_new else f"{mask(address)}  already on record, nothing changed")
    return EXIT_DONE


@click.command("opt-out")
@address_argument
@controller_option
@purpose_option(purpose_help="Only this kind of message.")
@channel_option(channel_help="Only this channel; a phone number without it is out of sms and voice.")
@class_option("Only purposes of this class.")
@data_use_option()
@at_option(end_of_day=True, at_help="When the person said so, if earlier than now.")
@click.pass_obj
def opt_out(
    settings: Settings,
    address: str,
    controller: str,
    purpose: str | None,
    channel: Channel | None,
    purpose_class: PurposeClass | None,
    data_use: str | None,
    at_ms: int | None,
) -> int:
    """Record that the person behind ADDRESS wants no more. Bare: of everything but administrative messages.

    \b
    Example:
      prefcenter opt-out pat@acme.example --controller opencontact

    It binds every alias of the mailbox, at once, until the person consents anew.
    """
    if sum(narrowed is not None for narrowed in (purpose, purpose_class, data_use)) > 1:
        raise click.UsageError("Name one of --purpose, --class and --data-use.")
    scope = Scope(purpose, purpose_class, None if data_use else channel, data_use)
    outcome = _act(settings, controller, lambda recording: recording.opt_out(address, scope, OPERATOR, at_ms, channel))
    return _say(outcome, address, f"opted out of {_in_words(scope)}")


@click.command(short_help="Record that ADDRESS consented to one purpose or data use.")
@address_argument
@controller_option
@purpose_option(purpose_help="The kind of message consented to.")
@channel_option()
@data_use_option()
@click.option("--wording", required=True, metavar="ID", help="What the person was shown: an id, may end in @version.")
@click.option("--method", required=True, metavar="SLUG", help="How they said yes: form, double-opt-in, phone.")
@at_option(end_of_day=False, at_help="When they said yes, if earlier than now.")
@click.option("--expires", "expires_ms", type=TimeType(end_of_day=False), metavar="TIME", help="When it ends.")
@click.pass_obj
def consent(
    settings: Settings,
    address: str,
    controller: str,
    purpose: str | None,
    channel: Channel | None,
    data_use: str | None,
    wording: str,
    method: str,
    at_ms: int | None,
    expires_ms: int | None,
) -> int:
    """Record that ADDRESS consented to one purpose on one channel, or to one data use.

    \b
    Example:
      prefcenter consent pat@gmail.com --controller opencontact \\
          --purpose client-marketing --channel email \\
          --wording newsletter-form@3 --method form

    It counts for exactly this address. Whoever runs this attests that the person said so.
    """
    if data_use is None and (purpose is None or channel is None):
        raise click.UsageError("Name --purpose and --channel, or --data-use.")
    if data_use is not None and purpose is not None:
        raise click.UsageError("--data-use does not go with --purpose.")
    cell = Cell(purpose, None if data_use else channel, data_use)
    given = Consent(cell, wording, method, OPERATOR, at_ms, expires_ms)
    outcome = _act(settings, controller, lambda recording: recording.record_consent(address, given, channel))
    return _say(outcome, address, f"consented to {data_use or f'{purpose} by {channel}'}")


@click.command()
@address_argument
@controller_option
@reason_option(required=True, reason_help=f"Why: {', '.join(RefusalReason)}.")
@click.option("--source", required=True, metavar="SLUG", help="Where it comes from: a short slug, never free text.")
@purpose_option(purpose_help="Only this kind of message.")
@channel_option(channel_help="Only this channel.")
@click.option("--permanent", is_flag=True, help="With bounced: unknown for good, so its consents end too.")
@at_option(end_of_day=True, at_help="When it happened, if earlier than now.")
@click.pass_obj
def suppress(
    settings: Settings,
    address: str,
    controller: str,
    reason: RefusalReason,
    source: str,
    purpose: str | None,
    channel: Channel | None,
    permanent: bool,
    at_ms: int | None,
) -> int:
    """Suppress ADDRESS, or a whole domain given as @acme.example.

    \b
    Example:
      prefcenter suppress pat@acme.example --controller opencontact \\
          --reason bounced --source smtp-relay

    `erased` drops all but one keyed refusal and cannot be undone.
    """
    if permanent:
        if reason is not RefusalReason.BOUNCED or purpose is not None or at_ms is not None:
            raise click.UsageError("--permanent goes with --reason bounced alone.")
        outcome = _act(settings, controller, lambda recording: recording.bounce_permanently(address, channel, source))
        return _say(outcome, address, "suppressed: bounced for good")
    scope = Scope(purpose=purpose, channel=channel)
    outcome = _act(settings, controller, lambda recording: recording.suppress(address, reason, scope, source, at_ms))
    return _say(outcome, address, f"suppressed: {reason}")


@click.command(short_help="Lift refusals of one reason: an administrator's act.")
@address_argument
@controller_option
@reason_option(required=True, reason_help="Which refusals: bounced, manual, minor, restricted or legal.")
@click.option("--cause", required=True, metavar="SLUG", help="Why it is right to lift them; goes into the ledger.")
@purpose_option(purpose_help="Only refusals of this purpose.")
@channel_option(channel_help="Only refusals of this channel.")
@click.pass_obj
def lift(
    settings: Settings,
    address: str,
    controller: str,
    reason: RefusalReason,
    cause: str,
    purpose: str | None,
    channel: Channel | None,
) -> int:
    """Lift refusals of one reason, as an administrator's named act. Exit 1: no such refusal stands.

    \b
    Example:
      prefcenter lift pat@acme.example --controller opencontact \\
          --reason bounced --cause mailbox-works-again

    What a person refused (opted_out, complained, erased) only the person's own later consent sets aside.
    """
    outcome = _act(settings, controller, lambda recording: recording.lift(address, reason, cause, purpose, channel))
    is_lifted = outcome is Outcome.RECORDED
    click.echo(f"{mask(address)}  {'lifted' if is_lifted else 'no such refusal stands'}: {reason}")
    return EXIT_DONE if is_lifted else EXIT_NO


def _in_words(scope: Scope) -> str:
    what = scope.purpose or scope.data_use or (f"{scope.purpose_class} messages" if scope.purpose_class else "")
    by = f" by {scope.channel}" if scope.channel else ""
    return (what or "everything but administrative messages") + by
