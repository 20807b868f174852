"""Facts about the ledger's shape (DESIGN §2, Ledger; CONTRACTS: Ledger)."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256

import pytest

from prefcenter.domain.ledger import PARTITIONS, Head, partition_of


def test_there_are_eight_partitions() -> None:
    assert PARTITIONS == 8


@pytest.mark.parametrize(
    ("first_byte", "partition"), [(0, 0), (1, 1), (7, 7), (8, 0), (15, 7), (16, 0), (200, 0), (254, 6), (255, 7)]
)
def test_the_first_byte_of_a_digest_says_its_partition(first_byte: int, partition: int) -> None:
    for rest in (bytes(15), b"\xff" * 15):
        assert partition_of(bytes((first_byte,)) + rest) == partition


def test_digests_spread_evenly_over_the_partitions() -> None:
    counts = Counter(partition_of(sha256(bytes((number % 256, number // 256))).digest()) for number in range(8_000))
    assert set(counts) == set(range(8))
    assert all(850 < count < 1_150 for count in counts.values())


def test_a_partition_without_events_has_an_empty_head() -> None:
    assert Head() == Head(position=0, mac=b"")
