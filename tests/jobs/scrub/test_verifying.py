"""May these outputs still be sent to: every way in which the answer is no, and that it is yes otherwise."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.scrub import AddressChoice
from jobs.scrub.manifest import SPARK_MANIFEST_FORMAT, read_manifest, signed
from jobs.scrub.verifying import Finding, Trouble, Verification, verify
from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.events import EVERYTHING, Cell
from prefcenter.domain.terms import AddressClass, Channel, RefusalReason
from prefcenter.services.admission import Consent
from tests.factories import DAY, HOUR, MINUTE, NOW
from tests.jobs.lists.formats import MAKERS
from tests.jobs.scrub.small_home import SmallHome, a_plan

ROWS = [
    {"id": 1, "email": "pat@acme.example", "mobile": "+447700900123", "kind": "work", "as": "client"},
    {"id": 2, "email": "kim@acme.example", "mobile": "+447700900124", "kind": "work", "as": "prospect"},
    {"id": 3, "email": "broken", "mobile": "", "kind": "work", "as": "client"},
]
SEVERAL = (AddressChoice(Channel.EMAIL, "email"), AddressChoice(Channel.SMS, "mobile"))


@pytest.fixture
def home() -> SmallHome:
    return SmallHome()


def scrubbed(directory: Path, home: SmallHome, suffix: str = ".csv", **changes: Any) -> None:
    home.scrub(a_plan(directory, MAKERS[suffix](ROWS), f"list{suffix}", **{"class_column": "kind"} | changes))


def findings(directory: Path, home: SmallHome, now_ms: int = NOW + MINUTE, **changes: Any) -> list[Finding]:
    read = read_manifest(directory / "out" / "manifest.json", home.sealer_of)
    assert read.is_genuine
    asked = replace(Verification(directory / "out", read, now_ms), **changes)
    return asyncio.run(
        verify(asked, home.decisions, lambda heads: home.store.holds_heads(home.policy.controller, heads))
    )


def troubles(directory: Path, home: SmallHome, now_ms: int = NOW + MINUTE, **changes: Any) -> list[Trouble]:
    return [finding.trouble for finding in findings(directory, home, now_ms, **changes)]


@pytest.mark.parametrize("suffix", MAKERS)
@pytest.mark.parametrize("changes", [{}, {"addresses": SEVERAL}, {"audience_column": "as"}], ids=["one", "two", "as"])
def test_outputs_are_good_until_somebody_in_kept_refuses(
    tmp_path: Path, home: SmallHome, suffix: str, changes: dict[str, Any]
) -> None:
    home.opt_out("kim@acme.example")
    scrubbed(tmp_path, home, suffix, **changes)
    assert troubles(tmp_path, home) == []
    home.opt_out("stranger@acme.example")
    home.opt_out("kim@acme.example")
    assert troubles(tmp_path, home) == []
    assert troubles(tmp_path, home, is_quick=True) == [Trouble.LEDGER_MOVED]
    home.opt_out("Pat+x@acme.example")
    assert [finding.message for finding in findings(tmp_path, home)] == ["1 address in kept is refused by now"]


def test_a_refusal_of_a_second_address_in_kept_counts_too(tmp_path: Path, home: SmallHome) -> None:
    scrubbed(tmp_path, home, addresses=SEVERAL)
    asyncio.run(
        home.recording.suppress("+447700900123", RefusalReason.MANUAL, EVERYTHING, "sales", channel=Channel.SMS)
    )
    asyncio.run(home.recording.suppress("@acme.example", RefusalReason.MANUAL, EVERYTHING, "sales"))
    assert [finding.message for finding in findings(tmp_path, home)] == ["3 addresses in kept are refused by now"]


def test_a_consent_that_was_withdrawn_counts(tmp_path: Path, home: SmallHome) -> None:
    consent = Consent(Cell("client-marketing", Channel.EMAIL), "w1", "form", "person", NOW - 2 * DAY)
    asyncio.run(home.recording.record_consent("lee@gmail.com", consent))
    home.scrub(a_plan(tmp_path, b"email\nlee@gmail.com\n"))
    assert troubles(tmp_path, home) == []
    asyncio.run(home.recording.bounce_permanently("lee@gmail.com", Channel.EMAIL, "smtp"))
    assert troubles(tmp_path, home) == [Trouble.REFUSED_SINCE]


def test_a_list_without_a_header_is_verified_by_the_same_columns(tmp_path: Path, home: SmallHome) -> None:
    content = b"1,pat@acme.example,work,x@acme.example\n2,kim@acme.example,work,y@acme.example\n"
    home.scrub(a_plan(tmp_path, content, address_column="2", class_column="3"))
    home.opt_out("x@acme.example")
    assert troubles(tmp_path, home) == []
    home.opt_out("kim@acme.example")
    assert troubles(tmp_path, home) == [Trouble.REFUSED_SINCE]


@pytest.mark.parametrize(
    "content", [b"email,kind\n", b"sep=;\r\n;\r\nemail;kind\r\n", "\ufeffemail\tkind\n".encode("utf-16-le")]
)
def test_outputs_without_a_kept_row_stay_good(tmp_path: Path, home: SmallHome, content: bytes) -> None:
    home.scrub(a_plan(tmp_path, content, class_column="kind"))
    home.opt_out("pat@acme.example")
    assert troubles(tmp_path, home) == []


def test_a_column_that_was_personal_stays_so(tmp_path: Path, home: SmallHome) -> None:
    choice = AddressChoice(Channel.EMAIL, "email", AddressClass.BUSINESS)
    scrubbed(tmp_path, home, class_column=None, addresses=(choice,))
    home.opt_out("stranger@acme.example")
    assert troubles(tmp_path, home) == []


def test_employers_are_those_of_the_scrub_and_without_them_doubt_means_no(tmp_path: Path, home: SmallHome) -> None:
    employers, others = tmp_path / "employers", tmp_path / "others"
    employers.write_text("acme.example\n", encoding="utf-8")
    others.write_text("acme.example\nbulk.example\n", encoding="utf-8")
    scrubbed(tmp_path, home, class_column=None, business_domains=employers)
    assert troubles(tmp_path, home) == []
    home.opt_out("stranger@acme.example")
    assert troubles(tmp_path, home, business_domains=employers) == []
    assert troubles(tmp_path, home) == [Trouble.REFUSED_SINCE]
    with pytest.raises(InvalidInput, match="not the file that the scrub was given"):
        findings(tmp_path, home, business_domains=others)


@pytest.mark.parametrize("name", ["kept.csv", "suppressed.csv", "rejected.csv"])
@pytest.mark.parametrize(
    "change",
    [lambda old: old + b"\n", lambda old: old[:-1], lambda old: old.swapcase()],
    ids=["longer", "shorter", "other"],
)
def test_a_file_that_changed_is_noticed(
    tmp_path: Path, home: SmallHome, name: str, change: Callable[[bytes], bytes]
) -> None:
    scrubbed(tmp_path, home)
    path = tmp_path / "out" / name
    path.write_bytes(change(path.read_bytes()))
    assert findings(tmp_path, home) == [Finding(Trouble.CHANGED, f"{name} is not what the scrub wrote")]


@pytest.mark.parametrize("name", ["kept.csv", "suppressed.csv", "rejected.csv", "report.html"])
def test_a_file_that_is_missing_is_noticed(tmp_path: Path, home: SmallHome, name: str) -> None:
    scrubbed(tmp_path, home)
    (tmp_path / "out" / name).unlink()
    assert findings(tmp_path, home) == [Finding(Trouble.MISSING, f"{name} is missing")]


def test_answers_are_good_for_a_day_and_no_longer_than_the_policy_says(tmp_path: Path, home: SmallHome) -> None:
    scrubbed(tmp_path, home)
    assert troubles(tmp_path, home, NOW + 24 * HOUR - 1) == []
    assert troubles(tmp_path, home, NOW + 24 * HOUR) == [Trouble.TOO_OLD]


def test_answers_are_good_no_longer_than_a_consent(tmp_path: Path, home: SmallHome) -> None:
    consent = Consent(Cell("client-marketing", Channel.EMAIL), "w1", "form", "person", NOW - 2 * DAY, NOW + HOUR)
    asyncio.run(home.recording.record_consent("lee@gmail.com", consent))
    home.scrub(a_plan(tmp_path, b"email\nlee@gmail.com\n"))
    assert troubles(tmp_path, home, NOW + HOUR - 1) == []
    assert troubles(tmp_path, home, NOW + HOUR) == [Trouble.TOO_OLD]


def test_answers_as_of_a_time_to_come_are_for_that_time(tmp_path: Path, home: SmallHome) -> None:
    scrubbed(tmp_path, home, at_ms=NOW + 2 * DAY)
    assert troubles(tmp_path, home) == [Trouble.TOO_EARLY]


def test_another_policy_in_force_is_noticed(tmp_path: Path, home: SmallHome) -> None:
    scrubbed(tmp_path, home)
    home.decisions.policy = replace(home.policy, version="0123456789abcdef")
    assert troubles(tmp_path, home) == [Trouble.OTHER_POLICY]


def test_a_store_that_was_put_back_is_noticed(tmp_path: Path, home: SmallHome) -> None:
    home.opt_out("kim@acme.example")
    scrubbed(tmp_path, home)
    empty = SmallHome().store

    async def holds(heads: Any) -> bool:
        return await empty.holds_heads(home.policy.controller, heads)

    read = read_manifest(tmp_path / "out" / "manifest.json", home.sealer_of)
    found = asyncio.run(verify(Verification(tmp_path / "out", read, NOW), home.decisions, holds))
    assert [finding.trouble for finding in found] == [Trouble.OTHER_LEDGER]


def test_outputs_that_call_themselves_stale_are_believed(tmp_path: Path, home: SmallHome) -> None:
    scrubbed(tmp_path, home)
    path = tmp_path / "out" / "manifest.json"
    document = {**json.loads(path.read_bytes()), "stale": True}
    path.write_text(signed(document, home.sealer).to_json(), encoding="utf-8")
    assert troubles(tmp_path, home) == [Trouble.MARKED_STALE]


def test_the_manifest_of_a_dry_run_vouches_for_no_rows(tmp_path: Path, home: SmallHome) -> None:
    manifest = home.scrub(a_plan(tmp_path, dry_run=True))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    assert set(troubles(tmp_path, home)) == {Trouble.MISSING}


@pytest.mark.parametrize("key", ["stale", "outputs", "validUntil", "controller", "policyVersion"])
def test_a_manifest_that_was_changed_is_not_genuine(tmp_path: Path, home: SmallHome, key: str) -> None:
    scrubbed(tmp_path, home)
    path = tmp_path / "out" / "manifest.json"
    document = json.loads(path.read_bytes())
    changed = {**document, key: "2999-01-01" if isinstance(document[key], str) else []}
    path.write_text(json.dumps(changed), encoding="utf-8")
    assert not read_manifest(path, lambda _: home.sealer).is_genuine


def scrubbed_in_parts(directory: Path, home: SmallHome) -> None:
    """The outputs of a scrub as a cluster would write them: in parts, without a report."""
    scrubbed(directory, home, ".parquet")
    out = directory / "out"
    document, outputs = dict(read_manifest(out / "manifest.json", home.sealer_of).manifest.document), {}
    for name, written in document["outputs"].items():
        (out / name).rename(out / "part-0")
        (out / name).mkdir()
        (out / "part-0").rename(out / name / "part-00000.parquet")
        (out / name / "_SUCCESS").touch()
        outputs[f"{name}/part-00000.parquet"] = written
    (out / "report.html").unlink()
    manifest = signed({**document, "format": SPARK_MANIFEST_FORMAT, "outputs": outputs}, home.sealer)
    (out / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")


def test_outputs_in_parts_are_good_until_somebody_in_kept_refuses(tmp_path: Path, home: SmallHome) -> None:
    scrubbed_in_parts(tmp_path, home)
    home.opt_out("stranger@acme.example")
    assert troubles(tmp_path, home) == []
    home.opt_out("pat@acme.example")
    assert [finding.message for finding in findings(tmp_path, home)] == ["1 address in kept is refused by now"]


@pytest.mark.parametrize("output", ["kept", "suppressed", "rejected"])
def test_a_part_that_is_gone_changed_or_put_there_is_noticed(tmp_path: Path, home: SmallHome, output: str) -> None:
    scrubbed_in_parts(tmp_path, home)
    part = tmp_path / "out" / f"{output}.parquet" / "part-00000.parquet"
    content = part.read_bytes()
    part.with_name("part-00001.parquet").write_bytes(content)
    assert [finding.message for finding in findings(tmp_path, home)] == [
        f"{output}.parquet/part-00001.parquet is not of the scrub"
    ]
    part.with_name("part-00001.parquet").unlink()
    part.write_bytes(content + b" ")
    assert troubles(tmp_path, home) == [Trouble.CHANGED]
    part.unlink()
    assert troubles(tmp_path, home) == [Trouble.MISSING]
