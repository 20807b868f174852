"""A typed client for tools that ask before they send: `Client`, and `AsyncClient` for asyncio (docs/client.md)."""

from __future__ import annotations

from prefcenter.client.acts import Act, Lift, OptOut, Pause, RecordConsent, Suppress, UpsertContact
from prefcenter.client.awaiting import AsyncClient
from prefcenter.client.blocking import Client
from prefcenter.client.errors import ActRefused, ClientError, RequestRejected, Unavailable
from prefcenter.client.messages import Address, Cell, Change, Decision, Scope, SendReport

__all__ = [
    "Act",
    "ActRefused",
    "Address",
    "AsyncClient",
    "Cell",
    "Change",
    "Client",
    "ClientError",
    "Decision",
    "Lift",
    "OptOut",
    "Pause",
    "RecordConsent",
    "RequestRejected",
    "Scope",
    "SendReport",
    "Suppress",
    "Unavailable",
    "UpsertContact",
]
