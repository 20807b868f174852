"""What the change feed calls a tool's own addresses."""

from __future__ import annotations

from collections.abc import Sequence

import strawberry

from prefcenter.api.authorisation import services_of
from prefcenter.api.context import RequestContext
from prefcenter.api.decisions import TooManyAddresses
from prefcenter.domain.terms import Channel

SUBJECT_IDS_MAX = 1_000


@strawberry.type(description="The digests of one address.")
class SubjectIds:
    ids: list[strawberry.ID] = strawberry.field(
        description="What the feed may call it, the newest key first; empty where the text is not an address."
    )


async def find_subject_ids(
    context: RequestContext, controller: str, channel: Channel, addresses: Sequence[str]
) -> list[SubjectIds]:
    """The digests of each address, in their order. Raises TooManyAddresses before anything is computed."""
    if len(addresses) > SUBJECT_IDS_MAX:
        raise TooManyAddresses(f"addresses: {SUBJECT_IDS_MAX:,} at most; split the batch")
    services = await services_of(context, controller)
    found = services.feed.subject_ids(addresses, channel)
    return [SubjectIds(ids=[strawberry.ID(name) for name in names or ()]) for names in found]
