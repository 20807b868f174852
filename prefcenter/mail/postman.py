"""Takes letters out of the outbox and hands them to the mail host, again and again until it takes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import Any, Protocol

import structlog

from prefcenter.domain.errors import InvalidInput, PrefcenterError, StoreDamaged
from prefcenter.logs import kind_of, place_of
from prefcenter.mail.composing import compose
from prefcenter.mail.host import Connection, MailHost, NotSent
from prefcenter.services.controller import ControllerServices
from prefcenter.services.outbox import Letter
from prefcenter.services.ports import Clock, Store, WaitingLetter

LOOK_SECONDS = 2.0
"""How often the outbox is looked at; a letter is in no greater hurry than its reader."""

LETTERS_AT_ONCE_MAX = 10
CLAIM_MS = 5 * 60 * 1_000
"""Longer than a batch can take, so that no other worker sends the same letter meanwhile."""

FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 60_000, 60 * 60 * 1_000
GIVEN_UP_AFTER_MS = 24 * 60 * 60 * 1_000
STOP_SECONDS_MAX = 10.0


class LetterHome(Protocol):
    """The part of a home that keeps letters."""

    @property
    def clock(self) -> Clock: ...

    async def store(self) -> Store:
        """The store. Raises StoreError or KeyringError."""

    async def controller(self, controller: str) -> ControllerServices:
        """The services of a controller. Raises StoreError, KeyringError or InvalidInput."""


class Postman:
    """Works for one serving process; others claim their own letters."""

    def __init__(self, home: LetterHome, host: MailHost, sender: str, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._home = home
        self._host = host
        self._sender = sender
        self._look_seconds = look_seconds
        self._log: Any = structlog.get_logger()

    async def work(self, stop: asyncio.Event) -> None:
        """Send letters until the event is set; what goes wrong is logged and tried again."""
        while not stop.is_set():
            try:
                while await self.round() and not stop.is_set():
                    pass
            except Exception as error:  # nothing may end this loop but the end of the server
                self._log.error("outbox_stands_still", failure=kind_of(error), place=place_of(error))
            try:
                async with asyncio.timeout(self._look_seconds):
                    await stop.wait()
            except TimeoutError:
                continue

    async def round(self) -> bool:
        """Send what is due; gives whether there was anything, and thus may be more."""
        store, now_ms = await self._home.store(), self._home.clock()
        letters = await store.claim_letters(now_ms, until_ms=now_ms + CLAIM_MS, limit=LETTERS_AT_ONCE_MAX)
        if letters:
            await self._deliver(store, letters)
        return bool(letters)

    async def _deliver(self, store: Store, letters: Sequence[WaitingLetter]) -> None:
        waiting = list(letters)
        try:
            async with self._host.connected() as connection:
                while waiting:
                    await self._hand_over(store, connection, waiting[0])
                    waiting.pop(0)
        except NotSent as failure:
            for letter in waiting:
                await self._put_off(store, letter, failure)

    async def _hand_over(self, store: Store, connection: Connection, letter: WaitingLetter) -> None:
        """Send one letter. Raises NotSent where the host takes no letter now."""
        try:
            services = await self._home.controller(letter.controller)
            opened = services.outbox.open(letter)
            message = self._composed(opened, letter)
            await connection.send(message, self._sender, opened.address)
        except NotSent as failure:
            if not failure.is_final:
                raise
            await self._give_up(store, letter, failure)
        except (StoreDamaged, InvalidInput) as failure:  # altered, or of a controller that is no more
            await self._give_up(store, letter, failure)
        else:
            await store.finish_letter(letter.id)
            self._log.info("letter_sent", controller=letter.controller)

    def _composed(self, opened: Letter, letter: WaitingLetter) -> EmailMessage:
        """The message. One that cannot be made must not keep the others waiting for good: it is given up."""
        try:
            return compose(opened, letter.id, self._sender, letter.queued_ms)
        except Exception as error:  # of a library that was not made for every name and address
            raise NotSent(kind_of(error), is_final=True) from None

    async def _put_off(self, store: Store, letter: WaitingLetter, failure: NotSent) -> None:
        now_ms = self._home.clock()
        if now_ms - letter.queued_ms >= GIVEN_UP_AFTER_MS:
            await self._give_up(store, letter, failure)
            return
        pause_ms = min(FIRST_PAUSE_MS * 2 ** (letter.attempts - 1), LONGEST_PAUSE_MS)
        await store.postpone_letter(letter.id, now_ms + pause_ms)
        self._log.warning("letter_put_off", controller=letter.controller, failure=str(failure))

    async def _give_up(self, store: Store, letter: WaitingLetter, failure: PrefcenterError) -> None:
        """Whatever it was about has to be asked for again; the letter, its address and its link are dropped."""
        await store.finish_letter(letter.id)
        why = str(failure) if isinstance(failure, NotSent) else kind_of(failure)
        self._log.error("letter_given_up", controller=letter.controller, failure=why)


@asynccontextmanager
async def posting(postman: Postman) -> AsyncIterator[None]:
    """Send letters meanwhile; on the way out finish the one that is being sent, within a limit."""
    stop = asyncio.Event()
    task = asyncio.create_task(postman.work(stop))
    try:
        yield
    finally:
        stop.set()
        _, unfinished = await asyncio.wait([task], timeout=STOP_SECONDS_MAX)
        for late in unfinished:
            late.cancel()
        await asyncio.gather(task, return_exceptions=True)
