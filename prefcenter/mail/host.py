"""The mail host that letters are handed to, over SMTP (RFC 5321) with TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage

import aiosmtplib
from aiosmtplib import SMTP, SMTPException, SMTPRecipientsRefused, SMTPResponseException

from prefcenter.domain.errors import PrefcenterError
from prefcenter.settings import MailSettings

TIMEOUT_SECONDS = 20.0
"""For each step of a conversation."""


class NotSent(PrefcenterError):
    """The host did not take a letter. `is_final`: it never will, because of this very letter or its address."""

    code = "not_sent"

    def __init__(self, kind: str, *, is_final: bool) -> None:
        super().__init__(kind)
        self.is_final = is_final


class MailHost:
    """One mail host. What it answers may quote an address, so only the kind and code of a failure are passed on."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        """A connection that letters can be sent over, one after the other. Raises NotSent."""
        settings = self._settings
        client = SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.user,
            password=settings.password,
            timeout=TIMEOUT_SECONDS,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
        )
        try:
            await client.connect()
        except (SMTPException, OSError) as error:
            raise NotSent(_kind(error), is_final=False) from None
        try:
            yield Connection(client)
        finally:
            await _hang_up(client)


class Connection:
    """A conversation with the host."""

    def __init__(self, client: SMTP) -> None:
        self._client = client

    async def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Hand over a message; when this returns, the host answers for it. Raises NotSent.

        The envelope is not read out of the message, where an address may be written in more than one way.
        """
        try:
            await self._client.send_message(message, sender=sender, recipients=[recipient])
        except Exception as error:  # what the library makes of a message that it cannot write is not foreseen by it
            raise NotSent(_kind(error), is_final=_is_final(error)) from None


async def _hang_up(client: SMTP) -> None:
    try:
        await client.quit()
    except (SMTPException, OSError):
        client.close()


def _code(error: Exception) -> int | None:
    if isinstance(error, SMTPRecipientsRefused):
        return min((refused.code for refused in error.recipients), default=None)
    return error.code if isinstance(error, SMTPResponseException) else None


def _is_final(error: Exception) -> bool:
    """Replies of 5yz are final (RFC 5321 section 4.2.1), and so is a message that cannot be sent at all."""
    code = _code(error)
    is_ours = isinstance(error, aiosmtplib.SMTPNotSupported) or not isinstance(error, SMTPException | OSError)
    return is_ours or (code is not None and code >= 500)


def _kind(error: Exception) -> str:
    code = _code(error)
    return type(error).__name__ if code is None else f"{type(error).__name__} {code}"
