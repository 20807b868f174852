"""Double opt-in: what is to be switched on waits until the person says yes by a mailed link (OCC-15, TCC-1)."""

from __future__ import annotations

from collections.abc import Sequence

from prefcenter.domain.decision import STOPS_ADMINISTRATIVE
from prefcenter.domain.events import Cell
from prefcenter.domain.policy import Policy
from prefcenter.domain.record import Record
from prefcenter.domain.terms import AddressKind, Channel, RefusalReason
from prefcenter.services.acts import Outcome
from prefcenter.services.links import CONFIRMED_CELLS_MAX, Link, Links, cell_tag
from prefcenter.services.outbox import LETTERS_AN_HOUR_MAX, Letter, LetterKind, Outbox
from prefcenter.services.own_acts import OwnActs
from prefcenter.services.ports import Store
from prefcenter.services.targets import Target, Targets

NOT_WRITTEN_TO = frozenset({RefusalReason.MINOR, RefusalReason.RESTRICTED, RefusalReason.LEGAL})
"""No consent of theirs lifts these, so asking for one would be a message and nothing else."""

OTHERS_LETTERS_AN_HOUR_MAX = 1


class Confirmations:
    """The confirmations of one controller."""

    def __init__(
        self, policy: Policy, targets: Targets, store: Store, own_acts: OwnActs, links: Links, outbox: Outbox
    ) -> None:
        self._policy = policy
        self._targets = targets
        self._store = store
        self._own_acts = own_acts
        self._links = links
        self._outbox = outbox

    async def ask(self, target: Target, records: Sequence[Record], cells: Sequence[Cell], language: str) -> bool:
        """Write to the person who wants these choices; False where their mailbox had enough letters, or may get none.

        A letter holds CONFIRMED_CELLS_MAX choices, so more of them take more letters.
        """
        if _has_refused(records, NOT_WRITTEN_TO):
            return False
        return await self._write(target, cells, language, LETTERS_AN_HOUR_MAX)

    async def ask_for_reported(self, text: str, channel: Channel | None, cells: Sequence[Cell], language: str) -> bool:
        """Write to a person whom somebody else reports to consent; False where no letter was queued.

        Whoever may get no message at all gets none, and nobody more than one an hour: a tool may report a thousand
        times what a person never said. Without a mail host the consents just wait.
        """
        target = self._targets.of(text, cells[0].channel or channel)
        if not self._outbox.is_open or target.address is None or target.address.kind is not AddressKind.EMAIL:
            return False
        known = self._targets.to_weigh(target)
        records = await self._store.load(self._policy.controller, [*known.records_of, *known.elsewhere])
        if _has_refused(records, STOPS_ADMINISTRATIVE):
            return False
        return await self._write(target, cells, language, OTHERS_LETTERS_AN_HOUR_MAX)

    async def pending(self, link: Link) -> Sequence[Cell]:
        """What a link would confirm: the choices that still wait."""
        waiting = await self._own_acts.waiting(link.target)
        return [grant.cell for grant in waiting if cell_tag(grant.cell) in link.confirms]

    async def confirm(self, link: Link) -> Outcome:
        """The person's yes; `unchanged` where it was said before, `absent` where nothing waits any more."""
        return await self._own_acts.confirm(link.target, link.confirms, link.channel)

    def label(self, cell: Cell) -> str:
        """What a choice is called; its id where the policy knows it no more."""
        if cell.data_use is not None:
            data_use = self._policy.data_use_by_id.get(cell.data_use)
            return data_use.label if data_use else cell.data_use
        purpose = self._policy.purpose_by_id.get(cell.purpose or "")
        return purpose.label if purpose else cell.purpose or ""

    async def _write(self, target: Target, cells: Sequence[Cell], language: str, letters_max: int) -> bool:
        address, is_queued = target.mailbox, True
        for start in range(0, len(cells), CONFIRMED_CELLS_MAX):
            some = cells[start : start + CONFIRMED_CELLS_MAX]
            url = self._links.confirmation(target, Channel.EMAIL, some)
            labels = tuple(map(self.label, some))
            headers = self._headers(address, some)
            letter = Letter(LetterKind.CONFIRMATION, address, language, url, self._policy.name, labels, headers)
            is_queued &= await self._outbox.queue(target.write_to, letter, letters_max=letters_max)
        return is_queued

    def _headers(self, address: str, cells: Sequence[Cell]) -> dict[str, str]:
        """Those of one click: whoever did not ask for the letter can say no to all that it is about (RFC 8058)."""
        purposes = [cell.purpose for cell in cells if cell.purpose in self._policy.purpose_by_id]
        if not purposes or purposes[0] is None:
            return {}
        return dict(self._links.of_message(address, purposes[0], Channel.EMAIL).headers)


def _has_refused(records: Sequence[Record], reasons: frozenset[RefusalReason]) -> bool:
    return any(refusal.reason in reasons for record in records for refusal in record.refusals)
