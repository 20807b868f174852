"""Contacts on the wire: what a CRM says about one person, encrypted at rest."""

from __future__ import annotations

import strawberry

from prefcenter.api.authorisation import services_of
from prefcenter.api.context import RequestContext
from prefcenter.api.results import IDEMPOTENCY_KEY, RecordedAct, once_for, recorded
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.services import contact_files
from prefcenter.services.contacts import KeptContact
from prefcenter.services.feed import subject_id

_CONTROLLER = "The controller: the id of its policy."
_CONTACT = "Your own id of the contact. It is encrypted at rest, and what the change feed calls the contact."


@strawberry.input(description="An address of a contact.")
class ContactAddressInput:
    channel: Channel = strawberry.field(
        description="What the address is: a channel that reaches it. `sms` and `voice` share telephone numbers."
    )
    address: str = strawberry.field(description="The address in plaintext. It is encrypted at rest.")
    address_class: AddressClass | None = strawberry.field(
        default=None, description="Whose address it is, if you know. `personal` wins over what anybody says later."
    )


@strawberry.input(description="A contact as a whole: addresses that are left out are removed.")
class UpsertContactInput:
    controller: str = strawberry.field(description=_CONTROLLER)
    contact: strawberry.ID = strawberry.field(description=_CONTACT)
    addresses: list[ContactAddressInput] = strawberry.field(description="All of the contact's addresses.")
    audiences: list[str] = strawberry.field(description="The audiences that the person belongs to, as slugs.")
    source: str = strawberry.field(description="Where the data came from (OCC-5): a short slug such as `trade-fair`.")
    attested_by: str | None = strawberry.field(
        default=None, description="Who answers for the person having been informed (OCC-20): a short slug."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=IDEMPOTENCY_KEY)


@strawberry.input(description="One address of one contact.")
class AddressOfContactInput:
    controller: str = strawberry.field(description=_CONTROLLER)
    contact: strawberry.ID = strawberry.field(description=_CONTACT)
    address: ContactAddressInput = strawberry.field(description="The address.")
    idempotency_key: str | None = strawberry.field(default=None, description=IDEMPOTENCY_KEY)


@strawberry.type(description="An address of a contact, as it was given.")
class ContactAddress:
    channel: Channel = strawberry.field(description="What the address is: a channel that reaches it.")
    address: str = strawberry.field(description="The address in plaintext.")
    address_class: AddressClass | None = strawberry.field(description="Whose address it is, where somebody said.")


@strawberry.type(description="What a CRM says about one person.")
class Contact:
    id: strawberry.ID = strawberry.field(description="Your own id of the contact.")
    addresses: list[ContactAddress] = strawberry.field(description="All of the contact's addresses.")
    audiences: list[str] = strawberry.field(description="The audiences that the person belongs to.")
    source: str = strawberry.field(description="Where the data came from (OCC-5).")
    attested_by: str | None = strawberry.field(description="Who answers for the person having been informed (OCC-20).")
    subject_id: strawberry.ID = strawberry.field(description="The digest that the change feed knows the contact by.")


async def find_contact(context: RequestContext, controller: str, contact_id: str) -> Contact | None:
    """A contact, or None where there is none of that id."""
    services = await services_of(context, controller)
    found = await services.contacts.get(contact_id)
    return None if found is None else _shown(found)


async def upsert_contact(context: RequestContext, wanted: UpsertContactInput) -> RecordedAct:
    services = await services_of(context, wanted.controller)
    once = once_for(context, services, wanted.idempotency_key, "upsertContact", wanted)
    addresses, audiences = map(_given, wanted.addresses), tuple(wanted.audiences)
    given = contact_files.Contact(wanted.contact, tuple(addresses), audiences, wanted.source, wanted.attested_by)
    return recorded(await services.contacts.upsert(given, once=once))


async def add_address(context: RequestContext, wanted: AddressOfContactInput) -> RecordedAct:
    services = await services_of(context, wanted.controller)
    once = once_for(context, services, wanted.idempotency_key, "addAddress", wanted)
    return recorded(await services.contacts.add_address(wanted.contact, _given(wanted.address), once=once))


async def remove_address(context: RequestContext, wanted: AddressOfContactInput) -> RecordedAct:
    services = await services_of(context, wanted.controller)
    once = once_for(context, services, wanted.idempotency_key, "removeAddress", wanted)
    return recorded(await services.contacts.remove_address(wanted.contact, _given(wanted.address), once=once))


def _given(address: ContactAddressInput) -> contact_files.ContactAddress:
    return contact_files.ContactAddress(address.channel, address.address, address.address_class)


def _shown(kept: KeptContact) -> Contact:
    found = kept.contact
    return Contact(
        id=strawberry.ID(found.id),
        addresses=[
            ContactAddress(channel=each.channel, address=each.address, address_class=each.address_class)
            for each in found.addresses
        ],
        audiences=list(found.audiences),
        source=found.source,
        attested_by=found.attested_by,
        subject_id=strawberry.ID(subject_id(kept.subject)),
    )
