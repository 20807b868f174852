"""Changes as the services make them, built from made-up digests: what a store is given to keep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from prefcenter.domain.digest import DIGEST_BYTES, Digest
from prefcenter.domain.events import EVERYTHING, Erased, Event, Granted, Refused
from prefcenter.domain.record import Record, fold
from prefcenter.domain.terms import RefusalReason
from prefcenter.services.ports import ApiKey, Change, LedgerEvent, Receipt, Send, Store
from tests.factories import EXACT, NOW, OFFERS_BY_EMAIL, a_digest

DOCUMENT = '{"controller":{"id":"acme"}}'
START = (0,) * 8


def refused(source: str = "form", received_ms: int = NOW) -> Refused:
    return Refused(received_ms, None, RefusalReason.OPTED_OUT, EVERYTHING, source)


def granted(received_ms: int = NOW, wording: str = "newsletter@1") -> Granted:
    return Granted(received_ms, None, EXACT, OFFERS_BY_EMAIL, wording, "form", "person", None)


def erased(received_ms: int = NOW) -> Erased:
    return Erased(received_ms, "request", ())


def change(before: Record, *events: Event) -> Change:
    after = before
    for event in events:
        after = fold(after, event)
    return Change(before, events, after)


def first_refusal(name: str, source: str = "form") -> Change:
    """The first thing that ever happens to a subject."""
    return change(Record(a_digest(name)), refused(source))


def sealed_contact(name: str, content: bytes = b"sealed by the cipher of fields") -> Change:
    """A first act that also puts encrypted plaintext beside its record."""
    return replace(first_refusal(name), sealed=content)


def a_receipt(name: str = "key 1", sent: str = "what was sent", received_ms: int = NOW) -> Receipt:
    """A receipt under a digest of its name; the same name is the same idempotency key of the same caller."""
    return Receipt(_bytes_of(name), _bytes_of(sent), b'["recorded"]', received_ms)


def a_send(name: str = "pat", sent_ms: int = NOW, campaign: bytes = b"spring campaign.") -> Send:
    return Send(a_digest(name), campaign, sent_ms)


def an_api_key(key_id: str = "k1", created_ms: int = NOW, **changed: Any) -> ApiKey:
    """A key for two controllers, in force and never used, but for what is changed."""
    made = ApiKey(
        key_id, "CRM", _bytes_of("secret"), frozenset({"decide", "read"}), frozenset({"acme", "globex"}), created_ms
    )
    return replace(made, **changed)


def _bytes_of(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=DIGEST_BYTES).digest()


def subjects_of(changes: Iterable[Change]) -> list[Digest]:
    return [item.after.subject for item in changes]


async def append_one(store: Store, before: Record, *events: Event, controller: str = "acme") -> Record:
    item = change(before, *events)
    await store.append(controller, [item])
    return item.after


async def whole_feed(store: Store, controller: str = "acme", limit: int = 1_000_000) -> list[LedgerEvent]:
    """The feed from its beginning, a page at a time, as a reader that resumes where it stopped sees it."""
    feed: list[LedgerEvent] = []
    positions = list(START)
    while page := await store.since(controller, positions, limit):
        feed += page
        for item in page:
            positions[item.partition] = item.position
    return feed


def positions_by_partition(feed: Sequence[LedgerEvent]) -> dict[int, list[int]]:
    return {number: [item.position for item in feed if item.partition == number] for number in range(len(START))}
