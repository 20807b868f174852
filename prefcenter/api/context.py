"""What a request of the API is handed: the home it asks, and who asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import strawberry

from prefcenter.services.callers import Caller
from prefcenter.services.controller import ControllerServices
from prefcenter.services.ports import Clock


class Home(Protocol):
    """An open home, as far as the API needs one; `bootstrap` brings the real one."""

    @property
    def clock(self) -> Clock: ...

    async def deciding(self, controller: str) -> ControllerServices:
        """The services of a controller for decisions. Raises StoreError or KeyringError: then nothing may be sent."""

    async def controller(self, controller: str) -> ControllerServices:
        """The services of a controller for acts and reading. Raises InvalidInput for one that is not in this home."""

    def known_controllers(self) -> Sequence[str]:
        """The controllers of this home, those included whose policy file is gone while the store keeps the policy."""

    async def marker(self) -> int:
        """A number that is another one after anything was written to the store, by whatever process."""


async def nothing_changed() -> bool:
    """The answer of a context whose caller cannot lose their rights while it lasts."""
    return True


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request. `languages` are those that the caller reads, best first, as lower-case tags (RFC 9110 §12.5.4).

    `is_still_authorised` says whether the caller still has the rights that they came with; a subscription asks it
    again, because a revoked key binds at once.
    """

    home: Home
    caller: Caller
    request_id: str
    languages: Sequence[str] = ("en",)
    is_still_authorised: Callable[[], Awaitable[bool]] = nothing_changed


Info = strawberry.Info[RequestContext, None]
"""What every resolver is handed besides its arguments."""
