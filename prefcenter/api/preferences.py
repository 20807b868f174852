"""What one address chose, cell by cell: what a preference page shows."""

from __future__ import annotations

import strawberry

from prefcenter.api.authorisation import services_of
from prefcenter.api.callers import address_of, channel_of, controller_of
from prefcenter.api.cells import Cell, shown_cell
from prefcenter.api.context import RequestContext
from prefcenter.api.decisions import Decision, Shown
from prefcenter.api.moments import DateTime
from prefcenter.domain.errors import ActRefused, InvalidInput
from prefcenter.domain.terms import Channel
from prefcenter.services import preferences as service
from prefcenter.services.controller import ControllerServices
from prefcenter.services.feed import subject_id


@strawberry.input(
    description=(
        "Whose preferences. A signed-in person leaves out controller, address and channel; who came by a link names the"
        " address where no contact is on file, and sees what the link shows."
    )
)
class PreferencesInput:
    controller: str | None = strawberry.field(default=None, description="The controller: the id of its policy.")
    address: str | None = strawberry.field(
        default=None, description="The address in plaintext. It is digested on arrival and never stored."
    )
    channel: Channel | None = strawberry.field(default=None, description="A channel that the address is reached on.")
    audiences: list[str] = strawberry.field(
        default_factory=list, description="Only purposes and data uses for one of these audiences; none: all."
    )


@strawberry.type(description="One choice: what it is about, and what holds now.")
class Preference:
    cell: Cell = strawberry.field(description="What the choice is about.")
    label: str = strawberry.field(description="What people are shown.")
    decision: Decision = strawberry.field(description="What holds now, and why.")
    is_pending: bool = strawberry.field(description="Whether a consent waits for the person to confirm it.")
    expires_at: DateTime | None = strawberry.field(description="When the consent that holds ends, where it does.")


@strawberry.type(description="Everything that one address can choose at one controller.")
class PreferenceSheet:
    masked_address: str = strawberry.field(description="The address, masked so that its owner recognises it.")
    subject_id: strawberry.ID = strawberry.field(description="Its digest, as the change feed speaks of it.")
    messages: list[Preference] = strawberry.field(description="Messages, a row for each purpose and channel.")
    data_uses: list[Preference] = strawberry.field(description="Uses of data that are not messages.")
    paused_until: DateTime | None = strawberry.field(description="Until when the person asked for quiet, if they did.")


async def preference_sheet(context: RequestContext, wanted: PreferencesInput | None) -> PreferenceSheet:
    """The preferences of the address that is named, or of the signed-in person. Raises InvalidInput, ActRefused."""
    wanted = wanted or PreferencesInput()
    services = await services_of(context, controller_of(context, wanted.controller))
    channel = channel_of(context.caller, wanted.channel)
    if channel is None:
        raise InvalidInput("channel: name one that the address is reached on")
    sheet = await _sheet(context, services, wanted, channel)
    messages, data_uses = Shown(context), Shown(context, of_data_use=True)
    return PreferenceSheet(
        masked_address=sheet.masked,
        subject_id=strawberry.ID(subject_id(sheet.subject)),
        messages=[_preference(row, messages) for row in sheet.rows],
        data_uses=[_preference(row, data_uses) for row in sheet.data_uses],
        paused_until=None if sheet.paused_until_ms is None else DateTime(sheet.paused_until_ms),
    )


async def _sheet(
    context: RequestContext, services: ControllerServices, wanted: PreferencesInput, channel: Channel
) -> service.PreferenceSheet:
    now_ms, link = context.home.clock(), context.caller.link
    if link is None:
        address = address_of(context.caller, services, wanted.address)
        return await services.preferences.of(address, channel, now_ms, tuple(wanted.audiences))
    if wanted.audiences:
        raise ActRefused("audiences: a link says itself whose choices it shows")
    return await services.visits.sheet(await services.visits.of_link(link, wanted.address), now_ms)


def _preference(row: service.PreferenceRow, shown: Shown) -> Preference:
    return Preference(
        cell=shown_cell(row.cell),
        label=row.label,
        decision=shown.decision(row.decision),
        is_pending=row.is_pending,
        expires_at=None if row.expires_ms is None else DateTime(row.expires_ms),
    )
