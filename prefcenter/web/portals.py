"""People who signed in at a portal: callers who may see and change their own choices, and nobody else's."""

from __future__ import annotations

from typing import Protocol

from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.terms import Channel
from prefcenter.security.portal_tokens import key_id_of, read_token
from prefcenter.services.callers import Caller, Person
from prefcenter.services.controller import ControllerServices
from prefcenter.settings import PortalSettings
from prefcenter.web.key_sets import KeySets
from prefcenter.web.log import WebLog


class ControllerHome(Protocol):
    """The part of a home that knows a portal's controller."""

    async def controller(self, controller: str) -> ControllerServices:
        """The services of a controller. Raises StoreError or KeyringError where there are none now."""


class Portal:
    """Makes callers of the tokens of one identity provider."""

    def __init__(self, settings: PortalSettings, key_sets: KeySets, home: ControllerHome, log: WebLog) -> None:
        self._settings = settings
        self._key_sets = key_sets
        self._home = home
        self._log = log

    async def caller(self, token: str) -> Caller | None:
        """The signed-in person; None for a token that is not in force. Raises StoreError as the home does."""
        key_id = key_id_of(token)
        if key_id is None:
            return None
        try:
            keys = await self._key_sets.with_key(key_id)
        except InvalidInput as error:
            self._log.failed(error)
            return None
        signed_in = read_token(token, keys, self._settings.issuer, self._settings.audience)
        if signed_in is None:
            return None
        controller = self._settings.controller
        caller_id = await self._caller_id(controller, signed_in.subject)
        return Caller(
            caller_id, frozenset(), frozenset({controller}), Person(controller, signed_in.email, Channel.EMAIL)
        )

    async def close(self) -> None:
        """Let go of the keys' source."""
        await self._key_sets.close()

    async def _caller_id(self, controller: str, subject: str) -> str:
        """The provider's id of a person may be their address, so it is digested under a key of the controller's."""
        sealer = (await self._home.controller(controller)).sealer
        return f"person:{sealer.seal(sealer.active_key_id, 'portal', self._settings.issuer, subject).hex()}"
