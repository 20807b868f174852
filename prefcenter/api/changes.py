"""The change feed: what happened, in order and without gaps, as a Relay connection and as a subscription."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

import strawberry

from prefcenter.api.authorisation import Forbidden, Guard, services_of
from prefcenter.api.cells import Cell, Scope, shown_cell, shown_scope
from prefcenter.api.context import RequestContext
from prefcenter.api.moments import DateTime
from prefcenter.api.pages import PAGE_DEFAULT, PageInfo, page_size
from prefcenter.api.terms import ChangeKind
from prefcenter.domain import events
from prefcenter.domain.terms import AddressClass, Channel, RefusalReason
from prefcenter.services.callers import CallerScope
from prefcenter.services.feed import FeedEvent, FeedPage

POLL_SECONDS = 0.25
"""How often a subscription that has caught up looks whether anything was written; it costs one number."""


@strawberry.type(description="Something that happened to a record. Which details there are depends on its kind.")
class Change:
    kind: ChangeKind = strawberry.field(description="What happened.")
    subject_id: strawberry.ID = strawberry.field(description="Whose record: the digest, as `subjectIds` gives it.")
    contact_id: strawberry.ID | None = strawberry.field(
        description="The CRM's own id, where the record is that of a contact."
    )
    version: int = strawberry.field(description="The version of the record that this made; the first is 1.")
    at: DateTime | None = strawberry.field(description="When it reached us; null for `withheld`.")
    stated_at: DateTime | None = strawberry.field(description="When it happened, where somebody said so.")
    reason: RefusalReason | None = strawberry.field(description="Of a refusal, or of what was lifted.")
    scope: Scope | None = strawberry.field(description="What a refusal covers, or a replaced registry speaks of.")
    cell: Cell | None = strawberry.field(description="What a consent is for.")
    channel: Channel | None = strawberry.field(description="Of a delivery, or what a lifting is limited to.")
    purpose: str | None = strawberry.field(description="The purpose that a lifting is limited to.")
    source: str | None = strawberry.field(description="Where it came from, or the cause of a lifting: a short slug.")
    wording: str | None = strawberry.field(description="The wording that was consented to, with its version.")
    method: str | None = strawberry.field(description="How a consent was given.")
    actor: str | None = strawberry.field(description="Who gave or reported a consent.")
    expires_at: DateTime | None = strawberry.field(description="When a consent ends, where it does.")
    paused_until: DateTime | None = strawberry.field(description="Until when; null for `paused`: the pause is over.")
    address_class: AddressClass | None = strawberry.field(description="What a contact says of an address it holds.")
    audiences: list[str] | None = strawberry.field(description="What a contact belongs to.")
    attested_by: str | None = strawberry.field(description="Who answers for a contact having been informed (OCC-20).")


@strawberry.type(description="A change in its feed.")
class ChangeEdge:
    cursor: str = strawberry.field(description="Its place, to go on after.")
    entry: strawberry.Private[Change]

    @strawberry.field(description="The change.", extensions=[Guard(CallerScope.READ)])
    def node(self) -> Change:
        return self.entry


@strawberry.type(description="A part of the change feed: in the order of each record, and nothing left out.")
class ChangeConnection:
    page_info: PageInfo = strawberry.field(description="Whether there is more, and where.")
    entries: strawberry.Private[list[ChangeEdge]]

    @strawberry.field(description="The changes of this part.", extensions=[Guard(CallerScope.READ)])
    def edges(self) -> list[ChangeEdge]:
        return self.entries


async def change_page(context: RequestContext, controller: str, first: int, after: str | None) -> ChangeConnection:
    """One part of the feed; `endCursor` is where to go on even where it is empty. Raises InvalidInput for a cursor
    that is not ours."""
    services = await services_of(context, controller)
    page = await services.feed.page(after, page_size(first))
    edges = _edges(page)
    info = PageInfo(
        has_next_page=page.has_more,
        has_previous_page=after is not None,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=page.end_cursor,
    )
    return ChangeConnection(page_info=info, entries=edges)


async def follow_changes(
    context: RequestContext, controller: str, after: str | None
) -> AsyncGenerator[ChangeEdge, None]:
    """Every change after a cursor, and then each as it happens. Ends with Forbidden when the caller's rights end."""
    seen: int | None = None
    while True:
        marker = await context.home.marker()
        if marker == seen:
            await asyncio.sleep(POLL_SECONDS)
            continue
        seen = marker
        has_more = True
        while has_more:
            if not await context.is_still_authorised():
                raise Forbidden
            page = await (await services_of(context, controller)).feed.page(after, PAGE_DEFAULT)
            after, has_more = page.end_cursor, page.has_more
            for edge in _edges(page):
                yield edge


def change_kinds() -> Mapping[type, ChangeKind]:
    """What each kind of event is called."""
    return {event: kind for event, (kind, _) in _KINDS.items()}


def _edges(page: FeedPage) -> list[ChangeEdge]:
    return [ChangeEdge(cursor=event.cursor, entry=_change(event)) for event in page.events]


Details = Mapping[str, Any]


def _change(event: FeedEvent) -> Change:
    kind, details = (ChangeKind.WITHHELD, {}) if event.event is None else _details(event.event)
    return Change(
        **{
            **NO_DETAILS,
            **details,
            "kind": kind,
            "subject_id": strawberry.ID(event.subject_id),
            "contact_id": None if event.contact_id is None else strawberry.ID(event.contact_id),
            "version": event.version,
        }
    )


def _details(event: events.Event) -> tuple[ChangeKind, Details]:
    kind, details_of = _KINDS[type(event)]
    return kind, {"at": DateTime(event.received_ms), **details_of(event)}


def _time(time_ms: int | None) -> DateTime | None:
    return None if time_ms is None else DateTime(time_ms)


def _refused(event: events.Refused) -> Details:
    return {
        "stated_at": _time(event.stated_ms),
        "reason": event.reason,
        "scope": shown_scope(event.scope),
        "source": event.source,
    }


def _annulled(_: events.Annulled) -> Details:
    return {"reason": RefusalReason.OPTED_OUT}


def _granted(event: events.Granted | events.Proposed) -> Details:
    return {
        "stated_at": _time(event.stated_ms),
        "cell": shown_cell(event.cell),
        "wording": event.wording,
        "method": event.method,
        "actor": event.actor,
        "expires_at": _time(event.expires_ms),
    }


def _lifted(event: events.Lifted) -> Details:
    return {"reason": event.reason, "source": event.cause, "purpose": event.purpose, "channel": event.channel}


def _delivered(event: events.Delivered) -> Details:
    return {"channel": event.channel, "source": event.source}


def _delisted(event: events.Delisted) -> Details:
    return {
        "stated_at": _time(event.stated_ms),
        "reason": RefusalReason.ON_REGISTRY,
        "scope": shown_scope(event.scope),
        "source": event.registry,
    }


def _paused(event: events.Paused) -> Details:
    return {"paused_until": _time(event.until_ms)}


def _held(event: events.Held) -> Details:
    return {"address_class": event.address_class}


def _released(_: events.Released) -> Details:
    return {}


def _described(event: events.Described) -> Details:
    return {"audiences": list(event.audiences), "source": event.source, "attested_by": event.attested_by}


def _erased(event: events.Erased) -> Details:
    return {"reason": RefusalReason.ERASED, "scope": shown_scope(events.EVERYTHING), "source": event.source}


_KINDS: Mapping[type, tuple[ChangeKind, Callable[[Any], Details]]] = {
    events.Refused: (ChangeKind.REFUSED, _refused),
    events.Annulled: (ChangeKind.ANNULLED, _annulled),
    events.Granted: (ChangeKind.GRANTED, _granted),
    events.Proposed: (ChangeKind.PROPOSED, _granted),
    events.Lifted: (ChangeKind.LIFTED, _lifted),
    events.Delivered: (ChangeKind.DELIVERED, _delivered),
    events.Delisted: (ChangeKind.DELISTED, _delisted),
    events.Paused: (ChangeKind.PAUSED, _paused),
    events.Held: (ChangeKind.HELD, _held),
    events.Released: (ChangeKind.RELEASED, _released),
    events.Described: (ChangeKind.DESCRIBED, _described),
    events.Erased: (ChangeKind.ERASED, _erased),
}
"""Every kind of event; a new one fails loudly in the tests."""

NO_DETAILS: Details = dict.fromkeys(
    (
        "at stated_at reason scope cell channel purpose source wording method actor expires_at paused_until"
        " address_class audiences attested_by"
    ).split()
)
