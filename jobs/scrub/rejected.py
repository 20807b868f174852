"""At which domains the unreadable email addresses of a list are, for whoever has to mend it at its source.

Counted in the file of rejected rows, so that every engine gives the same. A domain that few rows share could point at
a person, so small counts are merged (CC1-12, TCC-6), and what does not look like a domain is not shown at all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jobs.lists import Column, ContactList, RowBatch
from jobs.lists.contacts import Found
from jobs.lists.inputs import reopen_list
from jobs.scrub.plan import ScrubPlan
from prefcenter.domain.errors import InvalidList
from prefcenter.domain.terms import Channel

FEWEST_SHOWN = 5
MOST_SHOWN = 10
ROWS_READ_MAX = 200_000
DISTINCT_MAX = 20_000
OTHER = "other"
DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}")


@dataclass(frozen=True, slots=True)
class DomainCount:
    """A masked domain, or `other`, and how many rejected addresses are there."""

    domain: str
    count: int


def rejected_domains(path: Path, plan: ScrubPlan, contacts: ContactList) -> Sequence[DomainCount]:
    """The most frequent domains in a file of rejected rows, as far as its first 200,000, and how many others.

    A row that just fits the limit of a record no longer does with its reason added; what comes after it is not counted.
    """
    columns = [
        column
        for column, choice in zip(contacts.found.addresses, plan.choices, strict=True)
        if choice.channel is Channel.EMAIL
    ]
    if not columns:
        return []
    counted: Counter[str] = Counter()
    with suppress(InvalidList), reopen_list(path, Found(tuple(columns), None, None), contacts.described()) as rejected:
        for batch in _first(rejected.batches(), ROWS_READ_MAX):
            _count(_domains(batch, rejected.found.addresses), counted)
    return _merged(counted)


def _first(batches: Iterator[RowBatch], rows: int) -> Iterator[RowBatch]:
    """Batches as long as they begin among so many rows."""
    read = 0
    for batch in batches:
        if read >= rows:
            return
        yield batch
        read += len(batch)


def _domains(batch: RowBatch, columns: Sequence[Column]) -> Iterator[str]:
    for column in columns:
        for cell in batch.cells(column):
            if cell and "@" in cell:
                domain = cell.rpartition("@")[2].strip(" \t<>\"'.;,").lower()
                yield domain if DOMAIN.fullmatch(domain) else OTHER


def _count(domains: Iterator[str], counted: Counter[str]) -> None:
    """Count a bounded number of domains; those that come later are others."""
    for domain in domains:
        counted[domain if domain in counted or len(counted) < DISTINCT_MAX else OTHER] += 1


def _merged(counted: Counter[str]) -> Sequence[DomainCount]:
    by_count = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    shown = [item for item in by_count if item[0] != OTHER and item[1] >= FEWEST_SHOWN][:MOST_SHOWN]
    others = counted.total() - sum(count for _, count in shown)
    named = [DomainCount(f"***@{domain}", count) for domain, count in shown]
    return [*named, DomainCount(OTHER, others)] if others else named
