"""Whose address an act or a question is about: the one that is named, or a person's own and no other."""

from __future__ import annotations

from prefcenter.api.authorisation import UnknownController
from prefcenter.api.context import RequestContext
from prefcenter.domain.address import parse
from prefcenter.domain.errors import ActRefused, InvalidAddress, InvalidInput
from prefcenter.domain.terms import KIND_OF_CHANNEL, Channel
from prefcenter.services.callers import Caller, Person
from prefcenter.services.controller import ControllerServices

NOT_THEIRS = "address: a signed-in person acts for their own address only"
NOT_BY_LINK = "a link says no and makes choices, which the person confirms; it has no say in this"


def controller_of(context: RequestContext, named: str | None) -> str:
    """The controller that is named, or that of the person. Raises UnknownController where there is neither."""
    if named is not None:
        return named
    if context.caller.person is None:
        raise UnknownController
    return context.caller.person.controller


def address_of(caller: Caller, services: ControllerServices, named: str | None) -> str:
    """The address that is named, or that of the person. Raises ActRefused where a person names another's, or came by
    a link."""
    person = caller.person
    if caller.link is not None:
        raise ActRefused(NOT_BY_LINK)
    if person is None:
        if named is None:
            raise InvalidInput("address: name one; only a signed-in person has one of their own")
        return named
    if named is not None and not _is_own(person, services, named):
        raise ActRefused(NOT_THEIRS)
    return person.address


def channel_of(caller: Caller, named: Channel | None) -> Channel | None:
    """What the address is: a person's own is what they signed in with."""
    person = caller.person
    if person is None:
        return named
    if named is not None and KIND_OF_CHANNEL[named] is not KIND_OF_CHANNEL[person.channel]:
        raise ActRefused(NOT_THEIRS)
    return named or person.channel


def _is_own(person: Person, services: ControllerServices, named: str) -> bool:
    kind, country = KIND_OF_CHANNEL[person.channel], services.policy.country
    try:
        return parse(named, kind, country=country).forms == parse(person.address, kind, country=country).forms
    except InvalidAddress:
        return False
