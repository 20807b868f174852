"""What people do for themselves, by a link or on their page. They are known by digests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import groupby

from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.events import Annulled, Cell, Delivered, Erased, Granted, Proposed, Refusal, Refused, Scope
from prefcenter.domain.policy import Policy
from prefcenter.domain.record import PAGE_SOURCE, Grant, Record, alike_among, fold, is_later, may_be_annulled
from prefcenter.domain.terms import Channel, RefusalReason
from prefcenter.services.acts import Acts, Drafts, Once, Outcome, Outcomes
from prefcenter.services.admission import Admission
from prefcenter.services.links import Link, cell_tag
from prefcenter.services.ports import Change, Clock, LedgerEvent, Store
from prefcenter.services.reach import contact_of, fold_far, load_within_reach
from prefcenter.services.slugs import check_slug
from prefcenter.services.targets import Target

PERSON = "person"
PAGE_METHOD = "preference-page"
CONFIRMED_METHOD = "double-opt-in"
CONFIRMED_DELIVERY = "confirmed-link"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What choices came to, one outcome each; and the versions of the target's record that they made, if any."""

    outcomes: Outcomes
    versions: tuple[int, int] | None


class OwnActs:
    """The acts of the people of one controller."""

    def __init__(self, policy: Policy, store: Store, clock: Clock) -> None:
        self._controller = policy.controller
        self._store = store
        self._clock = clock
        self._acts = Acts(policy.controller, store, clock)
        self._admission = Admission(policy, clock)

    async def opt_out(
        self, target: Target, scopes: Sequence[Scope], source: str, *, once: Once | None = None
    ) -> Outcome:
        """Refuse all scopes in one commit.

        Mail programs and people send it again and again. Where the same no from the same minute stands nothing is
        written, so that replays leave one event; later, or after a consent, it is a new no.
        """
        check_slug(source, "source")
        for scope in scopes:
            self._admission.checked_scope(RefusalReason.OPTED_OUT, scope, None)

        async def gather() -> tuple[Sequence[Change], Outcomes]:
            drafts = await self._load(target)
            for scope in scopes:
                self._refuse(drafts, target, scope, source)
            return drafts.changes, (Outcome.RECORDED if drafts.changes else Outcome.UNCHANGED,)

        (outcome,) = await self._acts.commit(gather, once)
        return outcome

    async def choose(
        self,
        target: Target,
        refused: Sequence[Scope],
        wanted: Sequence[Cell],
        wording: str,
        *,
        is_confirmed: bool,
        arranged: Callable[[Outcomes], Outcomes] = lambda outcomes: outcomes,
        once: Once | None = None,
    ) -> Chosen:
        """Refuse some things at once, and want others: those wait for a confirmation, or are confirmed already.

        The outcomes stand in the order of the refused ones, then of the wanted, unless they are `arranged` otherwise.
        """
        check_slug(wording, "wording", may_have_version=True)
        for scope in refused:
            self._admission.checked_scope(RefusalReason.OPTED_OUT, scope, None)
        made: list[Change] = []

        async def gather() -> tuple[Sequence[Change], Outcomes]:
            drafts = await self._load(target)
            outcomes = [self._refuse(drafts, target, scope, PAGE_SOURCE) for scope in refused]
            outcomes += [self._want(drafts, target, cell, wording, is_confirmed=is_confirmed) for cell in wanted]
            made[:] = [change for change in drafts.changes if change.after.subject == target.write_to]
            return drafts.changes, arranged(tuple(outcomes))

        outcomes = await self._acts.commit(gather, once)
        return Chosen(outcomes, (made[0].before.version + 1, made[0].after.version) if made else None)

    async def undo(self, target: Target, link: Link) -> Outcome:
        """Take back what the page refused a few minutes ago, wherever it reached; `absent` where nothing of it stands.

        The target is that of the person on the page, under every key: what the refusal reached is noted on any of them.
        What each refusal had taken the place of stands again, so that nothing opens that was shut before.
        """

        async def gather() -> tuple[Sequence[Change], Outcomes]:
            drafts = await self._load(target)
            received_ms = self._received_ms(drafts)
            taken_back = list(_taken_back(drafts, target, link, received_ms))
            subjects = list({subject for subject, _ in taken_back})
            histories = _by_subject(await self._store.history(self._controller, subjects)) if subjects else {}
            for subject, refusal in taken_back:
                before = _record_before(subject, histories[subject], refusal.at.version)
                restores = alike_among(before.refusals, refusal)
                drafts.fold(subject, Annulled(received_ms, refusal.at.version, restores))
            return drafts.changes, (Outcome.RECORDED if drafts.changes else Outcome.ABSENT,)

        (outcome,) = await self._acts.commit(gather)
        return outcome

    async def waiting(self, target: Target) -> Sequence[Grant]:
        """The consents of this exact address that wait to be confirmed."""
        return _waiting(await self._store.load(self._controller, target.records_of), target)

    async def confirm(self, target: Target, tags: Collection[bytes], channel: Channel) -> Outcome:
        """The person's own live consent to what waits, by the tags of its choices.

        That the link came back also proves that its mailbox works. `unchanged`: it was confirmed before, and no refusal
        came since; `absent`: nothing of it waits any more.
        """

        async def gather() -> tuple[Sequence[Change], Outcomes]:
            drafts = await self._load(target)
            received_ms = self._received_ms(drafts)
            records = drafts.existing(target.records_of)
            waiting = [grant for grant in _waiting(records, target) if cell_tag(grant.cell) in tags]
            for grant in waiting:
                drafts.fold(target.write_to, _confirmed(grant, received_ms))
            if waiting:
                for record in drafts.existing(target.records_of):
                    drafts.fold(record.subject, Delivered(received_ms, channel, CONFIRMED_DELIVERY))
                return drafts.changes, (Outcome.RECORDED,)
            return (), (Outcome.UNCHANGED if _is_granted(records, tags) else Outcome.ABSENT,)

        (outcome,) = await self._acts.commit(gather)
        return outcome

    def _refuse(self, drafts: Drafts, target: Target, scope: Scope, source: str) -> Outcome:
        refused = Refused(self._received_ms(drafts), None, RefusalReason.OPTED_OUT, scope, source)
        return Outcome.RECORDED if fold_far(drafts, target, refused, unless_standing=True) else Outcome.UNCHANGED

    def _want(self, drafts: Drafts, target: Target, cell: Cell, wording: str, *, is_confirmed: bool) -> Outcome:
        if target.exact is None:
            raise InvalidInput("address: only an exact address consents")
        received_ms = self._received_ms(drafts)
        evidence = (target.exact, cell, wording, PAGE_METHOD, PERSON, None)
        event = Granted(received_ms, None, *evidence) if is_confirmed else Proposed(received_ms, None, *evidence)
        drafts.fold(target.write_to, event)
        return Outcome.RECORDED if is_confirmed else Outcome.PENDING

    async def _load(self, target: Target) -> Drafts:
        return await load_within_reach(self._store, self._controller, target.records_of)

    def _received_ms(self, drafts: Drafts) -> int:
        """Now, but never before what is on record: a clock may have been set back."""
        return max(self._clock(), drafts.latest_ms())


def _waiting(records: Sequence[Record], target: Target) -> Sequence[Grant]:
    return [grant for record in records for grant in record.pending if grant.exact in target.exacts]


def _is_granted(records: Sequence[Record], tags: Collection[bytes]) -> bool:
    """Whether one of the choices was confirmed, and nothing was refused after it: whatever it was, nobody may then be
    told that what they confirmed holds."""
    refusals = [(refusal, holder) for holder in records for refusal in holder.refusals]
    return any(
        all(is_later(grant.at, refusal.at, same_record=holder is record) for refusal, holder in refusals)
        for record in records
        for grant in record.grants
        if cell_tag(grant.cell) in tags
    )


def _confirmed(waiting: Grant, received_ms: int) -> Granted:
    """The consent that waited, as the person's own word."""
    evidence = (waiting.exact, waiting.cell, waiting.wording, CONFIRMED_METHOD, PERSON)
    return Granted(received_ms, None, *evidence, waiting.expires_ms)


def _taken_back(drafts: Drafts, target: Target, link: Link, now_ms: int) -> Iterator[tuple[Digest, Refusal]]:
    """The refusals that one save on the page made: on the record that it wrote to, and alike on all that it reached."""
    written, (first, last) = link.target.write_to, link.undoes
    own = [
        refusal
        for refusal in drafts.record(written).refusals
        if first <= refusal.at.version <= last and may_be_annulled(refusal, now_ms)
    ]
    yield from ((written, refusal) for refusal in own)
    said = {(refusal.scope, refusal.at.time_ms) for refusal in own}
    contact = contact_of(drafts, target)
    if contact is None or contact.description is None:
        return
    for subject in (contact.subject, *contact.description.addresses):
        for refusal in drafts.record(subject).refusals if subject != written else ():
            if (refusal.scope, refusal.at.time_ms) in said and may_be_annulled(refusal, now_ms):
                yield subject, refusal


def _by_subject(history: Sequence[LedgerEvent]) -> Mapping[Digest, Sequence[LedgerEvent]]:
    ordered = sorted(history, key=lambda item: (item.subject.value, item.version))
    return {subject: list(items) for subject, items in groupby(ordered, key=lambda item: item.subject)}


def _record_before(subject: Digest, history: Sequence[LedgerEvent], version: int) -> Record:
    """The record as it was before an event of it. An erasure carries what survived it, so nothing before is needed."""
    earlier = [item for item in history if item.version < version]
    erased = [place for place, item in enumerate(earlier) if isinstance(item.event, Erased)]
    kept = earlier[erased[-1] :] if erased else earlier
    begun = Record(subject, version - 1 - len(kept))
    return reduce(fold, [item.event for item in kept if item.event is not None], begun)
