"""A home's store in which somebody else is always first, for a while, or comes in between two readings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import VersionConflict
from prefcenter.security.digests import Digester
from prefcenter.security.fields import FieldCipher
from prefcenter.security.keyring import load_keyring
from prefcenter.services.contacts import Contacts
from prefcenter.services.importing import Importing
from prefcenter.services.ports import Alike, Change, Receipt
from prefcenter.services.recording import Recording
from prefcenter.storage.sqlite import SqliteStore
from tests.running_home import RunningHome
from tests.unit.services.asking import CONTROLLER


class ContestedStore(SqliteStore):
    """Its first appends lose against another writer; close it when done."""

    conflicts = 0

    async def append(
        self,
        controller: str,
        changes: Sequence[Change],
        *,
        bulk: bool = False,
        receipt: Receipt | None = None,
        alike: Sequence[Alike] = (),
    ) -> None:
        if self.conflicts:
            self.conflicts -= 1
            raise VersionConflict("somebody was first")
        await super().append(controller, changes, bulk=bulk, receipt=receipt, alike=alike)


class OvertakenStore(SqliteStore):
    """Others write before it reads what is sealed, each once; close it when done."""

    overtakers: Sequence[Callable[[], Awaitable[object]]] = ()

    async def load_sealed(self, controller: str, subjects: Sequence[Digest]) -> Mapping[Digest, bytes]:
        overtakers, self.overtakers = self.overtakers, ()
        for overtake in overtakers:
            await overtake()
        return await super().load_sealed(controller, subjects)


def store_path(home: RunningHome) -> Path:
    return Path(unquote(urlsplit(home.settings.store_url).path))


def contested_store(home: RunningHome, conflicts: int) -> ContestedStore:
    store = ContestedStore(store_path(home), load_keyring(home.settings.keyring))
    store.conflicts = conflicts
    return store


def overtaken_store(home: RunningHome) -> OvertakenStore:
    return OvertakenStore(store_path(home), load_keyring(home.settings.keyring))


def contacts_on(home: RunningHome, store: SqliteStore) -> Contacts:
    services = home.of(CONTROLLER)
    return Contacts(services.policy, services.digester, store, home.clock, services.cipher)


def recording_on(home: RunningHome, store: ContestedStore) -> Recording:
    keyring = load_keyring(home.settings.keyring)
    digester, cipher = Digester(keyring, CONTROLLER), FieldCipher(keyring, CONTROLLER)
    return Recording(home.of(CONTROLLER).policy, digester, store, home.clock, cipher)


def importing_on(home: RunningHome, store: ContestedStore) -> Importing:
    digester = Digester(load_keyring(home.settings.keyring), CONTROLLER)
    return Importing(home.of(CONTROLLER).policy, digester, store, home.clock, recording_on(home, store))
