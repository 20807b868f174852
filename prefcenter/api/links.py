"""Links for messages on the wire: what a marketing tool puts into each mail before it sends it."""

from __future__ import annotations

from collections.abc import Sequence

import strawberry

from prefcenter.api.authorisation import services_of
from prefcenter.api.context import RequestContext
from prefcenter.api.decisions import TooManyAddresses
from prefcenter.domain.terms import Channel
from prefcenter.services.links import MailLinks

LINKS_MAX = 1_000


@strawberry.input(description="One message of a purpose, and whom it goes to.")
class LinksInput:
    controller: str = strawberry.field(description="The controller: the id of its policy.")
    purpose: str = strawberry.field(description="The kind of message, which is not an administrative one.")
    channel: Channel = strawberry.field(description="How it is sent.")
    campaign: str | None = strawberry.field(
        default=None, description="Your own name of what is sent: 1 to 100 printable ASCII characters."
    )
    addresses: list[str] = strawberry.field(
        description="Up to 1,000 addresses in plaintext. They are digested on arrival and never stored."
    )


@strawberry.type(description="A header field of a message.")
class HeaderField:
    name: str = strawberry.field(description="Its name.")
    value: str = strawberry.field(description="Its value, as it stands in the message.")


@strawberry.type(description="What goes into the message to one address. The links work for good.")
class MessageLinks:
    unsubscribe_url: str = strawberry.field(
        description="Refuses with one click (RFC 8058), or with the button of its page."
    )
    manage_url: str = strawberry.field(description="The person's preference page.")
    headers: list[HeaderField] = strawberry.field(
        description="`List-Unsubscribe`, `List-Unsubscribe-Post` and `List-Id`, for mail; DKIM must cover them."
    )


async def message_links(context: RequestContext, wanted: LinksInput) -> list[MessageLinks | None]:
    """The links of each address, in their order. Raises TooManyAddresses before anything is computed."""
    if len(wanted.addresses) > LINKS_MAX:
        raise TooManyAddresses(f"addresses: {LINKS_MAX:,} at most; split the batch")
    services = await services_of(context, wanted.controller)
    made: Sequence[MailLinks | None] = services.links.of_messages(
        wanted.addresses, wanted.purpose, wanted.channel, wanted.campaign
    )
    return [None if links is None else _shown(links) for links in made]


def _shown(links: MailLinks) -> MessageLinks:
    return MessageLinks(
        unsubscribe_url=links.unsubscribe_url,
        manage_url=links.manage_url,
        headers=[HeaderField(name=name, value=value) for name, value in links.headers.items()],
    )
