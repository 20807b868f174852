"""The fields of Mutation and of Subscription."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from prefcenter.api import acts, contacts
from prefcenter.api.authorisation import Guard
from prefcenter.api.changes import ChangeEdge, follow_changes
from prefcenter.api.context import Info
from prefcenter.api.queries import After, Controller
from prefcenter.api.results import ActResult, ChoicesResult, SendsResult, unless_refused
from prefcenter.services.callers import CallerScope

RECORDS = Guard(CallerScope.RECORD)
RECORDS_OR_PERSON = Guard(CallerScope.RECORD, or_person=True)
ADMINISTERS = Guard(CallerScope.ADMIN)

_ACT = strawberry.argument(description="The act.")


@strawberry.type(description="What can be done. What is answered is on disk and binds the next decision anywhere.")
class Mutation:
    @strawberry.mutation(description="A person's own no.", extensions=[RECORDS_OR_PERSON])
    async def opt_out(self, info: Info, input: Annotated[acts.OptOutInput, _ACT]) -> ActResult:
        return await unless_refused(acts.opt_out(info.context, input))

    @strawberry.mutation(
        description=(
            "A consent with its evidence. Over a standing refusal one that a key reports is `pending` until the person"
            " confirms it; a signed-in person's own is confirmed."
        ),
        extensions=[RECORDS_OR_PERSON],
    )
    async def record_consent(self, info: Info, input: Annotated[acts.RecordConsentInput, _ACT]) -> ActResult:
        return await unless_refused(acts.record_consent(info.context, input))

    @strawberry.mutation(description="Several choices of one address, at once.", extensions=[RECORDS_OR_PERSON])
    async def set_preferences(self, info: Info, input: Annotated[acts.SetPreferencesInput, _ACT]) -> ChoicesResult:
        return await unless_refused(acts.set_preferences(info.context, input))

    @strawberry.mutation(description="Quiet until a time, or the end of it.", extensions=[RECORDS_OR_PERSON])
    async def pause(self, info: Info, input: Annotated[acts.PauseInput, _ACT]) -> ActResult:
        return await unless_refused(acts.pause(info.context, input))

    @strawberry.mutation(description="A suppression for whatever reason.", extensions=[RECORDS])
    async def suppress(self, info: Info, input: Annotated[acts.SuppressInput, _ACT]) -> ActResult:
        return await unless_refused(acts.suppress(info.context, input))

    @strawberry.mutation(description="An administrator lifts refusals of one reason.", extensions=[ADMINISTERS])
    async def lift(self, info: Info, input: Annotated[acts.LiftInput, _ACT]) -> ActResult:
        return await unless_refused(acts.lift(info.context, input))

    @strawberry.mutation(description="Notes messages that went out, for the frequency cap.", extensions=[RECORDS])
    async def record_sends(self, info: Info, input: Annotated[acts.RecordSendsInput, _ACT]) -> SendsResult:
        return await unless_refused(acts.record_sends(info.context, input))

    @strawberry.mutation(description="Writes a contact as a whole.", extensions=[RECORDS])
    async def upsert_contact(self, info: Info, input: Annotated[contacts.UpsertContactInput, _ACT]) -> ActResult:
        return await unless_refused(contacts.upsert_contact(info.context, input))

    @strawberry.mutation(
        description="Gives a contact one more address, which takes over the contact's own refusals.",
        extensions=[RECORDS],
    )
    async def add_address(self, info: Info, input: Annotated[contacts.AddressOfContactInput, _ACT]) -> ActResult:
        return await unless_refused(contacts.add_address(info.context, input))

    @strawberry.mutation(
        description="Takes an address from a contact. What was refused for the address stays.", extensions=[RECORDS]
    )
    async def remove_address(self, info: Info, input: Annotated[contacts.AddressOfContactInput, _ACT]) -> ActResult:
        return await unless_refused(contacts.remove_address(info.context, input))


@strawberry.type(description="What can be followed, over the WebSocket protocol `graphql-transport-ws`.")
class Subscription:
    @strawberry.subscription(
        description="Every change after a cursor, and then each as it happens. It ends when the caller's rights do.",
        extensions=[Guard(CallerScope.READ)],
    )
    async def changes(
        self, info: Info, controller: Controller, after: After = None
    ) -> AsyncGenerator[ChangeEdge, None]:
        async for edge in follow_changes(info.context, controller, after):
            yield edge
