"""A home that stays open for a long time, while keys rotate, policies change and backups are put back under it.

Each request costs a few `stat` calls: a file that is another one than before is read anew before the next answer.
What no file shows (a key that wrote to the store from elsewhere, a store that was rolled back in place) is looked for
again at an interval.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from prefcenter.bootstrap import MakeServices, Services, system_clock
from prefcenter.domain.errors import (
    InvalidInput,
    KeyringError,
    PrefcenterError,
    StoreDamaged,
    StoreError,
)
from prefcenter.logs import kind_of
from prefcenter.security.keyring import load_keyring
from prefcenter.services.callers import ApiKeys
from prefcenter.services.clause_register import REGISTER_NAME
from prefcenter.services.controller import ControllerServices
from prefcenter.services.policy_document import policy_from_document
from prefcenter.services.ports import Clock, Store
from prefcenter.settings import Settings
from prefcenter.storage import open_store, store_file

RECHECK_SECONDS = 30.0
CHECKPOINT_SECONDS = 60.0
REPLACED_STORE_SECONDS = 60.0
"""How long a store that was replaced stays open for the requests that still use it."""

Stamp = tuple[int, ...] | None
"""What tells a file from what stood in its place before; None where there is none."""


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except (OSError, ValueError):  # a controller's name comes from a caller, and may be no name of a file
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _identity(path: Path | None) -> Stamp:
    """The stamp of a file that changes all the time; a store without a file has none."""
    stamp = None if path is None else _stamp(path)
    return stamp and stamp[:2]


@dataclass(frozen=True, slots=True)
class InForce:
    """The services of a controller by its last good policy, and what is wrong with its file since."""

    services: ControllerServices
    stamps: tuple[Stamp, ...]
    read_at_s: float
    fault: InvalidInput | None


@dataclass(frozen=True, slots=True)
class Found:
    """A store that was found whole for a controller: by which checkpoint, and when."""

    checkpoint: Stamp
    checked_at_s: float


@dataclass(slots=True)
class Opened:
    """A keyring and a store, read and opened together, and what is known about them."""

    services: Services
    stamps: tuple[Stamp, ...]
    kept: frozenset[str]
    """The controllers that the store knew when it was opened, whatever became of their policy files."""
    in_force: dict[str, InForce] = field(default_factory=dict)
    whole: dict[str, Found] = field(default_factory=dict)


class LiveHome:
    """A home for a server. Get one from `live_home`, which also closes it.

    `deciding` raises StoreError or KeyringError where nothing may be decided, whatever the cause: a store that cannot
    be read or has lost events, unknown keys, a policy file that is faulty or gone. Acts such as opt-outs are still
    taken then, by the last good policy, as long as the store takes them: people hold links that work for good.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock = system_clock,
        *,
        around_store: Callable[[Store], Store] = lambda store: store,
        make_services: MakeServices = ControllerServices,
        on_failure: Callable[[PrefcenterError], None] = lambda _: None,
        recheck_seconds: float = RECHECK_SECONDS,
    ) -> None:
        self.clock = clock
        self._settings = settings
        self._around_store = around_store
        self._make_services = make_services
        self._on_failure = on_failure
        self._recheck_seconds = recheck_seconds
        self._store_file = store_file(settings.store_url)
        self._opened: Opened | None = None
        self._generation = 0
        self._is_closed = False
        self._opening = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger()

    async def controller(self, controller: str) -> ControllerServices:
        """The services of one controller, for acts and reading. Raises InvalidInput for an unknown one."""
        return (await self._in_force(await self._open(), controller)).services

    async def deciding(self, controller: str) -> ControllerServices:
        """The same, for decisions."""
        try:
            return await self._deciding(controller)
        except (StoreError, KeyringError) as error:
            self._on_failure(error)
            raise

    async def _deciding(self, controller: str) -> ControllerServices:
        opened = await self._open()
        in_force = await self._in_force(opened, controller)
        if in_force.fault is not None:
            raise StoreError(f"{controller}: its policy file is faulty or gone, so nothing is decided by an older one")
        await self._require_whole(opened, controller)
        return in_force.services

    async def fault_of(self, controller: str) -> InvalidInput | None:
        """What keeps the policy file of a controller from being in force, if something does. Raises as `controller`."""
        return (await self._in_force(await self._open(), controller)).fault

    def known_controllers(self) -> Sequence[str]:
        """Those with a policy file, and those that only the store still knows: refusals are taken for all of them."""
        opened = self._opened
        return sorted({*self.controllers(), *(() if opened is None else (*opened.kept, *opened.in_force))})

    def controllers(self) -> Sequence[str]:
        """The controllers that have a policy file."""
        try:
            with os.scandir(self._settings.policies) as entries:
                names = [entry.name for entry in entries]
        except OSError:
            return []
        return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml") and name[0] != ".")

    async def marker(self) -> int:
        """A number that is another one after anything was written to the store, or the store was replaced."""
        opened = await self._open()
        return (self._generation << 64) + await opened.services.store.marker()

    async def api_keys(self) -> ApiKeys:
        """The API keys of the home."""
        return ApiKeys((await self._open()).services.store, self.clock)

    async def store(self) -> Store:
        """The store that is open now; it may be another one at the next call."""
        return (await self._open()).services.store

    async def advance_checkpoint(self) -> None:
        """Note how far the ledger goes, outside of the store."""
        services = (await self._open()).services
        await services.checkpoint.advance(services.store)

    async def close(self) -> None:
        """Note the ledger's heads and let go of everything."""
        self._is_closed = True
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        opened, self._opened = self._opened, None
        if opened is not None:
            try:
                await opened.services.checkpoint.advance(opened.services.store)
            except (PrefcenterError, OSError) as error:
                self._log.error("checkpoint_stands_still", failure=kind_of(error))
            finally:
                await opened.services.store.close()

    async def _open(self) -> Opened:
        """What is open, or what has taken its place: another keyring, or another store file."""
        opened = self._opened
        if opened is not None and opened.stamps == self._stamps():
            return opened
        async with self._opening:
            stamps = self._stamps()
            if self._is_closed:
                raise StoreError("the server is stopping; nothing was acknowledged")
            if self._opened is None or self._opened.stamps != stamps:
                await self._reopen(stamps)
            if self._opened is None:
                raise StoreError("the store cannot be opened")
            return self._opened

    def _stamps(self) -> tuple[Stamp, ...]:
        return _stamp(self._settings.keyring), _identity(self._store_file)

    async def _reopen(self, stamps: tuple[Stamp, ...]) -> None:
        """Open anew, then put the new in place of the old; a failure leaves the old to nobody."""
        before, self._opened = self._opened, None
        if before is not None:
            self._log.info("home_changed")
            task = asyncio.create_task(_close_later(before.services.store))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        services = await asyncio.to_thread(self._load)
        try:
            kept = frozenset(await services.store.controllers())
        except BaseException:
            await services.store.close()
            raise
        self._opened = Opened(services, stamps, kept)
        self._generation += 1

    def _load(self) -> Services:
        keyring = load_keyring(self._settings.keyring)
        store = self._around_store(open_store(self._settings.store_url, keyring))
        return Services(self._settings, keyring, store, self.clock, self._make_services)

    async def _in_force(self, opened: Opened, controller: str) -> InForce:
        policies = self._settings.policies
        stamps = (_stamp(policies / f"{controller}.toml"), _stamp(policies / REGISTER_NAME))
        known = opened.in_force.get(controller)
        now_s = asyncio.get_running_loop().time()
        if known is None or known.stamps != stamps or now_s - known.read_at_s >= self._recheck_seconds:
            known = await self._read_policy(opened, controller, stamps, now_s)
            opened.in_force[controller] = known
        return known

    async def _read_policy(self, opened: Opened, controller: str, stamps: tuple[Stamp, ...], now_s: float) -> InForce:
        try:
            policy = await opened.services.policies.in_force(controller)
        except InvalidInput as fault:  # of a file that is faulty or gone, or keeps its data where the store is not
            before = opened.in_force.get(controller)
            last = before.services if before else await self._last_in_force(opened, controller, fault)
            if before is None or before.fault is None:
                self._log.error("policy_faulty", controller=controller, file=f"{controller}.toml")
            return InForce(last, stamps, now_s, fault)
        return InForce(opened.services.under(policy), stamps, now_s, None)

    async def _last_in_force(self, opened: Opened, controller: str, fault: InvalidInput) -> ControllerServices:
        document = await opened.services.store.policy_in_force(controller)
        if document is None:
            raise fault
        return opened.services.under(policy_from_document(document))

    async def _require_whole(self, opened: Opened, controller: str) -> None:
        checkpoint = _stamp(self._settings.checkpoint)
        found = opened.whole.get(controller)
        now_s = asyncio.get_running_loop().time()
        if found and found.checkpoint == checkpoint and now_s - found.checked_at_s < self._recheck_seconds:
            return
        try:
            await opened.services.require_whole(controller)
        except InvalidInput as error:
            raise StoreDamaged(str(error)) from error
        opened.whole[controller] = Found(checkpoint, now_s)


async def _close_later(store: Store) -> None:
    try:
        await asyncio.sleep(REPLACED_STORE_SECONDS)
    finally:
        await store.close()


@asynccontextmanager
async def live_home(home: LiveHome, *, checkpoint_seconds: float = CHECKPOINT_SECONDS) -> AsyncIterator[LiveHome]:
    """Open the home, advance its checkpoint at an interval, and close it on the way out.

    Raises KeyringError or StoreError where the home cannot be opened at all.
    """
    await home.marker()
    advancing = asyncio.create_task(_advance_at_intervals(home, checkpoint_seconds))
    try:
        yield home
    finally:
        advancing.cancel()
        with suppress(asyncio.CancelledError):
            await advancing
        await home.close()


async def _advance_at_intervals(home: LiveHome, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await home.advance_checkpoint()
        except (PrefcenterError, OSError) as error:
            structlog.get_logger().error("checkpoint_stands_still", failure=kind_of(error))
