"""The fields of Query."""

from __future__ import annotations

from typing import Annotated

import strawberry

from prefcenter.api.authorisation import Guard, services_of
from prefcenter.api.changes import ChangeConnection, change_page
from prefcenter.api.contacts import Contact, find_contact
from prefcenter.api.context import Info
from prefcenter.api.decisions import (
    DataUseInput,
    Decision,
    DecisionColumns,
    DecisionInput,
    DecisionsInput,
    decide_columns,
    decide_data_use,
    decide_message,
    decide_messages,
)
from prefcenter.api.links import LinksInput, MessageLinks, message_links
from prefcenter.api.pages import PAGE_DEFAULT
from prefcenter.api.policies import Policy, shown_policy
from prefcenter.api.preferences import PreferenceSheet, PreferencesInput, preference_sheet
from prefcenter.api.subjects import SubjectIds, find_subject_ids
from prefcenter.api.suppressions import SuppressionConnection, suppression_page
from prefcenter.domain.terms import Channel
from prefcenter.services.callers import CallerScope

Controller = Annotated[str, strawberry.argument(description="The controller: the id of its policy.")]
After = Annotated[
    str | None, strawberry.argument(description="Go on after this place: a cursor that an earlier answer gave.")
]
First = Annotated[int, strawberry.argument(description="How many at most, 1 to 500.")]

DECIDES = Guard(CallerScope.DECIDE)
READS = Guard(CallerScope.READ)


@strawberry.type(description="What can be asked.")
class Query:
    @strawberry.field(
        description=(
            "May this message be sent to this address, now? Where there is no answer, such as when the store is down,"
            " the answer is no: `check_failed`."
        ),
        extensions=[DECIDES],
    )
    async def decision(
        self,
        info: Info,
        input: Annotated[DecisionInput, strawberry.argument(description="The question.")],
    ) -> Decision:
        return await decide_message(info.context, input)

    @strawberry.field(
        description="The same about up to 1,000 addresses; the answers stand in their order.", extensions=[DECIDES]
    )
    async def decisions(
        self,
        info: Info,
        input: Annotated[DecisionsInput, strawberry.argument(description="The question.")],
    ) -> list[Decision]:
        return await decide_messages(info.context, input)

    @strawberry.field(
        description="The same about up to 10,000 addresses, as columns in their order: the fast form.",
        extensions=[DECIDES],
    )
    async def decision_columns(
        self,
        info: Info,
        input: Annotated[DecisionsInput, strawberry.argument(description="The question.")],
    ) -> DecisionColumns:
        return await decide_columns(info.context, input)

    @strawberry.field(description="May this person's data be used in this way, now?", extensions=[DECIDES])
    async def data_use(
        self,
        info: Info,
        input: Annotated[DataUseInput, strawberry.argument(description="The question.")],
    ) -> Decision:
        return await decide_data_use(info.context, input)

    @strawberry.field(
        description="What a controller promised, as it is in force.",
        extensions=[Guard(*CallerScope, or_person=True)],
    )
    async def policy(self, info: Info, controller: Controller) -> Policy:
        return shown_policy((await services_of(info.context, controller)).policy)

    @strawberry.field(
        description="Everything that one address can choose, and what holds now.",
        extensions=[Guard(CallerScope.READ, or_person=True)],
    )
    async def preferences(
        self,
        info: Info,
        input: Annotated[
            PreferencesInput | None,
            strawberry.argument(description="Whose; a signed-in person may leave it out and sees their own."),
        ] = None,
    ) -> PreferenceSheet:
        return await preference_sheet(info.context, input)

    @strawberry.field(
        description=(
            "Unsubscribe and manage links for one message to up to 1,000 addresses; the answers stand in their order,"
            " null for text that is no address."
        ),
        extensions=[Guard(CallerScope.RECORD)],
    )
    async def links(
        self,
        info: Info,
        input: Annotated[LinksInput, strawberry.argument(description="The message.")],
    ) -> list[MessageLinks | None]:
        return await message_links(info.context, input)

    @strawberry.field(description="Who is suppressed, by digest, oldest record first.", extensions=[READS])
    async def suppressions(
        self, info: Info, controller: Controller, first: First = PAGE_DEFAULT, after: After = None
    ) -> SuppressionConnection:
        return await suppression_page(info.context, controller, first, after)

    @strawberry.field(
        description=(
            "What happened, in the order of each record and without gaps: whoever goes on after the last `endCursor`"
            " misses nothing, however long they were away."
        ),
        extensions=[READS],
    )
    async def changes(
        self, info: Info, controller: Controller, first: First = PAGE_DEFAULT, after: After = None
    ) -> ChangeConnection:
        return await change_page(info.context, controller, first, after)

    @strawberry.field(
        description="The digests that the change feed speaks of, for each of your own addresses.", extensions=[READS]
    )
    async def subject_ids(
        self,
        info: Info,
        controller: Controller,
        channel: Annotated[Channel, strawberry.argument(description="A channel that reaches the addresses.")],
        addresses: Annotated[list[str], strawberry.argument(description="Addresses in plaintext, 1,000 at most.")],
    ) -> list[SubjectIds]:
        return await find_subject_ids(info.context, controller, channel, addresses)

    @strawberry.field(description="A contact by your own id; null where there is none.", extensions=[READS])
    async def contact(
        self,
        info: Info,
        controller: Controller,
        id: Annotated[strawberry.ID, strawberry.argument(description="Your own id of the contact.")],
    ) -> Contact | None:
        return await find_contact(info.context, controller, id)
