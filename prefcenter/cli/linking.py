"""`prefcenter link`: the links and headers of one message."""

from __future__ import annotations

import asyncio
import json

import click

from prefcenter.bootstrap import open_services
from prefcenter.cli.options import (
    address_argument,
    channel_option,
    controller_option,
    json_option,
    purpose_option,
)
from prefcenter.domain.terms import Channel
from prefcenter.services.links import MailLinks
from prefcenter.settings import Settings


@click.command(short_help="Make the unsubscribe and manage links of a message to ADDRESS.")
@address_argument
@controller_option
@purpose_option(required=True, purpose_help="The kind of message that the links go into.")
@channel_option(required=True)
@click.option("--campaign", metavar="ID", help="Your own name of what is sent.")
@json_option
@click.pass_obj
def link(
    settings: Settings,
    address: str,
    controller: str,
    purpose: str,
    channel: Channel,
    campaign: str | None,
    as_json: bool,
) -> None:
    """Make the unsubscribe and manage links of a message to ADDRESS, and the header fields that go with them.

    \b
    Example:
      prefcenter link pat@acme.example --controller opencontact \\
          --purpose client-marketing --channel email

    Links begin with PREFCENTER_BASE_URL and work for good. Whoever has one can refuse for this address.
    """

    async def run() -> MailLinks:
        async with open_services(settings, advances_checkpoint=False) as services:
            return (await services.controller(controller)).links.of_message(address, purpose, channel, campaign)

    made = asyncio.run(run())
    if as_json:
        urls = {"unsubscribeUrl": made.unsubscribe_url, "manageUrl": made.manage_url}
        click.echo(json.dumps({**urls, "headers": dict(made.headers)}))
        return
    click.echo(f"unsubscribe  {made.unsubscribe_url}")
    click.echo(f"manage       {made.manage_url}")
    for name, value in made.headers.items():
        click.echo(f"{name}: {value}")
