"""Cells and scopes on the wire: what a consent is for, and what a refusal covers."""

from __future__ import annotations

import strawberry

from prefcenter.domain import events
from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.terms import Channel, PurposeClass


@strawberry.type(description="What a consent is for: one purpose on one channel, or one data use.")
class Cell:
    purpose: str | None = strawberry.field(description="The id of a purpose; null for a data use.")
    channel: Channel | None = strawberry.field(description="The channel of the purpose; null for a data use.")
    data_use: str | None = strawberry.field(description="The id of a data use; null for a purpose.")


@strawberry.type(description="What a refusal covers; a part that is null covers all of its kind.")
class Scope:
    purpose: str | None = strawberry.field(description="Messages of this purpose only.")
    purpose_class: PurposeClass | None = strawberry.field(description="Messages of this class only.")
    channel: Channel | None = strawberry.field(description="Messages on this channel only.")
    data_use: str | None = strawberry.field(description="This data use, and no messages.")


@strawberry.input(description="One purpose on one channel.")
class MessageCellInput:
    purpose: str = strawberry.field(description="The id of a purpose of the policy.")
    channel: Channel = strawberry.field(description="A channel that the purpose is offered on.")


@strawberry.input(
    one_of=True, description="What a choice is about: one purpose on one channel, or one data use. Name exactly one."
)
class CellInput:
    message: MessageCellInput | None = strawberry.field(
        default=strawberry.UNSET, description="Messages of a purpose on a channel."
    )
    data_use: str | None = strawberry.field(default=strawberry.UNSET, description="The id of a data use of the policy.")


@strawberry.input(
    description=(
        "What a refusal covers; what is left out covers all of its kind. Name at most one of `purpose`, `purposeClass`"
        " and `dataUse`."
    )
)
class ScopeInput:
    purpose: str | None = strawberry.field(default=None, description="Messages of this purpose only: its id.")
    purpose_class: PurposeClass | None = strawberry.field(default=None, description="Messages of this class only.")
    channel: Channel | None = strawberry.field(default=None, description="Messages on this channel only.")
    data_use: str | None = strawberry.field(
        default=None, description="This data use, and no messages: its id. It goes without a channel."
    )


def cell_of(wanted: CellInput) -> events.Cell:
    """The cell that an input names. Raises InvalidInput where it names none or both."""
    if wanted.message and not wanted.data_use:
        return events.Cell(wanted.message.purpose, wanted.message.channel)
    if wanted.data_use and not wanted.message:
        return events.Cell(None, None, wanted.data_use)
    raise InvalidInput("cell: name a message or a data use, exactly one of them")


def scope_of(wanted: ScopeInput | None) -> events.Scope:
    """The scope that an input names; none: everything, which leaves administrative messages alone."""
    if wanted is None:
        return events.EVERYTHING
    return events.Scope(wanted.purpose, wanted.purpose_class, wanted.channel, wanted.data_use)


def shown_cell(cell: events.Cell) -> Cell:
    return Cell(purpose=cell.purpose, channel=cell.channel, data_use=cell.data_use)


def shown_scope(scope: events.Scope) -> Scope:
    return Scope(
        purpose=scope.purpose, purpose_class=scope.purpose_class, channel=scope.channel, data_use=scope.data_use
    )
