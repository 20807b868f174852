"""Erasure of one person: of all that is kept of them nothing but keyed digests and refusals stays (OCC-2, OCC-19).

It reaches as far as a refusal does: from an address to the one contact that holds it, and from a contact to all its
addresses. A contact that shares one of them and is not erased goes on without it.
"""

from __future__ import annotations

from collections.abc import Sequence

from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.events import Erased
from prefcenter.domain.record import erasure_survivors
from prefcenter.services.acts import Drafts
from prefcenter.services.contact_files import ContactFiles
from prefcenter.services.ports import Store
from prefcenter.services.reach import contact_of
from prefcenter.services.targets import Target


class Erasure:
    """The erasures of one controller, as they are folded into drafts."""

    def __init__(self, controller: str, store: Store, files: ContactFiles) -> None:
        self._controller = controller
        self._store = store
        self._files = files

    async def fold(self, drafts: Drafts, target: Target, source: str, now_ms: int) -> None:
        """Erase the person of a target, on every record under whatever key. Raises UnknownContact."""
        names = await self._names(drafts, target)
        gone = _records(drafts, target, names)
        sharing = await self._load_sharing(drafts, gone)
        received_ms = max(now_ms, drafts.latest_ms())
        contacts = await self._files.read([drafts.record(subject) for subject in sharing])
        for subject, contact in contacts.items():
            self._files.forget(drafts, subject, contact, gone, received_ms)
        for subject in gone:
            survivors = erasure_survivors(drafts.record(subject))
            drafts.fold(subject, Erased(received_ms, source, survivors))
        drafts.name(gone[0], names)

    async def _names(self, drafts: Drafts, target: Target) -> Sequence[Digest]:
        """Every digest that something of the person may stand under, whether or not there is a record of it."""
        contact = contact_of(drafts, target)
        held = [] if contact is None else [contact.subject, *await self._files.load_held(drafts, contact)]
        return (*target.records_of, *held)

    async def _load_sharing(self, drafts: Drafts, gone: Sequence[Digest]) -> list[Digest]:
        """The contacts that hold one of the addresses too and are not erased."""
        holders = {holder.contact for record in drafts.existing(gone) for holder in record.holders}.difference(gone)
        sharing = sorted(holders, key=lambda subject: subject.value)
        if sharing:
            drafts.add(await self._store.load(self._controller, sharing))
        return sharing


def _records(drafts: Drafts, target: Target, names: Sequence[Digest]) -> list[Digest]:
    """The records of the person, and that of the address where there is none yet."""
    existing = [record.subject for record in drafts.existing(names)]
    is_contact = target.write_to.kind is DigestKind.CONTACT
    return list(dict.fromkeys(existing if is_contact else (target.write_to, *existing)))
