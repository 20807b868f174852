"""`--links`: what is added to kept rows opens for their own address, and nothing else of a scrub changes."""

from __future__ import annotations

import asyncio
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.lists.contacts import Placed
from jobs.lists.delimited import KNOWN_MAX, DelimitedBatch, DelimitedSink
from jobs.lists.dialect import Dialect
from jobs.lists.encoding import Encoding
from jobs.lists.packed import PackedFile
from jobs.lists.records import RawRecord
from jobs.scrub import AddressChoice, ScrubPlan, scrub
from jobs.scrub.links import LINK_HEADINGS
from jobs.scrub.manifest import read_manifest
from jobs.scrub.verifying import Trouble, Verification, verify
from prefcenter.domain.errors import ActRefused, InvalidInput
from prefcenter.domain.terms import Channel
from tests.factories import MINUTE, NOW
from tests.jobs.lists.formats import MAKERS, rows_in
from tests.jobs.scrub.small_home import SmallHome, a_plan, document, left_in, output

ROWS = [
    {"id": 1, "email": "Pat@Acme.example", "mobile": "+447700900123", "kind": "work"},
    {"id": 2, "email": "kim@acme.example", "mobile": "+447700900124", "kind": "work"},
    {"id": 3, "email": "lee@acme.example", "mobile": "", "kind": "work"},
    {"id": 4, "email": "broken", "mobile": "", "kind": "work"},
]
EMAIL, SMS = AddressChoice(Channel.EMAIL, "email"), AddressChoice(Channel.SMS, "mobile")
PLAIN = ("kept.csv", "suppressed.csv", "rejected.csv")


@pytest.fixture
def home() -> SmallHome:
    home = SmallHome()
    home.opt_out("kim@acme.example")
    return home


def plan_of(directory: Path, suffix: str = ".csv", **changes: Any) -> ScrubPlan:
    content = MAKERS[suffix](ROWS)
    return a_plan(directory, content, f"list{suffix}", **{"class_column": "kind", "links": True} | changes)


def require_links_of(home: SmallHome, address: str, row: dict[str, Any]) -> None:
    """Both links of a row open, as of the scrub's time, for that address and the purpose of the scrub."""
    made = home.links.of_message(address, "client-marketing", Channel.EMAIL)
    for shown, expected in zip(
        (row[heading] for heading in LINK_HEADINGS), (made.unsubscribe_url, made.manage_url), strict=True
    ):
        link, other = home.links.open(shown.rpartition("/")[2]), home.links.open(expected.rpartition("/")[2])
        assert shown.rpartition("/")[0] == expected.rpartition("/")[0]
        assert link is not None
        assert other is not None
        assert (link, link.issued_ms) == (replace(other, issued_ms=NOW), NOW)


@pytest.mark.parametrize("suffix", MAKERS)
def test_each_kept_row_has_the_links_of_its_own_address(tmp_path: Path, home: SmallHome, suffix: str) -> None:
    home.scrub(plan_of(tmp_path, suffix))
    kept, suppressed, rejected = (
        rows_in(tmp_path / "out" / f"{name}{suffix}") for name in ("kept", "suppressed", "rejected")
    )
    assert [int(row["id"]) for row in kept] == [1, 3]
    assert list(kept[0]) == [*ROWS[0], *LINK_HEADINGS]
    for row in kept:
        require_links_of(home, row["email"], row)
    assert not set(LINK_HEADINGS) & {*suppressed[0], *rejected[0]}


@pytest.mark.parametrize("suffix", MAKERS)
def test_of_several_columns_the_email_has_links_where_it_may_be_used(
    tmp_path: Path, home: SmallHome, suffix: str
) -> None:
    home.scrub(plan_of(tmp_path, suffix, addresses=(SMS, EMAIL)))
    pat, kim, lee = rows_in(tmp_path / "out" / f"kept{suffix}")
    assert list(pat) == [*ROWS[0], "prefcenter_mobile_reason", "prefcenter_email_reason", *LINK_HEADINGS]
    require_links_of(home, "pat@acme.example", pat)
    require_links_of(home, "lee@acme.example", lee)
    assert [kim[heading] for heading in ("mobile", "prefcenter_email_reason", *LINK_HEADINGS)] == [
        "+447700900124",
        "opted_out",
        "",
        "",
    ]


def test_a_kept_row_is_its_own_bytes_and_two_cells_before_its_line_end(tmp_path: Path, home: SmallHome) -> None:
    content = b'id;email;kind\r\n1;"pat@acme.example" ;work\r\n3; lee@acme.example;"work"'
    home.scrub(a_plan(tmp_path, content, class_column="kind", links=True))
    header, *kept = output(tmp_path, "kept.csv").split(b"\r\n")
    assert header == b"id;email;kind;prefcenter_unsubscribe_url;prefcenter_manage_url"
    assert [row.rpartition(b";https://")[0].rpartition(b";https://")[0] for row in kept] == content.split(b"\r\n")[1:]


def test_only_kept_and_the_word_in_the_manifest_differ_from_a_scrub_without(tmp_path: Path, home: SmallHome) -> None:
    home.scrub(a_plan(tmp_path, class_column="kind"))
    without, files = document(tmp_path), [output(tmp_path, name) for name in PLAIN[1:]]
    (tmp_path / "out").rename(tmp_path / "before")
    home.scrub(a_plan(tmp_path, class_column="kind", links=True))
    with_links = document(tmp_path)
    assert [output(tmp_path, name) for name in PLAIN[1:]] == files
    assert {key for key in without if without[key] != with_links[key]} == {"links", "outputs", "mac"}
    assert (without["links"], with_links["links"]) == (False, True)


def test_the_same_scrub_again_writes_the_same_links(tmp_path: Path, home: SmallHome) -> None:
    home.scrub(plan_of(tmp_path))
    first = output(tmp_path, "kept.csv")
    home.scrub(plan_of(tmp_path, out=tmp_path / "again"))
    assert (tmp_path / "again" / "kept.csv").read_bytes() == first


@pytest.mark.parametrize("suffix", MAKERS)
@pytest.mark.parametrize("addresses", [(), (SMS, EMAIL)], ids=["one", "two"])
def test_outputs_with_links_are_verified_like_others(
    tmp_path: Path, home: SmallHome, suffix: str, addresses: tuple[AddressChoice, ...]
) -> None:
    home.scrub(plan_of(tmp_path, suffix, addresses=addresses))
    assert troubles(tmp_path, home) == []
    home.opt_out("stranger@acme.example")
    assert troubles(tmp_path, home) == []
    home.opt_out("lee@acme.example")
    assert troubles(tmp_path, home) == [Trouble.REFUSED_SINCE]


def troubles(directory: Path, home: SmallHome) -> list[Trouble]:
    read = read_manifest(directory / "out" / "manifest.json", home.sealer_of)
    asked = Verification(directory / "out", read, NOW + MINUTE)
    found = verify(asked, home.decisions, lambda heads: home.store.holds_heads(home.policy.controller, heads))
    return [finding.trouble for finding in asyncio.run(found)]


@pytest.mark.parametrize(
    "changes",
    [
        {"channel": Channel.SMS},
        {"addresses": (SMS,)},
        {"addresses": (EMAIL, AddressChoice(Channel.EMAIL, "mobile"))},
    ],
)
def test_without_exactly_one_column_of_emails_nothing_is_written(
    tmp_path: Path, home: SmallHome, changes: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput, match=r"^--links: go with exactly one column of email addresses$"):
        home.scrub(plan_of(tmp_path, **changes))
    assert left_in(tmp_path) == ["list.csv"]


def test_an_administrative_purpose_has_no_links(tmp_path: Path, home: SmallHome) -> None:
    with pytest.raises(ActRefused, match="administrative"):
        home.scrub(plan_of(tmp_path, purpose="contract-service"))
    assert left_in(tmp_path) == ["list.csv"]


def test_links_cannot_be_as_of_any_year(tmp_path: Path, home: SmallHome) -> None:
    with pytest.raises(InvalidInput, match=r"^at: "):
        home.scrub(plan_of(tmp_path, at_ms=-1))
    assert left_in(tmp_path) == ["list.csv"]


def test_without_anything_to_make_links_nothing_is_written(tmp_path: Path, home: SmallHome) -> None:
    with pytest.raises(InvalidInput, match=r"^--links: "):
        asyncio.run(scrub(plan_of(tmp_path), home.decisions, home.sealer, lambda: NOW))
    assert left_in(tmp_path) == ["list.csv"]


class Discarded:
    """A file of no interest."""

    directory = Path()

    def write(self, content: bytes | memoryview, /) -> None:
        """Keep nothing."""


def test_memory_does_not_grow_with_cells_that_differ_from_row_to_row() -> None:
    sink = DelimitedSink(PackedFile(Discarded(), None), Encoding("utf-8"), Dialect(","))
    row = DelimitedBatch([RawRecord(1, "pat@acme.example", ("pat@acme.example",), "\n")], 1)
    tracemalloc.start()
    for number in range(3 * KNOWN_MAX):
        if number == KNOWN_MAX:
            full = tracemalloc.get_traced_memory()[0]
        sink.write(row, [Placed(0, (f"{number:0100}", f"{number:0100}"))])
    grown = tracemalloc.get_traced_memory()[0] - full
    tracemalloc.stop()
    assert grown < full / 10
