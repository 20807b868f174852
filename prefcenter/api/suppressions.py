"""Who is suppressed, as a Relay connection. Digests, never addresses."""

from __future__ import annotations

import strawberry

from prefcenter.api.authorisation import Guard, services_of
from prefcenter.api.cells import Scope, shown_scope
from prefcenter.api.context import RequestContext
from prefcenter.api.moments import DateTime
from prefcenter.api.pages import PageInfo, page_size
from prefcenter.domain import events
from prefcenter.domain.terms import RefusalReason
from prefcenter.services import suppressions as service
from prefcenter.services.callers import CallerScope


@strawberry.type(description="A standing no.")
class Refusal:
    reason: RefusalReason = strawberry.field(description="Why.")
    scope: Scope = strawberry.field(description="What it covers.")
    source: str = strawberry.field(description="Where it came from: a short slug, such as `unsubscribe-link`.")
    at: DateTime = strawberry.field(description="When it happened; for an import, the time that its row states.")


@strawberry.type(description="What is refused under one digest, such as that of a mailbox, a number or a domain.")
class Suppression:
    subject_id: strawberry.ID = strawberry.field(description="The digest, as `subjectIds` gives it.")
    kind: str = strawberry.field(
        description="What the digest is of: `mailbox`, `phone`, `post`, `push`, `domain` or a hash such as `sha256`."
    )
    refusals: list[Refusal] = strawberry.field(description="Every refusal that stands, the oldest first.")
    paused_until: DateTime | None = strawberry.field(description="Until when the person asked for quiet, if they did.")


@strawberry.type(description="A suppression in its list.")
class SuppressionEdge:
    cursor: str = strawberry.field(description="Its place, to go on after.")
    entry: strawberry.Private[Suppression]

    @strawberry.field(description="The suppression.", extensions=[Guard(CallerScope.READ)])
    def node(self) -> Suppression:
        return self.entry


@strawberry.type(description="A part of the list of suppressions, oldest first.")
class SuppressionConnection:
    page_info: PageInfo = strawberry.field(description="Whether there is more, and where.")
    entries: strawberry.Private[list[SuppressionEdge]]

    @strawberry.field(description="The suppressions of this part.", extensions=[Guard(CallerScope.READ)])
    def edges(self) -> list[SuppressionEdge]:
        return self.entries


async def suppression_page(
    context: RequestContext, controller: str, first: int, after: str | None
) -> SuppressionConnection:
    """One part of the list. Raises InvalidInput for a cursor that is not ours."""
    services = await services_of(context, controller)
    page = await services.suppressions.page(after, page_size(first))
    edges = [SuppressionEdge(cursor=entry.cursor, entry=_shown(entry)) for entry in page.entries]
    info = PageInfo(
        has_next_page=page.has_more,
        has_previous_page=after is not None,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=page.end_cursor,
    )
    return SuppressionConnection(page_info=info, entries=edges)


def _shown(entry: service.Suppression) -> Suppression:
    return Suppression(
        subject_id=strawberry.ID(entry.subject_id),
        kind=entry.kind.name.lower(),
        refusals=[_refusal(refusal) for refusal in entry.refusals],
        paused_until=None if entry.paused_until_ms is None else DateTime(entry.paused_until_ms),
    )


def _refusal(refusal: events.Refusal) -> Refusal:
    return Refusal(
        reason=refusal.reason,
        scope=shown_scope(refusal.scope),
        source=refusal.source,
        at=DateTime(refusal.at.time_ms),
    )
