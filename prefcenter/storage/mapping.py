"""Events and records as compact bytes, shared by all backends. Texts are interned; the codes below never change."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import msgspec

from prefcenter.domain.contact import Description, Holder
from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.events import (
    EVERYTHING,
    Annulled,
    Cell,
    Delisted,
    Delivered,
    Described,
    Erased,
    Event,
    Granted,
    Held,
    Lifted,
    Moment,
    Paused,
    Proposed,
    Refusal,
    Refused,
    Released,
    Scope,
)
from prefcenter.domain.record import Grant, Record, Withdrawal
from prefcenter.domain.terms import AddressClass, Channel, PurposeClass, RefusalReason

Intern = Callable[[str], int]
"""Gives a text its number, making a new one where it has none."""

TermText = Callable[[int], str]
"""Gives a number its text; raises KeyError for an unknown one."""

_REASON_CODE = {
    RefusalReason.BOUNCED: 1,
    RefusalReason.ON_REGISTRY: 2,
    RefusalReason.MANUAL: 3,
    RefusalReason.OPTED_OUT: 4,
    RefusalReason.COMPLAINED: 5,
    RefusalReason.ERASED: 6,
    RefusalReason.MINOR: 7,
    RefusalReason.RESTRICTED: 8,
    RefusalReason.LEGAL: 9,
}
_CHANNEL_CODE = {Channel.EMAIL: 1, Channel.SMS: 2, Channel.VOICE: 3, Channel.POST: 4, Channel.PUSH: 5}
_CLASS_CODE = {
    PurposeClass.PROMOTIONAL: 1,
    PurposeClass.INFORMATIONAL: 2,
    PurposeClass.RECRUITMENT: 3,
    PurposeClass.ADMINISTRATIVE: 4,
}
_ADDRESS_CLASS_CODE = {AddressClass.BUSINESS: 1, AddressClass.PERSONAL: 2}
_REASON = {code: reason for reason, code in _REASON_CODE.items()}
_CHANNEL = {code: channel for channel, code in _CHANNEL_CODE.items()}
_CLASS = {code: purpose_class for purpose_class, code in _CLASS_CODE.items()}

_ADDRESS_CLASS = {code: address_class for address_class, code in _ADDRESS_CLASS_CODE.items()}

_REFUSED, _GRANTED, _LIFTED, _DELIVERED, _DELISTED, _PAUSED, _ERASED = range(1, 8)
_PROPOSED, _HELD, _RELEASED, _DESCRIBED, _ANNULLED = range(8, 13)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

Row = list[Any]


def encode_event(event: Event, intern: Intern) -> bytes:
    """The body of an event as MessagePack."""
    code, write = _EVENT_WRITERS[type(event)]
    return _encode([code, *write(event, intern)])


def decode_event(body: bytes, text: TermText) -> Event:
    """The event of a body. Raises ValueError, KeyError or IndexError where it is not one."""
    row = _decode(body)
    return _EVENT_READERS[row[0]](row[1:], text)


def encode_record(record: Record, intern: Intern) -> bytes:
    """The state of a record; its subject and version are columns of their own."""
    return _encode(
        _trimmed(
            [
                [_refusal_row(refusal, intern) for refusal in record.refusals],
                [_grant_row(grant, intern) for grant in record.grants],
                [[*_exact_row(item.exact), *_moment_row(item.at)] for item in record.withdrawals],
                record.paused_until_ms,
                [_grant_row(grant, intern) for grant in record.pending],
                [_holder_row(holder) for holder in record.holders],
                None if record.description is None else _description_row(record.description, intern),
            ]
        )
    )


def decode_record(subject: Digest, version: int, state: bytes, text: TermText) -> Record:
    """The record of a stored state. Raises ValueError, KeyError or IndexError where it is not one."""
    refusals, grants, withdrawals, paused_until_ms, pending, holders, description = _filled(
        _decode(state), [[], [], [], None, [], [], None]
    )
    return Record(
        subject,
        version,
        tuple(_read_refusal(row, text) for row in refusals),
        tuple(_read_grant(row, text) for row in grants),
        tuple(Withdrawal(_read_exact(row[:3]), _read_moment(row[3:])) for row in withdrawals),
        paused_until_ms,
        tuple(_read_grant(row, text) for row in pending),
        tuple(_read_holder(row) for row in holders),
        None if description is None else _read_description(description, text),
    )


def told_by_state(state: bytes) -> Hashable:
    """What a stored state tells, so that equal ones tell the same: of refusals alone, not where from or since when.

    Raises ValueError or TypeError where it is no state.
    """
    row = _decode(state)
    if len(row) != 1:
        return state
    return tuple([(reason, None if scope is None else tuple(scope)) for reason, _, scope, *_ in row[0]])


def _refused_row(event: Refused, intern: Intern) -> Row:
    ends = None if event.ends_grants_of is None else _exact_row(event.ends_grants_of)
    scope = _scope_row(event.scope, intern)
    reason, source = _REASON_CODE[event.reason], intern(event.source)
    return _trimmed([event.received_ms, reason, source, scope, event.stated_ms, ends])


def _annulled_row(event: Annulled, intern: Intern) -> Row:
    restores = _optional(event.restores, lambda refusal: _refusal_row(refusal, intern))
    return _trimmed([event.received_ms, event.version, restores])


def _consent_row(event: Granted | Proposed, intern: Intern) -> Row:
    evidence = [intern(event.wording), intern(event.method), intern(event.actor)]
    cell, exact = _cell_row(event.cell, intern), _exact_row(event.exact)
    return _trimmed([event.received_ms, exact, cell, *evidence, event.stated_ms, event.expires_ms])


def _lifted_row(event: Lifted, intern: Intern) -> Row:
    purpose, channel = _optional(event.purpose, intern), _optional(event.channel, _CHANNEL_CODE.__getitem__)
    return _trimmed([event.received_ms, _REASON_CODE[event.reason], intern(event.cause), purpose, channel])


def _delivered_row(event: Delivered, intern: Intern) -> Row:
    return [event.received_ms, _CHANNEL_CODE[event.channel], intern(event.source)]


def _delisted_row(event: Delisted, intern: Intern) -> Row:
    return _trimmed([event.received_ms, intern(event.registry), _scope_row(event.scope, intern), event.stated_ms])


def _paused_row(event: Paused, _: Intern) -> Row:
    return [event.received_ms, event.until_ms]


def _held_row(event: Held, _: Intern) -> Row:
    address_class = _optional(event.address_class, _ADDRESS_CLASS_CODE.__getitem__)
    return _trimmed([event.received_ms, _subject_row(event.contact), address_class])


def _released_row(event: Released, _: Intern) -> Row:
    return [event.received_ms, _subject_row(event.contact)]


def _described_row(event: Described, intern: Intern) -> Row:
    audiences, addresses = list(map(intern, event.audiences)), list(map(_subject_row, event.addresses))
    return [event.received_ms, intern(event.source), _optional(event.attested_by, intern), audiences, addresses]


def _erased_row(event: Erased, intern: Intern) -> Row:
    return [event.received_ms, intern(event.source), [_refusal_row(refusal, intern) for refusal in event.survivors]]


def _read_refused(row: Row, text: TermText) -> Refused:
    received, reason, source, scope, stated, ends = _filled(row, [None] * 6)
    exact = None if ends is None else _read_exact(ends)
    return Refused(received, stated, _REASON[reason], _read_scope(scope, text), text(source), exact)


def _read_annulled(row: Row, text: TermText) -> Annulled:
    received, version, restores = _filled(row, [None] * 3)
    return Annulled(received, version, _optional(restores, lambda refusal: _read_refusal(refusal, text)))


def _read_granted(row: Row, text: TermText) -> Granted:
    return Granted(*_consent_fields(row, text))


def _read_proposed(row: Row, text: TermText) -> Proposed:
    return Proposed(*_consent_fields(row, text))


def _consent_fields(row: Row, text: TermText) -> tuple[int, int | None, Digest, Cell, str, str, str, int | None]:
    received, exact, cell, wording, method, actor, stated, expires = _filled(row, [None] * 8)
    evidence = (text(wording), text(method), text(actor))
    return (received, stated, _read_exact(exact), _read_cell(cell, text), *evidence, expires)


def _read_lifted(row: Row, text: TermText) -> Lifted:
    received, reason, cause, purpose, channel = _filled(row, [None] * 5)
    narrowed = _optional(purpose, text), _optional(channel, _CHANNEL.__getitem__)
    return Lifted(received, _REASON[reason], text(cause), *narrowed)


def _read_delivered(row: Row, text: TermText) -> Delivered:
    return Delivered(row[0], _CHANNEL[row[1]], text(row[2]))


def _read_delisted(row: Row, text: TermText) -> Delisted:
    received, registry, scope, stated = _filled(row, [None] * 4)
    return Delisted(received, text(registry), _read_scope(scope, text), stated)


def _read_paused(row: Row, _: TermText) -> Paused:
    return Paused(row[0], row[1])


def _read_erased(row: Row, text: TermText) -> Erased:
    return Erased(row[0], text(row[1]), tuple(_read_refusal(survivor, text) for survivor in row[2]))


def _read_held(row: Row, _: TermText) -> Held:
    received, contact, address_class = _filled(row, [None] * 3)
    return Held(received, _read_subject(contact), _optional(address_class, _ADDRESS_CLASS.__getitem__))


def _read_released(row: Row, _: TermText) -> Released:
    return Released(row[0], _read_subject(row[1]))


def _read_described(row: Row, text: TermText) -> Described:
    received, source, attested_by, audiences, addresses = row
    return Described(
        received,
        tuple(map(text, audiences)),
        text(source),
        _optional(attested_by, text),
        tuple(map(_read_subject, addresses)),
    )


_EVENT_WRITERS: dict[type[Event], tuple[int, Callable[[Any, Intern], Row]]] = {
    Refused: (_REFUSED, _refused_row),
    Granted: (_GRANTED, _consent_row),
    Lifted: (_LIFTED, _lifted_row),
    Delivered: (_DELIVERED, _delivered_row),
    Delisted: (_DELISTED, _delisted_row),
    Paused: (_PAUSED, _paused_row),
    Erased: (_ERASED, _erased_row),
    Proposed: (_PROPOSED, _consent_row),
    Held: (_HELD, _held_row),
    Released: (_RELEASED, _released_row),
    Described: (_DESCRIBED, _described_row),
    Annulled: (_ANNULLED, _annulled_row),
}
_EVENT_READERS: dict[int, Callable[[Row, TermText], Event]] = {
    _REFUSED: _read_refused,
    _GRANTED: _read_granted,
    _LIFTED: _read_lifted,
    _DELIVERED: _read_delivered,
    _DELISTED: _read_delisted,
    _PAUSED: _read_paused,
    _ERASED: _read_erased,
    _PROPOSED: _read_proposed,
    _HELD: _read_held,
    _RELEASED: _read_released,
    _DESCRIBED: _read_described,
    _ANNULLED: _read_annulled,
}


def _refusal_row(refusal: Refusal, intern: Intern) -> Row:
    scope = _scope_row(refusal.scope, intern)
    return [_REASON_CODE[refusal.reason], intern(refusal.source), scope, *_moment_row(refusal.at)]


def _read_refusal(row: Row, text: TermText) -> Refusal:
    return Refusal(_REASON[row[0]], _read_scope(row[2], text), text(row[1]), _read_moment(row[3:]))


def _grant_row(grant: Grant, intern: Intern) -> Row:
    evidence = [intern(grant.wording), intern(grant.method), intern(grant.actor)]
    return [_exact_row(grant.exact), _cell_row(grant.cell, intern), *evidence, grant.expires_ms, *_moment_row(grant.at)]


def _read_grant(row: Row, text: TermText) -> Grant:
    exact, cell, wording, method, actor, expires = row[:6]
    evidence = (text(wording), text(method), text(actor))
    return Grant(_read_exact(exact), _read_cell(cell, text), *evidence, _read_moment(row[6:]), expires)


def _holder_row(holder: Holder) -> Row:
    address_class = _optional(holder.address_class, _ADDRESS_CLASS_CODE.__getitem__)
    return [_subject_row(holder.contact), holder.since_ms, address_class]


def _read_holder(row: Row) -> Holder:
    contact, since_ms, address_class = row
    return Holder(_read_subject(contact), _optional(address_class, _ADDRESS_CLASS.__getitem__), since_ms)


def _description_row(description: Description, intern: Intern) -> Row:
    return [
        list(map(intern, description.audiences)),
        intern(description.source),
        _optional(description.attested_by, intern),
        list(map(_subject_row, description.addresses)),
        description.version,
    ]


def _read_description(row: Row, text: TermText) -> Description:
    audiences, source, attested_by, addresses, version = row
    return Description(
        tuple(map(text, audiences)),
        text(source),
        _optional(attested_by, text),
        tuple(map(_read_subject, addresses)),
        version,
    )


def _moment_row(moment: Moment) -> Row:
    return [moment.time_ms, moment.version, moment.is_stated]


def _read_moment(row: Row) -> Moment:
    time_ms, version, is_stated = row
    return Moment(time_ms, version, is_stated)


def _exact_row(exact: Digest) -> Row:
    return [exact.key, exact.rules, exact.value]


def _read_exact(row: Row) -> Digest:
    key, rules, value = row
    return Digest(DigestKind.EXACT, key, rules, value)


def _subject_row(subject: Digest) -> Row:
    return [int(subject.kind), subject.key, subject.rules, subject.value]


def _read_subject(row: Row) -> Digest:
    kind, key, rules, value = row
    return Digest(DigestKind(kind), key, rules, value)


def _scope_row(scope: Scope, intern: Intern) -> Row | None:
    if scope.is_everything:
        return None
    return _trimmed(
        [
            _optional(scope.channel, _CHANNEL_CODE.__getitem__),
            _optional(scope.purpose, intern),
            _optional(scope.purpose_class, _CLASS_CODE.__getitem__),
            _optional(scope.data_use, intern),
        ]
    )


def _read_scope(row: Row | None, text: TermText) -> Scope:
    if row is None:
        return EVERYTHING
    channel, purpose, purpose_class, data_use = _filled(row, [None] * 4)
    return Scope(
        _optional(purpose, text),
        _optional(purpose_class, _CLASS.__getitem__),
        _optional(channel, _CHANNEL.__getitem__),
        _optional(data_use, text),
    )


def _cell_row(cell: Cell, intern: Intern) -> Row:
    channel = _optional(cell.channel, _CHANNEL_CODE.__getitem__)
    return [_optional(cell.purpose, intern), channel, _optional(cell.data_use, intern)]


def _read_cell(row: Row, text: TermText) -> Cell:
    purpose, channel, data_use = row
    return Cell(_optional(purpose, text), _optional(channel, _CHANNEL.__getitem__), _optional(data_use, text))


def _optional(value: Any, convert: Callable[[Any], Any]) -> Any:
    return None if value is None else convert(value)


def _trimmed(row: Row) -> Row:
    """A row without the empty cells at its end, which `_filled` puts back."""
    while row and row[-1] in (None, []):
        row.pop()
    return row


def _filled(row: Sequence[Any], defaults: Row) -> Row:
    return [*row, *defaults[len(row) :]]
