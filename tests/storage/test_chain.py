"""A chain shows every change of every field of every event, and every head that does not lie on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256

import pytest

from prefcenter.domain.digest import Digest, DigestKind, Digests
from prefcenter.domain.ledger import PARTITIONS, Head, partition_of
from prefcenter.security.keyring import new_keyring
from prefcenter.security.seals import Sealer
from prefcenter.storage.chain import EventRow, Links, chain_faults, link, links, links_one_by_one

KEYRING = new_keyring("2026-11-21T00:00:00.000Z")
SEALER = Sealer(KEYRING, "acme")
PARTITION = 3
SUBJECT = Digest(DigestKind.MAILBOX, 1, 1, bytes([PARTITION]) + bytes(15))


def a_chain(length: int = 5) -> list[EventRow]:
    rows: list[EventRow] = []
    for position in range(1, length + 1):
        row = EventRow(position, SUBJECT, position, 1, bytes([position]) * 8, b"body %d" % position, b"")
        rows.append(replace(row, mac=link(SEALER, 1, PARTITION, row, rows[-1].mac if rows else b"")))
    return rows


def faults(rows: Sequence[EventRow], *expected: Head) -> list[str]:
    return list(chain_faults(SEALER, PARTITION, rows, expected))


def head_of(row: EventRow) -> Head:
    return Head(row.position, row.mac)


def test_a_whole_chain_has_no_faults() -> None:
    chain = a_chain()
    assert faults(chain, Head(), *map(head_of, chain)) == []
    assert faults([]) == []


CHANGES: dict[str, Callable[[EventRow], EventRow]] = {
    "position": lambda row: replace(row, position=row.position + 100),
    "kind": lambda row: replace(row, subject=replace(row.subject, kind=DigestKind.PHONE)),
    "subject's key": lambda row: replace(row, subject=replace(row.subject, key=2)),
    "rules": lambda row: replace(row, subject=replace(row.subject, rules=2)),
    "digest": lambda row: replace(row, subject=replace(row.subject, value=row.subject.value[:-1] + b"\1")),
    "version": lambda row: replace(row, version=row.version + 1),
    "key": lambda row: replace(row, key=9),
    "salt": lambda row: replace(row, salt=bytes(8)),
    "no salt": lambda row: replace(row, salt=None),
    "body": lambda row: replace(row, body=b"another"),
    "mac": lambda row: replace(row, mac=bytes(16)),
}


@pytest.mark.parametrize("field", CHANGES)
@pytest.mark.parametrize("at", [0, 2, 4])
def test_a_changed_field_is_named_with_its_place(field: str, at: int) -> None:
    chain = a_chain()
    chain[at] = CHANGES[field](chain[at])
    assert any(f"event {chain[at].position} was altered" in fault for fault in faults(chain))


def test_an_erased_body_leaves_the_chain_whole() -> None:
    chain = a_chain()
    chain[1] = replace(chain[1], salt=None, body=chain[1].body_hash)
    assert chain[1].is_erased
    assert faults(chain) == []


def test_a_missing_event_is_named() -> None:
    chain = a_chain()
    assert faults(chain[:2] + chain[3:])[0] == "partition 3: event 3 is missing, 4 follows"


def test_events_whose_places_were_exchanged_are_named() -> None:
    chain = a_chain()
    chain[1], chain[2] = replace(chain[2], position=2), replace(chain[1], position=3)
    assert len(faults(chain)) == 3


def test_a_chain_that_was_cut_off_is_whole_by_itself_and_not_by_an_earlier_head() -> None:
    chain = a_chain()
    assert faults(chain[:4]) == []
    (fault,) = faults(chain[:4], head_of(chain[4]))
    assert fault.startswith("partition 3: cut off after event 4, an earlier head signed event 5")


def test_a_chain_that_went_on_differently_is_named_whatever_other_heads_say() -> None:
    chain, signed_elsewhere = a_chain(), Head(2, bytes(16))
    for heads in ([signed_elsewhere], [signed_elsewhere, head_of(chain[1])], [head_of(chain[1]), signed_elsewhere]):
        (fault,) = faults(chain, *heads)
        assert "event 2 is not the one that an earlier head signed" in fault


def test_an_event_of_another_partition_is_named() -> None:
    elsewhere = replace(SUBJECT, value=bytes([PARTITION + 1]) + bytes(15))
    row = EventRow(1, elsewhere, 1, 1, bytes(8), b"body", b"")
    row = replace(row, mac=link(SEALER, 1, PARTITION, row, b""))
    assert faults([row]) == ["partition 3: event 1 belongs to another partition"]


def test_one_controllers_chain_is_not_anothers() -> None:
    assert len(list(chain_faults(Sealer(KEYRING, "globex"), PARTITION, a_chain(), []))) == 5


def test_a_number_beyond_what_is_sealed_is_a_fault_and_no_crash() -> None:
    chain = a_chain(1)
    assert faults([replace(chain[0], version=2**70)])


def many_subjects(count: int) -> Digests:
    return Digests(DigestKind.MAILBOX, 1, 1, [sha256(b"%d" % number).digest()[:16] for number in range(count)])


@pytest.mark.parametrize("chain", [links, links_one_by_one])
@pytest.mark.parametrize("size", [0, 6, 400])
@pytest.mark.parametrize("of_each", [True, False])
def test_links_of_many_events_are_those_of_each_of_them(
    chain: Callable[..., Links], size: int, *, of_each: bool
) -> None:
    """Partitions that are empty and that are not, a body for each and one for all; by compiled code and by Python."""
    subjects, ends = many_subjects(300), [Head(), Head(7, b"m" * 16), *[Head()] * 6]
    salts = b"".join(b"%08d" % number for number in range(len(subjects)))
    bodies = [(b"%03d" % number * size)[:size] for number in range(len(subjects) if of_each else 1)]
    made = chain(SEALER, subjects, 5, bodies, ends, salts)
    for index, subject in enumerate(subjects):
        body = bodies[index if of_each else 0]
        number, salt = partition_of(subject.value), salts[8 * index : 8 * index + 8]
        row = EventRow(ends[number].position + 1, subject, 5, SEALER.active_key_id, salt, body, b"")
        ends[number] = Head(row.position, link(SEALER, SEALER.active_key_id, number, row, ends[number].mac))
        assert made.places[index] == row.position * PARTITIONS + number
        assert made.macs[16 * index : 16 * index + 16] == ends[number].mac
    assert list(made.heads) == ends
    assert made.salts == salts


def test_links_of_nobody_leave_the_heads_where_they_are() -> None:
    heads = [Head(), Head(7, b"m" * 16), *[Head()] * 6]
    for chain in (links, links_one_by_one):
        made = chain(SEALER, many_subjects(0), 1, [b"body"], heads, b"")
        assert (made.places, made.macs, list(made.heads)) == ([], b"", heads)
