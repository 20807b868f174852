"""Events and records survive their bytes, and the bytes of one version are read by every later one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefcenter.domain.contact import Description, Holder
from prefcenter.domain.digest import DIGEST_BYTES, Digest, DigestKind
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
from prefcenter.storage.mapping import decode_event, decode_record, encode_event, encode_record
from tests.factories import SUBJECT

EXACT = Digest(DigestKind.EXACT, 1, 1, bytes(range(16)))
TIMES = st.integers(0, 2**53)
SLUGS = st.sampled_from(["form", "newsletter@1", "import", "a.b-c", "offers"])
CHANNELS = st.sampled_from(Channel)
EXACTS = st.builds(
    Digest, st.just(DigestKind.EXACT), st.integers(1, 255), st.integers(1, 9), st.binary(min_size=16, max_size=16)
)
SCOPES = st.builds(
    Scope, st.none() | SLUGS, st.none() | st.sampled_from(PurposeClass), st.none() | CHANNELS, st.none() | SLUGS
)
CELLS = st.builds(Cell, st.none() | SLUGS, st.none() | CHANNELS, st.none() | SLUGS)
MOMENTS = st.builds(Moment, TIMES, st.integers(1, 2**40), st.booleans())
REASONS = st.sampled_from(RefusalReason)
REFUSALS = st.builds(Refusal, REASONS, SCOPES, SLUGS, MOMENTS)
GRANTS = st.builds(Grant, EXACTS, CELLS, SLUGS, SLUGS, SLUGS, MOMENTS, st.none() | TIMES)
SUBJECTS = st.builds(
    Digest, st.sampled_from(DigestKind), st.integers(1, 255), st.integers(1, 9), st.binary(min_size=16, max_size=16)
)
ADDRESS_CLASSES = st.none() | st.sampled_from(AddressClass)
AUDIENCES = st.lists(SLUGS, max_size=3).map(tuple)
ADDRESSES = st.lists(SUBJECTS, max_size=3).map(tuple)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Refused, TIMES, st.none() | TIMES, REASONS, SCOPES, SLUGS, st.none() | EXACTS),
    st.builds(Granted, TIMES, st.none() | TIMES, EXACTS, CELLS, SLUGS, SLUGS, SLUGS, st.none() | TIMES),
    st.builds(Proposed, TIMES, st.none() | TIMES, EXACTS, CELLS, SLUGS, SLUGS, SLUGS, st.none() | TIMES),
    st.builds(Held, TIMES, SUBJECTS, ADDRESS_CLASSES),
    st.builds(Released, TIMES, SUBJECTS),
    st.builds(Described, TIMES, AUDIENCES, SLUGS, st.none() | SLUGS, ADDRESSES),
    st.builds(Lifted, TIMES, REASONS, SLUGS, st.none() | SLUGS, st.none() | CHANNELS),
    st.builds(Delivered, TIMES, CHANNELS, SLUGS),
    st.builds(Delisted, TIMES, SLUGS, SCOPES, st.none() | TIMES),
    st.builds(Paused, TIMES, st.none() | TIMES),
    st.builds(Annulled, TIMES, st.integers(1, 2**40), st.none() | REFUSALS),
    st.builds(Erased, TIMES, SLUGS, st.lists(REFUSALS, max_size=3).map(tuple)),
)
RECORDS = st.builds(
    Record,
    st.just(SUBJECT),
    st.integers(0, 2**40),
    st.lists(REFUSALS, max_size=4).map(tuple),
    st.lists(GRANTS, max_size=3).map(tuple),
    st.lists(st.builds(Withdrawal, EXACTS, MOMENTS), max_size=3).map(tuple),
    st.none() | TIMES,
    st.lists(GRANTS, max_size=2).map(tuple),
    st.lists(st.builds(Holder, SUBJECTS, ADDRESS_CLASSES, TIMES), max_size=2).map(tuple),
    st.none() | st.builds(Description, AUDIENCES, SLUGS, st.none() | SLUGS, ADDRESSES, st.integers(1, 2**40)),
)


class Terms:
    """Interned texts, in the order in which they first came."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)

    def intern(self, text: str) -> int:
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text)

    def text(self, number: int) -> str:
        return dict(enumerate(self.texts))[number]


@given(EVENTS)
def test_an_event_survives_its_bytes(event: Event) -> None:
    terms = Terms()
    assert decode_event(encode_event(event, terms.intern), terms.text) == event


@given(RECORDS)
def test_a_record_survives_its_bytes(record: Record) -> None:
    terms = Terms()
    state = encode_record(record, terms.intern)
    assert decode_record(record.subject, record.version, state, terms.text) == record


@given(RECORDS)
def test_equal_records_have_equal_bytes(record: Record) -> None:
    terms = Terms()
    state = encode_record(record, terms.intern)
    again = decode_record(record.subject, record.version, state, terms.text)
    assert encode_record(again, terms.intern) == state


STORED: list[tuple[Event, str]] = [
    (Refused(1_000, None, RefusalReason.OPTED_OUT, EVERYTHING, "form"), "9401cd03e80400"),
    (
        Refused(1_000, 900, RefusalReason.BOUNCED, Scope(channel=Channel.EMAIL), "form", EXACT),
        "9701cd03e801009101cd0384930101c410000102030405060708090a0b0c0d0e0f",
    ),
    (Lifted(1_000, RefusalReason.LEGAL, "form", "offers", Channel.PUSH), "9603cd03e809000105"),
    (Delivered(1_000, Channel.SMS, "form"), "9404cd03e80200"),
    (Delisted(1_000, "form"), "9305cd03e800"),
    (Delisted(1_000, "form", Scope(channel=Channel.VOICE), 900), "9505cd03e8009103cd0384"),
    (Paused(1_000, None), "9306cd03e8c0"),
    (
        Granted(1_000, None, EXACT, Cell("offers", Channel.VOICE), "form", "form", "form", None),
        "9702cd03e8930101c410000102030405060708090a0b0c0d0e0f930103c0000000",
    ),
    (
        Erased(1_000, "form", (Refusal(RefusalReason.MANUAL, EVERYTHING, "form", Moment(7, 2, False)),)),
        "9407cd03e800919603" + "00c00702c2",
    ),
    (
        Proposed(1_000, 900, EXACT, Cell("offers", Channel.EMAIL), "form", "form", "form", None),
        "9808cd03e8930101c410000102030405060708090a0b0c0d0e0f930101c0000000cd0384",
    ),
    (Held(1_000, EXACT, AddressClass.PERSONAL), "9409cd03e894010101c410000102030405060708090a0b0c0d0e0f02"),
    (Annulled(1_000, 7), "930ccd03e807"),
    (
        Annulled(1_000, 7, Refusal(RefusalReason.OPTED_OUT, EVERYTHING, "form", Moment(900, 2, False))),
        "940ccd03e807960400c0cd038402c2",
    ),
    (Released(1_000, EXACT), "930acd03e894010101c410000102030405060708090a0b0c0d0e0f"),
    (
        Described(1_000, ("offers",), "form", None, (EXACT,)),
        "960bcd03e800c091019194010101c410000102030405060708090a0b0c0d0e0f",
    ),
]


@pytest.mark.parametrize(("event", "stored"), STORED)
def test_bodies_that_were_stored_once_are_read_and_written_alike(event: Event, stored: str) -> None:
    terms = Terms("form", "offers")
    assert encode_event(event, terms.intern).hex() == stored
    assert decode_event(bytes.fromhex(stored), terms.text) == event


def test_a_plain_refusal_takes_few_bytes() -> None:
    body = encode_event(Refused(1_795_000_000_000, None, RefusalReason.OPTED_OUT, EVERYTHING, "form"), lambda _: 0)
    assert len(body) <= DIGEST_BYTES


@pytest.mark.parametrize(
    "body",
    [b"", b"\x90", b"\xc1", b"\x91\x63", b"\x94\x01\xcd\x03\xe8\x63\x00", b"\x94\x01\xcd\x03\xe8\x04\x7f", b"\x01"],
)
def test_bytes_that_are_no_event_are_an_error_that_readers_expect(body: bytes) -> None:
    with pytest.raises((ValueError, KeyError, IndexError, TypeError)):
        decode_event(body, Terms("form").text)


@pytest.mark.parametrize(
    "state", [b"", b"\x01", b"\x91\x91\x01", b"\x95\x90\x90\x90\xc0\xc0", b"\x91\x91\x96\x63\x00\xc0\x07\x02\xc2"]
)
def test_bytes_that_are_no_record_are_an_error_that_readers_expect(state: bytes) -> None:
    with pytest.raises((ValueError, KeyError, IndexError, TypeError)):
        decode_record(SUBJECT, 1, state, Terms("form").text)


@pytest.mark.parametrize("address_class", [None, *AddressClass])
def test_every_class_of_address_has_a_code(address_class: AddressClass | None) -> None:
    event = Held(1, SUBJECT, address_class)
    assert decode_event(encode_event(event, Terms().intern), Terms().text) == event


@pytest.mark.parametrize("enumeration", [RefusalReason, Channel, PurposeClass])
def test_every_word_has_a_code(enumeration: Any) -> None:
    for word in enumeration:
        scope = Scope(
            purpose_class=word if enumeration is PurposeClass else None,
            channel=word if enumeration is Channel else None,
        )
        reason = word if enumeration is RefusalReason else RefusalReason.MANUAL
        event = Refused(1, None, reason, scope, "form")
        assert decode_event(encode_event(event, Terms("form").intern), Terms("form").text) == event
