"""Several addresses in a row, mailboxes that repeat, audiences and employers: what a row is asked and what it gets."""

from __future__ import annotations

import asyncio
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from jobs.scrub import AddressChoice, ScrubPlan
from jobs.scrub.duplicates import SeenMailboxes
from jobs.scrub.employers import read_employer_domains
from jobs.scrub.tally import EMPTY, RAGGED, REPEATED, Outcome, Output, outcome_of_row
from prefcenter.domain.errors import InvalidInput, InvalidList
from prefcenter.domain.events import EVERYTHING, Cell
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.services.admission import Consent
from tests.factories import DAY, NOW
from tests.jobs.lists.formats import MAKERS, rows_in
from tests.jobs.scrub.small_home import SmallHome, a_plan, document, left_in, output

PEOPLE = [
    {"id": 1, "work": "pat@acme.example", "mobile": "+447700900123", "kind": "business"},
    {"id": 2, "work": "kim@acme.example", "mobile": "+447700900124", "kind": "business"},
    {"id": 3, "work": "lee@acme.example", "mobile": "", "kind": "business"},
    {"id": 4, "work": "kim@acme.example", "mobile": "12", "kind": "business"},
    {"id": 5, "work": "broken", "mobile": "", "kind": "business"},
    {"id": 6, "work": "", "mobile": "", "kind": "business"},
]
TWO = (AddressChoice(Channel.EMAIL, "work"), AddressChoice(Channel.SMS, "mobile"))


@pytest.fixture
def home() -> SmallHome:
    home = SmallHome()
    home.opt_out("kim@acme.example")
    return home


def scrubbed(directory: Path, home: SmallHome, rows: list[dict[str, Any]], suffix: str, **changes: Any) -> None:
    name = f"list{suffix}"
    home.scrub(a_plan(directory, MAKERS[suffix](rows), name, class_column="kind", **changes))


def ids_in(directory: Path, output_name: str, suffix: str = ".csv") -> list[int]:
    return [int(row["id"]) for row in rows_in(directory / "out" / f"{output_name}{suffix}")]


@pytest.mark.parametrize("suffix", MAKERS)
def test_addresses_that_may_not_be_used_are_blank_in_kept(tmp_path: Path, home: SmallHome, suffix: str) -> None:
    scrubbed(tmp_path, home, PEOPLE, suffix, addresses=TWO)
    kept = rows_in(tmp_path / "out" / f"kept{suffix}")
    assert [(row["work"] or None, row["mobile"] or None) for row in kept] == [
        ("pat@acme.example", "+447700900123"),
        (None, "+447700900124"),
        ("lee@acme.example", None),
    ]
    assert [(row["prefcenter_work_reason"], row["prefcenter_mobile_reason"]) for row in kept] == [
        ("permitted", "permitted"),
        ("opted_out", "permitted"),
        ("permitted", "empty_address"),
    ]
    reasons = ("prefcenter_reason", "prefcenter_clause", "prefcenter_work_reason", "prefcenter_mobile_reason")
    rows = {name: rows_in(tmp_path / "out" / f"{name}{suffix}") for name in ("suppressed", "rejected")}
    assert {name: [tuple(row[key] for key in reasons) for row in found] for name, found in rows.items()} == {
        "suppressed": [("opted_out", "OC-1", "opted_out", "invalid_address")],
        "rejected": [
            ("invalid_address", "", "invalid_address", "empty_address"),
            ("empty_address", "", "empty_address", "empty_address"),
        ],
    }
    assert rows["suppressed"][0]["work"] == "kim@acme.example"


def test_the_manifest_tells_columns_channels_and_what_came_of_their_cells(tmp_path: Path, home: SmallHome) -> None:
    scrubbed(tmp_path, home, PEOPLE, ".csv", addresses=TWO)
    manifest = document(tmp_path)
    assert manifest["channel"] is None
    assert manifest["list"]["addressColumn"] is None
    assert manifest["addresses"] == [
        {"channel": "email", "column": 2, "class": None},
        {"channel": "sms", "column": 3, "class": None},
    ]
    assert manifest["cells"] == [
        {"channel": "email", "class": "business", "kept": 2, "suppressed": 2, "rejected": 1},
        {"channel": "email", "class": "unstated", "kept": 0, "suppressed": 0, "rejected": 1},
        {"channel": "sms", "class": "business", "kept": 2, "suppressed": 0, "rejected": 1},
        {"channel": "sms", "class": "unstated", "kept": 0, "suppressed": 0, "rejected": 3},
    ]


def test_all_but_the_blanked_cells_are_the_bytes_of_the_list(tmp_path: Path, home: SmallHome) -> None:
    content = (
        b'id;"work";mobile;kind;note\r\n'
        b'1; "x" ;+447700900124;business;"a;""b"""\r\n'
        b'2;"kim@acme.example";"+447700900124";business;"a;""b\r\nc"""\r\n'
    )
    home.scrub(a_plan(tmp_path, content, class_column="kind", addresses=TWO))
    assert output(tmp_path, "kept.csv") == (
        b'id;"work";mobile;kind;note;prefcenter_work_reason;prefcenter_mobile_reason\r\n'
        b'1;;+447700900124;business;"a;""b""";invalid_address;permitted\r\n'
        b'2;;"+447700900124";business;"a;""b\r\nc""";opted_out;permitted\r\n'
    )


def test_columns_of_a_list_without_a_header_are_named_by_number(tmp_path: Path, home: SmallHome) -> None:
    addresses = (AddressChoice(Channel.EMAIL, "2"), AddressChoice(Channel.SMS, "3"))
    content = b"1,pat@acme.example,+447700900123,business\n2,kim@acme.example,12,business\n"
    home.scrub(a_plan(tmp_path, content, class_column="4", addresses=addresses))
    assert output(tmp_path, "kept.csv") == b"1,pat@acme.example,+447700900123,business,permitted,permitted\n"
    assert output(tmp_path, "suppressed.csv").endswith(b"business,opted_out,OC-1,opted_out,invalid_address\n")


def test_members_of_a_line_are_blanked_where_they_stand(tmp_path: Path, home: SmallHome) -> None:
    content = b'{"kind":"business", "work" : "kim@acme.example" ,"x":{"work":1},"mobile":"+447700900124"}\n'
    addresses = (TWO[1], TWO[0])
    home.scrub(a_plan(tmp_path, content, "list.ndjson", class_column="kind", addresses=addresses))
    assert output(tmp_path, "kept.ndjson") == (
        b'{"kind":"business", "work" : null ,"x":{"work":1},"mobile":"+447700900124"'
        b',"prefcenter_mobile_reason":"permitted","prefcenter_work_reason":"opted_out"}\n'
    )


@pytest.mark.parametrize(
    ("choice", "kept"),
    [
        (AddressChoice(Channel.EMAIL, "work"), 1),
        (AddressChoice(Channel.EMAIL, "work", AddressClass.PERSONAL), 0),
        (AddressChoice(Channel.EMAIL, "home_mail"), 0),
        (AddressChoice(Channel.EMAIL, "home_mail", AddressClass.BUSINESS), 1),
    ],
)
def test_a_column_of_home_addresses_is_personal(
    tmp_path: Path, home: SmallHome, choice: AddressChoice, kept: int
) -> None:
    content = b"work,home_mail,kind\npat@acme.example,sam@acme.example,business\n"
    manifest = home.scrub(a_plan(tmp_path, content, class_column="kind", addresses=(choice,)))
    assert manifest.counts["kept"] == kept


def test_each_channel_must_be_one_that_the_purpose_offers(tmp_path: Path, home: SmallHome) -> None:
    addresses = (TWO[0], AddressChoice(Channel.PUSH, "mobile"))
    with pytest.raises(InvalidInput, match="--channel: client-marketing is not offered by push"):
        home.scrub(a_plan(tmp_path, addresses=addresses))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ((EMPTY, Outcome(Output.KEPT, "permitted")), "permitted"),
        ((EMPTY, Outcome(Output.SUPPRESSED, "bounced"), Outcome(Output.SUPPRESSED, "legal")), "bounced"),
        ((EMPTY, REPEATED), "duplicate"),
        ((EMPTY, Outcome(Output.REJECTED, "invalid_address")), "invalid_address"),
        ((EMPTY, EMPTY), "empty_address"),
        ((RAGGED, RAGGED), "ragged_row"),
    ],
)
def test_a_row_is_what_its_most_useful_address_is(cells: tuple[Outcome, ...], expected: str) -> None:
    assert outcome_of_row(cells).reason == expected


SPELLINGS = ["pat.doe@gmail.com", "kim@acme.example", "PatDoe+x@gmail.com", "kim@acme.example", "max@acme.example"]


def test_each_mailbox_is_kept_once(tmp_path: Path) -> None:
    home = SmallHome()
    home.opt_out("max@acme.example")
    rows = [{"id": number, "email": email, "kind": "work"} for number, email in enumerate(SPELLINGS * 2)]
    scrubbed(tmp_path, home, rows, ".csv", purpose="candidate-contact", dedupe=True)
    assert ids_in(tmp_path, "kept") == [0, 1]
    manifest = document(tmp_path)
    assert manifest["dedupe"] is True
    assert manifest["reasons"]["suppressed"] == {"duplicate": 6, "opted_out": 2}


def test_repeats_are_looked_for_after_deciding(tmp_path: Path) -> None:
    home = SmallHome()
    consent = Consent(Cell("client-marketing", Channel.EMAIL), "w1", "form", "person", NOW - DAY)
    asyncio.run(home.recording.record_consent("patdoe+x@gmail.com", consent))
    rows = [{"id": number, "email": email, "kind": ""} for number, email in enumerate(SPELLINGS)]
    scrubbed(tmp_path, home, rows, ".csv", dedupe=True)
    assert ids_in(tmp_path, "kept") == [2]


def test_one_mailbox_in_two_columns_of_a_row_is_used_once(tmp_path: Path, home: SmallHome) -> None:
    addresses = (AddressChoice(Channel.EMAIL, "a"), AddressChoice(Channel.EMAIL, "b"))
    content = b"a,b\npat@acme.example,PAT+x@acme.example\nsam@acme.example,pat@acme.example\n"
    home.scrub(a_plan(tmp_path, content, addresses=addresses, purpose="candidate-contact", dedupe=True))
    assert output(tmp_path, "kept.csv").splitlines()[1:] == [
        b"pat@acme.example,,permitted,duplicate",
        b"sam@acme.example,,permitted,duplicate",
    ]


def test_a_repeat_far_from_the_first_is_found(tmp_path: Path, home: SmallHome) -> None:
    emails = [f"person{number % 3_100}@acme.example" for number in range(6_200)]
    content = "email\n" + "".join(f"{email}\n" for email in emails)
    manifest = home.scrub(a_plan(tmp_path, content.encode(), purpose="candidate-contact", dedupe=True))
    assert manifest.counts == {"read": 6_200, "kept": 3_100, "suppressed": 3_100, "rejected": 0}


def test_seen_mailboxes_agree_with_a_set() -> None:
    seen, known = SeenMailboxes("GB"), set[bytes]()
    for batch in range(40):
        digests = [(number * 7919 * (batch + 1) % 900).to_bytes(16, "big") for number in range(50)]
        expected = []
        for digest in digests:
            expected.append(digest not in known)
            known.add(digest)
        assert list(seen.are_new(digests)) == expected
    assert list(seen.are_new([])) == []


def test_more_mailboxes_than_memory_is_meant_for_are_an_error() -> None:
    seen = SeenMailboxes("GB", most=3)
    assert list(seen.are_new([bytes([number]) * 16 for number in (1, 2, 1, 3)])) == [True, True, False, True]
    with pytest.raises(InvalidInput, match="--dedupe: more than 3 mailboxes; scrub the list in parts"):
        seen.are_new([bytes([4]) * 16])


def test_mailboxes_of_two_kinds_never_repeat_each_other() -> None:
    seen = SeenMailboxes("GB")
    assert seen.digest_of("07700 900123", Channel.SMS) == seen.digest_of("+447700900123", Channel.VOICE)
    assert seen.digest_of("pat@acme.example", Channel.EMAIL) != SeenMailboxes("GB").digest_of(
        "pat@acme.example", Channel.EMAIL
    )


def test_each_row_is_asked_about_as_its_own_audience(tmp_path: Path) -> None:
    home = SmallHome()
    words = ["client", " Prospect ", "candidate", "", "CLIENT"]
    rows = [
        {"id": number, "email": f"p{number}@acme.example", "kind": "work", "as": word}
        for number, word in enumerate(words)
    ]
    scrubbed(tmp_path, home, rows, ".csv", audience_column="as")
    assert ids_in(tmp_path, "kept") == [0, 1, 4]
    manifest = document(tmp_path)
    assert manifest["reasons"]["suppressed"] == {"audience_not_covered": 2}
    assert manifest["list"]["audienceColumn"] == 4


def with_employers(directory: Path, content: bytes) -> Path:
    path = directory / "employers.txt"
    path.write_bytes(content)
    return path


def test_an_attested_employers_domain_makes_an_address_business(tmp_path: Path, home: SmallHome) -> None:
    employers = with_employers(tmp_path, "\ufeff# attested by sales\n\n@Acme.example\nbücher.example\n".encode())
    rows = [
        ("pat@acme.example", ""), ("pat@uk.ACME.example", "?"), ("Pat <pat@acme.example.>", ""),
        ("p@bücher.example", ""),
        ("pat@notacme.example", ""), ("pat@acme.example.org", ""), ("pat@gmail.com", ""), ("jo@acme.example", "home"),
        ("kim@acme.example", ""), ("broken@acme.example@", ""),
    ]  # fmt: skip
    listed = [{"id": number, "email": email, "kind": kind} for number, (email, kind) in enumerate(rows)]
    scrubbed(tmp_path, home, listed, ".csv", business_domains=employers)
    assert ids_in(tmp_path, "kept") == [0, 1, 2, 3]
    manifest = document(tmp_path)
    assert manifest["reasons"]["suppressed"] == {"no_consent": 4, "opted_out": 1}
    assert manifest["businessDomains"]["count"] == 2
    assert "acme.example" not in json.dumps(manifest)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"acme.example\ngmail.com\n", r"employers\.txt:2: domain: is a free-mail domain"),
        (b"co.uk\n", r"employers\.txt:1: domain: is a public suffix"),
        (b"pat@acme.example\n", r"employers\.txt:1: domain: is an address and not a domain"),
        (b"\xff\n", r"employers\.txt:1: list: is not UTF-8 text"),
        (b"#" * ((1 << 24) + 1), r"employers\.txt:1: list: is longer than 16 MiB"),
    ],
    ids=["free mail", "suffix", "address", "text", "length"],
)
def test_a_file_of_employers_with_a_fault_is_refused(
    tmp_path: Path, home: SmallHome, content: bytes, message: str
) -> None:
    with pytest.raises(InvalidList, match=message):
        home.scrub(a_plan(tmp_path, business_domains=with_employers(tmp_path, content)))
    assert left_in(tmp_path) == ["employers.txt", "list.csv"]


def test_a_file_of_employers_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidList, match=r"none\.txt: No such file"):
        read_employer_domains(tmp_path / "none.txt")


def test_an_employers_domain_says_nothing_about_other_channels(tmp_path: Path, home: SmallHome) -> None:
    employers = with_employers(tmp_path, b"acme.example\n")
    content = b"mobile,x\n+447700900123,1\n"
    manifest = home.scrub(a_plan(tmp_path, content, channel=Channel.SMS, business_domains=employers))
    assert manifest.document["reasons"]["suppressed"] == {"no_consent": 1}


def test_the_report_names_domains_of_many_rejected_rows_only(tmp_path: Path, home: SmallHome) -> None:
    cells = ["pat@@gmial.con"] * 6 + ["jo jo@jane-doe.example"] * 4 + ["x@y"] * 3 + ["nobody"] * 2
    content = "email\n" + "".join(f"{cell}\n" for cell in cells) + "fine@acme.example\n" * 9
    home.scrub(a_plan(tmp_path, content.encode()))
    report = output(tmp_path, "report.html").decode()
    assert '<th scope="row">***@gmial.con</th><td class="number">6</td>' in report
    assert '<th scope="row">other</th><td class="number">7</td>' in report
    assert "jane-doe" not in report
    assert "pat" not in report


def test_the_report_tells_every_column_and_input(tmp_path: Path, home: SmallHome) -> None:
    employers = with_employers(tmp_path, b"acme.example\n")
    scrubbed(tmp_path, home, PEOPLE, ".ndjson", addresses=TWO, business_domains=employers, dedupe=True)
    report = output(tmp_path, "report.html").decode()
    assert "OpenContact, by\nemail, sms. Of" in report
    assert "lines of JSON objects" in report
    assert "1 attested in a file" in report


def test_memory_does_not_grow_with_the_list(tmp_path: Path, home: SmallHome) -> None:
    peaks = []
    for rows in (8_000, 24_000):
        text = io.StringIO()
        text.write("email,note\n")
        text.writelines(f"person{number % 50}@acme.example,{'x' * 200}\n" for number in range(rows))
        plan = a_plan(tmp_path, text.getvalue().encode(), purpose="candidate-contact", out=tmp_path / f"out{rows}")
        tracemalloc.start()
        home.scrub(plan)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_a_plan_of_one_column_is_one_choice() -> None:
    plan = ScrubPlan(Path("list.csv"), "client-marketing", Channel.EMAIL, "work")
    assert plan.choices == (AddressChoice(Channel.EMAIL, "work"),)
    assert not plan.has_several_columns
    assert EVERYTHING.is_everything
