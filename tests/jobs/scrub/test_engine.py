"""The scrub: every row in exactly one file, kept rows byte for byte, and the answer of `decide` for each of them."""

from __future__ import annotations

import asyncio
import codecs
import hashlib
from pathlib import Path
from typing import Any

import pytest

from jobs.lists import open_list
from jobs.lists.contacts import BATCH_ROWS
from jobs.scrub import Progress, ScrubPlan, scrub
from prefcenter.domain.address import read_address_class
from prefcenter.domain.errors import InvalidInput, InvalidList, PrefcenterError
from prefcenter.domain.events import EVERYTHING, Cell
from prefcenter.domain.terms import Channel
from prefcenter.domain.time import format_time
from prefcenter.services.admission import Consent
from prefcenter.services.decisions import Question
from tests.factories import DAY, HOUR, NOW
from tests.jobs.scrub.small_home import LIST, MeddledDecisions, SmallHome, a_plan, document, left_in, output


@pytest.fixture
def home() -> SmallHome:
    return SmallHome()


def test_every_row_goes_to_one_file_with_its_reason(tmp_path: Path, home: SmallHome) -> None:
    home.opt_out("Kim+news@ACME.example")
    manifest = home.scrub(a_plan(tmp_path, class_column="kind"))
    assert output(tmp_path, "kept.csv") == b"id,email,kind\n1,pat@acme.example,work\n"
    assert output(tmp_path, "suppressed.csv") == (
        b"id,email,kind,prefcenter_reason,prefcenter_clause\n"
        b"2,kim@acme.example,work,opted_out,OC-1\n3,lee@gmail.com,work,no_consent,OC-3\n"
    )
    assert output(tmp_path, "rejected.csv") == (
        b"id,email,kind,prefcenter_reason,prefcenter_clause\n"
        b"4,broken,work,invalid_address,\n5,,work,empty_address,\n6,ragged_row,\n"
    )
    assert manifest.counts == {"read": 6, "kept": 1, "suppressed": 2, "rejected": 3}
    assert left_in(tmp_path) == ["list.csv", "out"]
    assert left_in(tmp_path / "out") == ["kept.csv", "manifest.json", "rejected.csv", "report.html", "suppressed.csv"]


def test_rejected_rows_may_all_be_shorter_than_where_the_addresses_stand(tmp_path: Path, home: SmallHome) -> None:
    rows = b"1,Pat,x,pat@acme.example\n2,Kim,y,kim@acme.example\n"
    home.scrub(a_plan(tmp_path, rows + b"\n", address_column="4"))
    assert output(tmp_path, "rejected.csv") == b",ragged_row,\n"


def test_the_manifest_says_what_was_read_decided_and_written(tmp_path: Path, home: SmallHome) -> None:
    home.opt_out("kim@acme.example")
    manifest = home.scrub(a_plan(tmp_path, class_column="kind", audience="client"))
    written = document(tmp_path)
    assert written == manifest.document
    heads = asyncio.run(home.decisions.heads())
    expected = {
        "format": "prefcenter-scrub/1",
        "controller": "opencontact",
        "purpose": "client-marketing",
        "channel": "email",
        "audience": "client",
        "list": {
            "name": "list.csv",
            "sha256": hashlib.sha256(LIST).hexdigest(),
            "rows": 6,
            "format": "text",
            "packing": "none",
            "encoding": "utf-8",
            "delimiter": ",",
            "header": True,
            "addressColumn": 2,
            "classColumn": 3,
            "audienceColumn": None,
        },
        "addresses": [{"channel": "email", "column": 2, "class": None}],
        "businessDomains": None,
        "dedupe": False,
        "links": False,
        "campaign": None,
        "inputs": [{"name": "list.csv", "sha256": hashlib.sha256(LIST).hexdigest()}],
        "cells": [
            {"channel": "email", "class": "business", "kept": 1, "suppressed": 2, "rejected": 1},
            {"channel": "email", "class": "unstated", "kept": 0, "suppressed": 0, "rejected": 2},
        ],
        "counts": {"read": 6, "kept": 1, "suppressed": 2, "rejected": 3},
        "reasons": {
            "suppressed": {"no_consent": 1, "opted_out": 1},
            "rejected": {"empty_address": 1, "invalid_address": 1, "ragged_row": 1},
        },
        "policyVersion": home.policy.version,
        "ledger": {"heads": [{"position": head.position, "mac": head.mac.hex()} for head in heads]},
        "at": format_time(NOW),
        "validUntil": format_time(NOW + 24 * HOUR),
        "stale": False,
    }
    assert {key: written[key] for key in expected} == expected
    assert written["outputs"] == {
        name: {"sha256": hashlib.sha256(output(tmp_path, name)).hexdigest(), "bytes": len(output(tmp_path, name))}
        for name in ("kept.csv", "suppressed.csv", "rejected.csv")
    }
    assert written["run"] == {
        "startedAt": format_time(NOW),
        "finishedAt": format_time(NOW),
        "seconds": 0,
        "rowsPerSecond": None,
        "engine": "reference",
    }
    assert set(written) == {*expected, "outputs", "run", "mac"}


def test_rates_stand_in_the_run_only(tmp_path: Path, home: SmallHome) -> None:
    times = iter([NOW, NOW + 500, NOW + 500])
    manifest = asyncio.run(scrub(a_plan(tmp_path), home.decisions, home.sealer, lambda: next(times)))
    assert (manifest.document["run"]["seconds"], manifest.document["run"]["rowsPerSecond"]) == (0.5, 12)


ENCODED = {
    "utf-8": ("", "utf-8"),
    "utf-8 with a byte order mark": (codecs.BOM_UTF8.decode(), "utf-8"),
    "utf-16-le": ("\ufeff", "utf-16-le"),
    "utf-16-be": ("\ufeff", "utf-16-be"),
    "utf-16-le without a byte order mark": ("", "utf-16-le"),
    "cp1252": ("", "cp1252"),
    "cp932": ("", "cp932"),
}


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_kept_rows_are_their_input_bytes_in_each_encoding(
    tmp_path: Path, home: SmallHome, encoding: str, end: str
) -> None:
    mark, codec = ENCODED[encoding]
    name = "山田" if codec == "cp932" else "Zoë"
    kept = f'"{name} ""Z""{end}Doe";zoe@acme.example;work'
    home.opt_out("kim@acme.example")
    header, refused = "name;email;kind", f"{name};kim@acme.example;work"
    text = mark + end.join([header, kept, refused, kept])
    home.scrub(a_plan(tmp_path, text.encode(codec), class_column="kind"))
    assert output(tmp_path, "kept.csv") == (mark + end.join([header, kept, kept])).encode(codec)
    added = ";prefcenter_reason;prefcenter_clause"
    expected = mark + header + added + end + refused + ";opted_out;OC-1" + end
    assert output(tmp_path, "suppressed.csv") == expected.encode(codec)
    assert output(tmp_path, "rejected.csv") == (mark + header + added + end).encode(codec)


def test_bytes_that_no_encoding_explains_come_out_as_they_went_in(tmp_path: Path, home: SmallHome) -> None:
    rows = (
        "Zoë Müller-Šimić,zoe@acme.example,work\n".encode()
        + b"Ren\xe9,rene@acme.example,work\nx,ren\xe9@acme.example,work\n"
    )
    home.scrub(a_plan(tmp_path, b"name,email,kind\n" + rows, class_column="kind"))
    assert output(tmp_path, "kept.csv") == b"name,email,kind\n" + rows[: rows.rindex(b"x,")]
    assert output(tmp_path, "rejected.csv").endswith(b"x,ren\xe9@acme.example,work,invalid_address,\n")


def test_a_last_row_without_newline_gets_none(tmp_path: Path, home: SmallHome) -> None:
    home.scrub(a_plan(tmp_path, b"email,kind\npat@acme.example,work\nkim@acme.example,home", class_column="kind"))
    assert output(tmp_path, "kept.csv") == b"email,kind\npat@acme.example,work\n"
    assert output(tmp_path, "suppressed.csv").endswith(b"\nkim@acme.example,home,no_consent,OC-3")


def test_what_stands_above_the_header_stands_above_it_in_every_output(tmp_path: Path, home: SmallHome) -> None:
    home.scrub(a_plan(tmp_path, b"sep=;\r\n;\r\nemail;kind\r\npat@acme.example;work\r\n", class_column="kind"))
    assert output(tmp_path, "kept.csv") == b"sep=;\r\n;\r\nemail;kind\r\npat@acme.example;work\r\n"
    assert output(tmp_path, "rejected.csv") == b"sep=;\r\n;\r\nemail;kind;prefcenter_reason;prefcenter_clause\r\n"


def test_a_list_without_a_header_has_outputs_without_one(tmp_path: Path, home: SmallHome) -> None:
    home.opt_out("pat@acme.example")
    manifest = home.scrub(a_plan(tmp_path, b"pat@acme.example,work\nkim@acme.example,work\n", class_column="2"))
    assert output(tmp_path, "kept.csv") == b"kim@acme.example,work\n"
    assert output(tmp_path, "suppressed.csv") == b"pat@acme.example,work,opted_out,OC-1\n"
    assert output(tmp_path, "rejected.csv") == b""
    assert manifest.document["list"]["header"] is False


def test_a_list_of_a_header_only_has_no_rows(tmp_path: Path, home: SmallHome) -> None:
    manifest = home.scrub(a_plan(tmp_path, b"email,name"))
    assert manifest.counts == {"read": 0, "kept": 0, "suppressed": 0, "rejected": 0}
    assert output(tmp_path, "kept.csv") == b"email,name"
    assert manifest.document["validUntil"] == format_time(NOW + 24 * HOUR)


@pytest.mark.parametrize(
    ("name", "kept"), [("list.csv", "kept.csv"), ("LIST.TSV", "kept.TSV"), ("list", "kept"), ("a.b.txt", "kept.txt")]
)
def test_outputs_have_the_lists_own_extension(tmp_path: Path, home: SmallHome, name: str, kept: str) -> None:
    home.scrub(a_plan(tmp_path, name=name))
    assert kept in left_in(tmp_path / "out")


def test_a_blank_line_is_a_row_like_any_other(tmp_path: Path, home: SmallHome) -> None:
    home.scrub(a_plan(tmp_path, b"email\npat@acme.example\n\n \xc2\xa0\nkim@acme.example\n"))
    expected = b"email,prefcenter_reason,prefcenter_clause\n,empty_address,\n \xc2\xa0,empty_address,\n"
    assert output(tmp_path, "rejected.csv") == expected


ALIASES = [
    "pat.doe@gmail.com", "p.a.t.d.o.e@gmail.com", "PATDOE@GMAIL.COM", "patdoe+news@gmail.com", "patdoe@googlemail.com",
    "P.atDoe+a+b@GoogleMail.com", " patdoe@gmail.com ", "mailto:patdoe@gmail.com", "Pat Doe <patdoe@gmail.com>",
    '"""patdoe""@gmail.com"', "patdoe@gmail.com.", "\u200bpatdoe@gmail.com", "ｐatdoe@gmail.com",
]  # fmt: skip


def test_no_alias_of_a_mailbox_that_opted_out_is_kept(tmp_path: Path) -> None:
    home = SmallHome()
    home.opt_out("Pat.Doe@gmail.com")
    text = "email\n" + "".join(f"{alias}\n" for alias in ALIASES) + "someone.else@gmail.com\n"
    manifest = home.scrub(a_plan(tmp_path, text.encode(), purpose="candidate-contact"))
    assert output(tmp_path, "kept.csv") == b"email\nsomeone.else@gmail.com\n"
    assert manifest.document["reasons"]["suppressed"] == {"opted_out": len(ALIASES)}


def test_each_row_gets_the_decision_of_its_own_address_and_class(tmp_path: Path, home: SmallHome) -> None:
    kinds = ["work", "home", "B2B", "", "?", "privat", "Business"]
    rows = [(f"person{number % 150}@acme.example", kinds[number % 7]) for number in range(BATCH_ROWS + 100)]
    for number in range(0, 150, 9):
        home.opt_out(f"person{number}@acme.example")
    text = "email,kind\n" + "".join(f"{address},{kind}\n" for address, kind in rows)
    plan = a_plan(tmp_path, text.encode(), class_column="kind", purpose="client-marketing")
    home.scrub(plan)
    expected: dict[str, list[str]] = {"kept": [], "suppressed": [], "rejected": []}
    for address, kind in rows:
        question = Question(address, plan.purpose, plan.channel, address_class=read_address_class(kind))
        decision = asyncio.run(home.decisions.decide(question, NOW))
        cells = "" if decision.is_allowed else f",{decision.reason},{decision.clause}"
        expected["kept" if decision.is_allowed else "suppressed"].append(f"{address},{kind}{cells}")
    assert {name: output(tmp_path, f"{name}.csv").decode().splitlines()[1:] for name in expected} == expected
    assert all(expected[name] for name in ("kept", "suppressed"))


def test_an_address_that_repeats_in_a_batch_is_asked_for_once(tmp_path: Path, home: SmallHome) -> None:
    decider = MeddledDecisions(home)
    manifest = home.scrub(a_plan(tmp_path, b"email\n" + b"pat@acme.example\n" * 50), decider)
    assert (decider.asked, manifest.counts["read"]) == (1, 50)


def test_without_a_class_column_the_policy_decides_what_an_address_is(tmp_path: Path, home: SmallHome) -> None:
    manifest = home.scrub(a_plan(tmp_path))
    assert manifest.document["reasons"]["suppressed"] == {"no_consent": 3}
    assert manifest.document["list"]["classColumn"] is None


def test_phones_are_scrubbed_by_number(tmp_path: Path, home: SmallHome) -> None:
    asyncio.run(home.recording.opt_out("+44 7700 900123", EVERYTHING, "stop"))
    content = b"id,mobile\n1,07700900123\n2,+447700900124\n3,447700900123.0\n4,4.477E+11\n"
    plan = a_plan(tmp_path, content, channel=Channel.SMS, purpose="candidate-contact")
    home.scrub(plan)
    assert output(tmp_path, "kept.csv") == b"id,mobile\n2,+447700900124\n"


def test_valid_until_is_when_the_first_consent_ends(tmp_path: Path, home: SmallHome) -> None:
    cell = Cell("client-marketing", Channel.EMAIL)
    for name, hours in (("pat", 5), ("kim", 3), ("lee", 30)):
        consent = Consent(cell, "w1", "form", "person", NOW - 2 * DAY, NOW + hours * HOUR)
        asyncio.run(home.recording.record_consent(f"{name}@gmail.com", consent))
    content = b"email\npat@gmail.com\nkim@gmail.com\nlee@gmail.com\n"
    manifest = home.scrub(a_plan(tmp_path, content))
    assert manifest.counts["kept"] == 3
    assert manifest.document["validUntil"] == format_time(NOW + 3 * HOUR)


def test_the_same_list_store_and_time_give_the_same_bytes(tmp_path: Path, home: SmallHome) -> None:
    home.opt_out("kim@acme.example")
    plan = a_plan(tmp_path, class_column="kind")
    manifests = []
    for number, clock_ms in enumerate([NOW, NOW + 7 * HOUR]):
        out = tmp_path / f"out{number}"
        run = ScrubPlan(plan.path, plan.purpose, plan.channel, class_column="kind", at_ms=NOW, out=out)
        manifests.append(asyncio.run(scrub(run, home.decisions, home.sealer, lambda: clock_ms)))  # noqa: B023
    for name in ("kept.csv", "suppressed.csv", "rejected.csv"):
        assert (tmp_path / "out0" / name).read_bytes() == (tmp_path / "out1" / name).read_bytes()
    first, second = ({**manifest.document, "run": None} for manifest in manifests)
    assert first == second


def test_without_a_time_the_clock_says_when(tmp_path: Path, home: SmallHome) -> None:
    manifest = home.scrub(a_plan(tmp_path, at_ms=None))
    assert manifest.document["at"] == format_time(NOW)


def test_a_dry_run_counts_and_writes_nothing(tmp_path: Path, home: SmallHome) -> None:
    wet = home.scrub(a_plan(tmp_path, class_column="kind")).document
    for out in (None, tmp_path / "out", tmp_path / "other"):
        dry = home.scrub(a_plan(tmp_path, class_column="kind", out=out, dry_run=True)).document
        unlike = {"outputs", "mac"}
        assert {key: dry[key] for key in dry if key not in unlike} == {
            key: wet[key] for key in wet if key not in unlike
        }
        assert dry["outputs"] == {}
    assert left_in(tmp_path) == ["list.csv", "out"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"purpose": "nonsense"},
            r"^--purpose: opencontact has no purpose 'nonsense'; it has candidate-contact, client-",
        ),
        (
            {"channel": Channel.PUSH},
            r"^--channel: client-marketing is not offered by push; it is by email, post, sms, vo",
        ),
        ({"audience": "alumni"}, r"^--audience: client-marketing does not cover 'alumni'; it covers client, prospect$"),
        ({"out": None}, r"^--out: name a directory for the outputs, or ask for a --dry-run$"),
    ],
)
def test_a_request_that_the_policy_cannot_answer_is_refused_up_front(
    tmp_path: Path, home: SmallHome, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        home.scrub(a_plan(tmp_path, **changes))
    assert left_in(tmp_path) == ["list.csv"]


@pytest.mark.parametrize(
    "content", [b"", b"\xef\xbb\xbf", b"a,b\n1,2\n", b'email\npat@acme.example\n"kim@acme.example\n', b"PK\x03\x04"]
)
def test_a_list_that_cannot_be_read_leaves_nothing(tmp_path: Path, home: SmallHome, content: bytes) -> None:
    with pytest.raises(InvalidList):
        home.scrub(a_plan(tmp_path, content))
    assert left_in(tmp_path) == ["list.csv"]


def test_a_fault_late_in_the_list_leaves_nothing(tmp_path: Path, home: SmallHome) -> None:
    content = b"email\n" + b"pat@acme.example\n" * (2 * BATCH_ROWS) + b'"kim@acme.example\n'
    with pytest.raises(InvalidList, match=r"list\.csv:2002: column 1: the quote"):
        home.scrub(a_plan(tmp_path, content))
    assert left_in(tmp_path) == ["list.csv"]


def test_progress_counts_rows_and_bytes(tmp_path: Path, home: SmallHome) -> None:
    seen: list[Progress] = []
    content = b"email\n" + b"pat@acme.example\n" * (BATCH_ROWS + 1)
    plan = a_plan(tmp_path, content)
    asyncio.run(scrub(plan, home.decisions, home.sealer, lambda: NOW, seen.append))
    assert [progress.rows for progress in seen] == [BATCH_ROWS, BATCH_ROWS + 1]
    assert (seen[-1].bytes_read, seen[-1].bytes_total) == (len(content), len(content))


def test_long_rows_make_short_batches(tmp_path: Path, home: SmallHome) -> None:
    seen: list[Progress] = []
    row = b"pat@acme.example," + b"x" * 1_000_000 + b"\n"
    plan = a_plan(tmp_path, b"email,note\n" + row * 7)
    asyncio.run(scrub(plan, home.decisions, home.sealer, lambda: NOW, seen.append))
    assert [progress.rows for progress in seen] == [5, 7]


def test_outputs_are_lists_again_with_the_same_rows(tmp_path: Path, home: SmallHome) -> None:
    content = b'a;email\n"x;""y""\r\nz";pat@acme.example\n5" b;broken\n;\nq\n'
    home.scrub(a_plan(tmp_path, content, purpose="candidate-contact", address_column="email"))
    rows = []
    for name in ("kept.csv", "suppressed.csv", "rejected.csv"):
        again = open_list(tmp_path / "out" / name, Channel.EMAIL, "GB", "email")
        assert again.dialect.delimiter == ";"
        rows += [record.cells[:2] for record in again.records()]
    assert rows == [('x;"y"\r\nz', "pat@acme.example"), ('5" b', "broken"), ("", ""), ("q", "ragged_row")]


def test_a_fault_of_the_out_directory_is_no_fault_of_the_list(tmp_path: Path, home: SmallHome) -> None:
    with pytest.raises(PrefcenterError, match="--out"):
        home.scrub(a_plan(tmp_path, out=tmp_path / "missing" / "out"))
