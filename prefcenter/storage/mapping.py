"""Events and records as compact bytes, shared by all backends. Texts are interned; the codes below never change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.events import (
    EVERYTHING,
    Cell,
    Delisted,
    Delivered,
    Erased,
    Event,
    Granted,
    Lifted,
    Moment,
    Paused,
    Refusal,
    Refused,
    Scope,
)
from prefcenter.domain.record import Grant, Record, Withdrawal
from prefcenter.domain.terms import Channel, PurposeClass, RefusalReason

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
_REASON = {code: reason for reason, code in _REASON_CODE.items()}
_CHANNEL = {code: channel for channel, code in _CHANNEL_CODE.items()}
_CLASS = {code: purpose_class for purpose_class, code in _CLASS_CODE.items()}

_REFUSED, _GRANTED, _LIFTED, _DELIVERED, _DELISTED, _PAUSED, _ERASED = range(1, 8)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

Row = list[Any]


def encode_event(event: Event, intern: Intern) -> bytes:
    """The body of an event as MessagePack."""
    return _encode(_event_row(event, intern))


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
            ]
        )
    )


def decode_record(subject: Digest, version: int, state: bytes, text: TermText) -> Record:
    """The record of a stored state. Raises ValueError, KeyError or IndexError where it is not one."""
    refusals, grants, withdrawals, paused_until_ms = _filled(_decode(state), [[], [], [], None])
    return Record(
        subject,
        version,
        tuple(_read_refusal(row, text) for row in refusals),
        tuple(_read_grant(row, text) for row in grants),
        tuple(Withdrawal(_read_exact(row[:3]), _read_moment(row[3:])) for row in withdrawals),
        paused_until_ms,
    )


def _event_row(event: Event, intern: Intern) -> Row:
    match event:
        case Refused():
            ends = None if event.ends_grants_of is None else _exact_row(event.ends_grants_of)
            scope = _scope_row(event.scope, intern)
            reason, source = _REASON_CODE[event.reason], intern(event.source)
            return _trimmed([_REFUSED, event.received_ms, reason, source, scope, event.stated_ms, ends])
        case Granted():
            evidence = [intern(event.wording), intern(event.method), intern(event.actor)]
            cell, exact = _cell_row(event.cell, intern), _exact_row(event.exact)
            return _trimmed([_GRANTED, event.received_ms, exact, cell, *evidence, event.stated_ms, event.expires_ms])
        case Lifted():
            purpose, channel = _optional(event.purpose, intern), _optional(event.channel, _CHANNEL_CODE.__getitem__)
            reason = _REASON_CODE[event.reason]
            return _trimmed([_LIFTED, event.received_ms, reason, intern(event.cause), purpose, channel])
        case Delivered():
            return [_DELIVERED, event.received_ms, _CHANNEL_CODE[event.channel], intern(event.source)]
        case Delisted():
            scope = _scope_row(event.scope, intern)
            return _trimmed([_DELISTED, event.received_ms, intern(event.registry), scope, event.stated_ms])
        case Paused():
            return [_PAUSED, event.received_ms, event.until_ms]
        case Erased():
            survivors = [_refusal_row(refusal, intern) for refusal in event.survivors]
            return [_ERASED, event.received_ms, intern(event.source), survivors]


def _read_refused(row: Row, text: TermText) -> Refused:
    received, reason, source, scope, stated, ends = _filled(row, [None] * 6)
    exact = None if ends is None else _read_exact(ends)
    return Refused(received, stated, _REASON[reason], _read_scope(scope, text), text(source), exact)


def _read_granted(row: Row, text: TermText) -> Granted:
    received, exact, cell, wording, method, actor, stated, expires = _filled(row, [None] * 8)
    evidence = (text(wording), text(method), text(actor))
    return Granted(received, stated, _read_exact(exact), _read_cell(cell, text), *evidence, expires)


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


_EVENT_READERS: dict[int, Callable[[Row, TermText], Event]] = {
    _REFUSED: _read_refused,
    _GRANTED: _read_granted,
    _LIFTED: _read_lifted,
    _DELIVERED: _read_delivered,
    _DELISTED: _read_delisted,
    _PAUSED: _read_paused,
    _ERASED: _read_erased,
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
