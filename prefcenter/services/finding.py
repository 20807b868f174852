"""A person lost the mail: they name their address, and get a link to their page at that address (OCC-1, CC1-4)."""

from __future__ import annotations

from prefcenter.domain.decision import STOPS_ADMINISTRATIVE
from prefcenter.domain.errors import InvalidAddress
from prefcenter.domain.policy import Policy
from prefcenter.domain.terms import AddressKind, Channel
from prefcenter.security.digests import Digester
from prefcenter.services.links import Links
from prefcenter.services.outbox import Letter, LetterKind, Outbox
from prefcenter.services.ports import Store
from prefcenter.services.targets import Targets


class Finding:
    """Sends people of one controller a link to their page."""

    def __init__(self, policy: Policy, digester: Digester, store: Store, links: Links, outbox: Outbox) -> None:
        self._policy = policy
        self._store = store
        self._targets = Targets(policy.country, digester)
        self._links = links
        self._outbox = outbox

    async def ask(self, address: str, language: str) -> None:
        """Send a link, if the address is known here and may be written to. Nobody is told whether it was.

        Whether or not it is, the same records are read, the same letter is encrypted and one row is written. Raises
        InvalidAddress for what is no email address, MailUnavailable, StoreError.
        """
        target = self._targets.to_weigh(self._targets.of_kind(address, AddressKind.EMAIL))
        if target.exact is None:
            raise InvalidAddress("is a whole domain; enter the address of one mailbox")
        records = await self._store.load(self._policy.controller, [*target.records_of, *target.elsewhere])
        is_known = any(record.subject in target.records_of for record in records)
        is_stopped = any(refusal.reason in STOPS_ADMINISTRATIVE for record in records for refusal in record.refusals)
        url = self._links.fresh(target, Channel.EMAIL)
        letter = Letter(LetterKind.FRESH_LINK, target.mailbox, language, url, self._policy.name)
        await self._outbox.queue(target.write_to, letter, is_sent=is_known and not is_stopped)
