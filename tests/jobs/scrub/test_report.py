"""The report: one page for people, which needs nothing else and names nobody."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from jobs.scrub.manifest import Manifest
from jobs.scrub.report import OTHER_REASONS, REASONS_IN_WORDS, render_report
from jobs.scrub.tally import DUPLICATE, EMPTY_ADDRESS, RAGGED_ROW
from prefcenter.domain.terms import Reason
from tests.jobs.scrub.small_home import LIST, SmallHome, a_plan, document, output

FUNNEL_STEPS = 5
VOID = {"meta", "link", "br", "img"}


class Outline(HTMLParser):
    """Checks that tags are balanced, and collects them with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def home() -> SmallHome:
    return SmallHome()


def report_of(directory: Path, home: SmallHome, **changes: Any) -> str:
    home.scrub(a_plan(directory, **changes))
    return output(directory, "report.html").decode()


def test_the_report_is_one_whole_page_that_loads_and_runs_nothing(tmp_path: Path, home: SmallHome) -> None:
    report = report_of(tmp_path, home)
    outline = Outline()
    outline.feed(report)
    assert outline.open == []
    names = {tag for tag, _ in outline.tags}
    assert not names & {"script", "link", "img", "iframe", "a", "form"}
    assert not {key for _, attributes in outline.tags for key in attributes} & {"src", "href", "srcset", "onclick"}
    assert "url(" not in report
    assert "default-src 'none'" in report


def test_the_report_can_be_read_by_everybody(tmp_path: Path, home: SmallHome) -> None:
    report = report_of(tmp_path, home)
    outline = Outline()
    outline.feed(report)
    assert ("html", {"lang": "en"}) in outline.tags
    assert [tag for tag, _ in outline.tags if tag in ("h1", "h2", "main")] == ["main", "h1", *["h2"] * 5]
    assert all("scope" in attributes for tag, attributes in outline.tags if tag == "th")
    assert all(attributes.get("aria-hidden") == "true" for tag, attributes in outline.tags if tag == "svg")
    assert "color-scheme: light dark" in report
    assert "prefers-color-scheme: dark" in report
    assert re.search(r"<title>.+</title>", report)


ROW = r"<tr><td>(\w+)</td>\s*<th scope=\"row\">(.*?)(?: \(<code>\w+</code>\))?</th>\s*<td[^>]*>(\d+)</td>"
HEADER, ROWS = LIST[: LIST.index(b"\n") + 1], LIST[LIST.index(b"\n") + 1 :]


def test_the_bars_stand_beside_the_table_of_the_same_numbers(tmp_path: Path, home: SmallHome) -> None:
    home.opt_out("kim@acme.example")
    report = report_of(tmp_path, home, content=HEADER + 5 * ROWS, class_column="kind", audience="client")
    rows = re.findall(ROW, report)
    assert rows == [
        ("kept", REASONS_IN_WORDS[Reason.PERMITTED], "5"),
        ("suppressed", REASONS_IN_WORDS[Reason.NO_CONSENT], "5"),
        ("suppressed", REASONS_IN_WORDS[Reason.OPTED_OUT], "5"),
        ("rejected", REASONS_IN_WORDS[EMPTY_ADDRESS], "5"),
        ("rejected", REASONS_IN_WORDS[Reason.INVALID_ADDRESS], "5"),
        ("rejected", REASONS_IN_WORDS[RAGGED_ROW], "5"),
    ]
    assert report.count('<rect class="suppressed" x="0"') == 2
    assert report.count("<svg") == report.count("</svg>") == len(rows) + FUNNEL_STEPS + len(document(tmp_path)["cells"])


def test_reasons_of_a_few_rows_are_not_told_apart(tmp_path: Path, home: SmallHome) -> None:
    home.opt_out("kim@acme.example")
    home.bounce("pat@acme.example")
    few = report_of(tmp_path, home, content=HEADER + 4 * ROWS, class_column="kind", audience="client")
    assert re.findall(ROW, few) == [
        ("kept", REASONS_IN_WORDS[Reason.PERMITTED], "0"),
        ("suppressed", OTHER_REASONS, "12"),
        ("rejected", OTHER_REASONS, "12"),
    ]
    assert "<code>bounced</code>" not in few
    assert document(tmp_path)["reasons"]["suppressed"] == {"bounced": 4, "no_consent": 4, "opted_out": 4}


def test_the_report_names_nobody(tmp_path: Path, home: SmallHome) -> None:
    report = report_of(tmp_path, home)
    assert "@" not in report.replace("@media", "")
    assert not re.search("pat|kim|lee", report)


def test_names_are_escaped(tmp_path: Path, home: SmallHome) -> None:
    report = report_of(tmp_path, home, name="<b>&list.csv")
    assert "<b>" not in report
    assert "&lt;b&gt;&amp;list.csv" in report


def test_a_name_that_turns_the_direction_of_writing_turns_itself_only(tmp_path: Path, home: SmallHome) -> None:
    report = report_of(tmp_path, home, name="\u202elist.csv")
    assert "<bdi>\u202elist.csv</bdi>" in report


def test_a_report_of_no_rows_has_empty_bars(tmp_path: Path, home: SmallHome) -> None:
    report = report_of(tmp_path, home, content=b"email\n")
    assert 'width="0.0"' in report
    assert "0.0%" in report


def test_the_report_shows_rates_where_there_are_any(tmp_path: Path, home: SmallHome) -> None:
    report_of(tmp_path, home)
    manifest = document(tmp_path)
    manifest["run"] |= {"seconds": 2.5, "rowsPerSecond": 4000}
    assert "(2.5 s,\n4,000 rows a second)" in render_report(Manifest(manifest), home.policy)


def test_every_reason_has_its_words() -> None:
    assert set(REASONS_IN_WORDS) == {*Reason, EMPTY_ADDRESS, RAGGED_ROW, DUPLICATE}
