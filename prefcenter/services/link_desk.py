"""Finds out whose link it is that somebody came by: tokens name no controller, and only one can open them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from prefcenter.domain.errors import InvalidInput, InvalidLink
from prefcenter.security.tokens import LinkKind
from prefcenter.services.controller import ControllerServices
from prefcenter.services.links import Link


class LinkHome(Protocol):
    """The part of a home that knows all controllers."""

    async def controller(self, controller: str) -> ControllerServices:
        """The services of a controller. Raises InvalidInput for one that is not in this home, StoreError."""

    def controllers(self) -> Sequence[str]:
        """The controllers that have a policy in this home."""

    def known_controllers(self) -> Sequence[str]:
        """Those, and all whose last policy the store keeps: their links work for good."""


async def open_link(home: LinkHome, text: str, *kinds: LinkKind) -> tuple[ControllerServices, Link]:
    """The controller whose link it is, and what it says.

    Raises InvalidLink for whatever is no link of those kinds that works; why it does not is never told.
    """
    for controller in home.known_controllers():
        try:
            services = await home.controller(controller)
        except InvalidInput:  # a policy file that is no policy (any more) must not take the others' links with it
            continue
        link = services.links.open(text)
        if link is not None and link.kind in kinds:
            return services, link
    raise InvalidLink("the link does not work: it is not complete, or its time is over")
