"""Where services, store and keyring are joined; nothing else opens them."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from prefcenter.domain.errors import InvalidInput, KeyringError, StoreDamaged
from prefcenter.domain.ledger import Head
from prefcenter.domain.policy import Policy
from prefcenter.domain.time import format_time
from prefcenter.security.digests import Digester
from prefcenter.security.fields import FieldCipher
from prefcenter.security.keyring import Keyring, load_keyring, new_keyring, save_keyring
from prefcenter.security.seals import Sealer
from prefcenter.security.tokens import LinkCipher
from prefcenter.services.checkpoint import Checkpoint, SealerOf
from prefcenter.services.clause_register import clauses_file, known_clauses
from prefcenter.services.controller import ControllerServices
from prefcenter.services.decisions import require_all_keys
from prefcenter.services.policies import PolicyBook
from prefcenter.services.policy_files import STARTER_POLICY_FILE_NAME, load_policies, starter_policy_text
from prefcenter.services.ports import AuditReport, Clock, Store
from prefcenter.services.regions import StoreLocation, require_region
from prefcenter.services.site import Site
from prefcenter.settings import Settings
from prefcenter.storage import create_store, is_distributed, open_store


def system_clock() -> int:
    """The time now, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


MakeServices = Callable[[Policy, Sealer, Digester, FieldCipher, LinkCipher, Store, Clock, Site], ControllerServices]
"""Makes the services of one controller; a server makes some that count what they decide."""


class Services:
    """An open home. Get one from `open_services`, which also closes it."""

    def __init__(
        self,
        settings: Settings,
        keyring: Keyring,
        store: Store,
        clock: Clock,
        make_services: MakeServices = ControllerServices,
    ) -> None:
        self.keyring = keyring
        self.store = store
        self.clock = clock
        self.site = settings.site
        self.policies = PolicyBook(settings.policies, store, _location(settings))
        self.checkpoint = Checkpoint(settings.checkpoint, self.sealer_of)
        self._make_services = make_services

    def sealer_of(self, controller: str) -> Sealer:
        return Sealer(self.keyring, controller)

    async def controller(self, controller: str) -> ControllerServices:
        """The services of one controller. Raises InvalidInput for one that has no policy in this home."""
        return self.under(await self.policies.in_force(controller))

    def under(self, policy: Policy) -> ControllerServices:
        """The services of a policy's controller, by that policy."""
        controller = policy.controller
        sealer, digester = self.sealer_of(controller), Digester(self.keyring, controller)
        ciphers = FieldCipher(self.keyring, controller), LinkCipher(self.keyring, controller)
        return self._make_services(policy, sealer, digester, *ciphers, self.store, self.clock, self.site)

    async def deciding(self, controller: str) -> ControllerServices:
        """The same, for decisions: a store that has lost acknowledged refusals gives none (promise 1).

        Nor does one with records under a key that the keyring does not hold, for they would not be found.
        """
        await self.require_whole(controller)
        return await self.controller(controller)

    async def require_whole(self, controller: str) -> None:
        """Raise KeyringError or StoreDamaged where the store may hold refusals that cannot be found."""
        await require_all_keys(self.store)
        if not await self.checkpoint.is_held_by(self.store, controller):
            raise StoreDamaged(
                "the store has lost events that were acknowledged (an older copy put back?); run `prefcenter audit"
                " verify`, and see docs/operations.md before you accept it"
            )


def _location(settings: Settings) -> StoreLocation:
    return StoreLocation(settings.store_regions, is_distributed(settings.store_url))


@asynccontextmanager
async def open_services(
    settings: Settings, clock: Clock = system_clock, *, advances_checkpoint: bool = True
) -> AsyncIterator[Services]:
    """Open the keyring and the store of a home; on the way out, note the ledger's heads and close."""
    keyring = load_keyring(settings.keyring)
    store = open_store(settings.store_url, keyring)
    services = Services(settings, keyring, store, clock)
    try:
        yield services
    finally:
        try:
            if advances_checkpoint:
                await services.checkpoint.advance(store)
        finally:
            await store.close()


async def init_home(settings: Settings, policies: Path | None, clock: Clock = system_clock) -> Sequence[str]:
    """Make a home: policies, keyring, store, checkpoint; whole or not at all. Gives the controllers' ids.

    `policies` is a directory to copy; without it the home starts with one commented policy. Raises InvalidInput
    where something stands already, InvalidPolicy for faulty policies.
    """
    home, built = _place_to_build(settings.home)
    try:
        inside = settings.moved_to(built)
        controllers = _build(inside, policies, clock)
        async with open_services(inside, clock) as services:
            for controller in controllers:
                await services.policies.in_force(controller)
        _put_in_place(built, home)
    except BaseException:
        shutil.rmtree(built, ignore_errors=True)
        raise
    return controllers


def _place_to_build(home: Path) -> tuple[Path, Path]:
    """The home to be without links, and a new directory to build it in: beside it, or inside of an empty one.

    An empty one may be a mount, which nothing can be renamed to.
    """
    home = home.resolve()
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise InvalidInput(f"{home.name}: not empty; a home is made once, and a second `init` would lose the first")
    home.parent.mkdir(parents=True, exist_ok=True)
    directory = home if home.exists() else home.parent
    built = directory / f".{home.name}.{secrets.token_hex(4)}"
    built.mkdir(mode=0o700)
    return home, built


def _put_in_place(built: Path, home: Path) -> None:
    """Move the home into place, on disk before anything is acknowledged in it. The keyring comes last: it makes it."""
    if built.parent == home:
        for path in sorted(built.iterdir(), key=lambda path: path.name == "keyring.json"):
            path.replace(home / path.name)
        built.rmdir()
    else:
        built.replace(home)
    for directory in (home, home.parent):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _build(inside: Settings, policies: Path | None, clock: Clock) -> Sequence[str]:
    _copy_policies(policies, inside.policies)
    loaded = load_policies(inside.policies, known_clauses=known_clauses(clauses_file()))
    for policy in loaded.values():
        require_region(policy, _location(inside))
    save_keyring(new_keyring(format_time(clock())), inside.keyring, replace_existing=False)
    create_store(inside.store_url)
    return sorted(loaded)


def _copy_policies(source: Path | None, target: Path) -> None:
    target.mkdir()
    if source is None:
        (target / STARTER_POLICY_FILE_NAME).write_text(starter_policy_text(), encoding="utf-8")
        return
    if not source.is_dir():
        raise InvalidInput(f"{source.name}: not a directory of policies")
    if not any(source.glob("*.toml")):
        raise InvalidInput(f"{source.name}: expected at least one policy, in a file `<controller>.toml`")
    for path in (*source.glob("*.toml"), *source.glob("clauses.md")):
        shutil.copyfile(path, target / path.name)


async def rotate_keys(settings: Settings, clock: Clock = system_clock) -> Keyring:
    """Add a key that writes from now on; every other stays in use for look-ups."""
    rotated = load_keyring(settings.keyring).rotated(format_time(clock()))
    save_keyring(rotated, settings.keyring, replace_existing=True)
    return rotated


async def retire_key(settings: Settings, key_id: int) -> Keyring:
    """Put a key out of use. Raises KeyringError while a record still carries it."""
    async with open_services(settings) as services:
        retired = services.keyring.with_retired(key_id)
        carried = (await services.store.records_per_key()).get(key_id, 0)
        if carried:
            raise KeyringError(f"key {key_id}: {carried} records still carry it; without it they would be lost")
        save_keyring(retired, settings.keyring, replace_existing=True)
    return retired


async def key_use(settings: Settings) -> tuple[Keyring, Mapping[int, int]]:
    """The keyring, shown to fit the store, and how many records each key carries."""
    async with open_services(settings) as services:
        return services.keyring, await services.store.records_per_key()


Witness = tuple[str, tuple[Head, ...]]
"""A controller and the heads of its ledger that something signed some time ago."""

ReadWitnesses = Callable[[SealerOf], Sequence[Witness]]
"""Reads witnesses that only a home's keyring can check, such as manifests of scrubs."""


async def audit(
    settings: Settings, controllers: Sequence[str] = (), other_witnesses: ReadWitnesses = lambda _: ()
) -> dict[str, AuditReport]:
    """Audit controllers (all, where none is named) against the checkpoint and other signed heads."""
    async with open_services(settings, advances_checkpoint=False) as services:
        signed, missing = await _signed_before(services)
        witnesses = [*signed.items(), *other_witnesses(services.sealer_of)]
        known = {*await services.store.controllers(), *(name for name, _ in witnesses)}
        reports = {}
        if set(controllers) - known:
            raise InvalidInput(f"controller: not one of this store ({', '.join(sorted(known))})")
        for controller in controllers or sorted(known):
            expected = [heads for name, heads in witnesses if name == controller]
            report = await services.store.audit(controller, expected)
            reports[controller] = replace(report, findings=(*missing, *report.findings))
        return reports


async def _signed_before(services: Services) -> tuple[Mapping[str, tuple[Head, ...]], tuple[str, ...]]:
    """The heads of the checkpoint, and what is wrong with it, which is a finding of its own."""
    try:
        signed = services.checkpoint.read()
    except InvalidInput as error:
        return {}, (str(error),)
    unsigned = [name for name in await services.store.controllers() if name not in signed]
    return signed, tuple(f"checkpoint.json: {name} is missing from it" for name in unsigned)
