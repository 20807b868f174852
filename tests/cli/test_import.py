"""`prefcenter import`: what it counts, keeps, and refuses to take (CONTRACTS, Import)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.imports.choice import FEWEST_OCTETS
from tests.cli.command_line import ROOT, CommandLine

OC = "--controller opencontact"
MANUAL = f"{OC} --reason manual --source crm"
REGISTRY = f"{OC} --reason on_registry --source tps"
CONSENT = "consent pat@gmail.com --controller opencontact --purpose client-marketing --channel email --wording w@1"
GRANT = (
    f"{OC} --grant --purpose client-marketing --source crm --time-column when --wording-column wording"
    " --method-column method"
)


def counts(prefcenter: CommandLine, line: str) -> dict[str, int]:
    """Import with `--json`, and give the numbers of the report."""
    report = json.loads(prefcenter.done(f"import {line} --json"))
    return {name: value for name, value in report.items() if isinstance(value, int)}


def reason(prefcenter: CommandLine, address: str, purpose: str = "client-marketing", channel: str = "email") -> str:
    asked = ["--controller", "opencontact", "--purpose", purpose, "--channel", channel, "--address-class", "business"]
    return str(json.loads(prefcenter("check", address, *asked, "--json").out)["reason"])


def write(workplace: Path, text: str, name: str = "list.csv", encoding: str = "utf-8") -> None:
    (workplace / name).write_bytes(text.encode(encoding))


def test_an_import_counts_what_it_read_and_what_each_row_did(prefcenter: CommandLine, workplace: Path) -> None:
    write(workplace, "email\npat@acme.example\nPAT+x@acme.example\nnobody\nsam@acme.example\n")
    ran = prefcenter.line(f"import list.csv {MANUAL}")
    assert ran.code == 0
    assert ran.out == ("read 4  added 2  already 1  reversed 0  invalid 1\ninvalid rows: list.csv.invalid.csv\n")
    assert ran.err == "list.csv:4: address: is not an email address\n"
    assert reason(prefcenter, "p.a.t@acme.example") == "permitted"
    assert reason(prefcenter, "pat@acme.example") == reason(prefcenter, "sam@acme.example") == "manual"


def test_the_same_file_again_changes_nothing(prefcenter: CommandLine, workplace: Path) -> None:
    write(workplace, "email\npat@acme.example\nsam@acme.example\n")
    assert counts(prefcenter, f"list.csv {MANUAL}") == {
        "read": 2, "added": 2, "already": 0, "reversed": 0, "invalid": 0,
    }  # fmt: skip
    before = prefcenter.done("audit verify")
    assert counts(prefcenter, f"list.csv {MANUAL}")["already"] == 2
    assert prefcenter.done("audit verify") == before


def test_the_same_file_again_does_not_undo_a_consent_in_between(prefcenter: CommandLine, workplace: Path) -> None:
    write(workplace, "email,when\npat@gmail.com,2026-01-02\n")
    stated = f"list.csv {OC} --reason opted_out --source crm --time-column when"
    prefcenter.done(f"import {stated}")
    prefcenter.done(f"{CONSENT} --method form")
    assert counts(prefcenter, stated)["already"] == 1
    assert reason(prefcenter, "pat@gmail.com") == "permitted"


def test_a_later_file_refuses_anew_even_after_a_consent_and_counts_it(prefcenter: CommandLine, workplace: Path) -> None:
    prefcenter.done("opt-out pat@gmail.com --controller opencontact --at 2026-01-02")
    prefcenter.done(f"{CONSENT} --method form --at 2026-02-02")
    assert reason(prefcenter, "pat@gmail.com") == "permitted"
    write(workplace, "email,when\npat@gmail.com,2026-03-02\n")
    found = counts(prefcenter, f"list.csv {OC} --reason opted_out --source crm --time-column when")
    assert (found["added"], found["reversed"]) == (0, 1)
    assert reason(prefcenter, "pat@gmail.com") == "opted_out"


def test_an_earlier_time_does_not_undo_a_later_consent(prefcenter: CommandLine, workplace: Path) -> None:
    prefcenter.done(f"{CONSENT} --method form --at 2026-02-02")
    write(workplace, "email,when\npat@gmail.com,2026-01-02\n")
    found = counts(prefcenter, f"list.csv {OC} --reason opted_out --source crm --time-column when")
    assert (found["added"], found["reversed"]) == (1, 0)
    assert reason(prefcenter, "pat@gmail.com") == "permitted"


@pytest.mark.parametrize("hours_ahead", [0, 13])
def test_a_date_of_today_is_not_in_the_future_wherever_it_is_today(
    prefcenter: CommandLine, workplace: Path, hours_ahead: int
) -> None:
    """With the calendar of the earliest time zone, UTC+14, a bare date may already be tomorrow's."""
    today = (datetime.now(UTC) + timedelta(hours=hours_ahead)).date().isoformat()
    write(workplace, f"email,when\npat@acme.example,{today}\n")
    assert counts(prefcenter, f"list.csv {MANUAL} --time-column when")["added"] == 1


@pytest.mark.parametrize("when", ["2999-01-01", "", "02/03/2026", "2026-02-30", "2026-01-02T10:00:00"])
def test_a_row_whose_time_cannot_be_is_invalid(prefcenter: CommandLine, workplace: Path, when: str) -> None:
    write(workplace, f"email,when\npat@acme.example,{when}\n")
    ran = prefcenter.line(f"import list.csv {MANUAL} --time-column when")
    assert (ran.code, ran.err[:17]) == (0, "list.csv:2: time:")
    assert reason(prefcenter, "pat@acme.example") == "permitted"


def test_invalid_rows_are_kept_with_line_and_fault_for_their_owner_only(
    prefcenter: CommandLine, workplace: Path
) -> None:
    write(
        workplace,
        'email;note\r\n"not an; address";"two\r\nlines"\r\npat@acme.example\r\n@gmail.com;free\r\n ;blank\r\n',
        encoding="cp1252",
    )
    found = counts(prefcenter, f"list.csv {MANUAL}")
    assert (found["read"], found["invalid"]) == (4, 4)
    kept = workplace / "list.csv.invalid.csv"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.read_bytes().decode("cp1252") == (
        "email;note;prefcenter_line;prefcenter_fault\r\n"
        '"not an; address";"two\r\nlines";2;address: is not an email address\r\n'
        'pat@acme.example;4;"row: expected 2 cells, found 1"\r\n'
        '@gmail.com;free;5;"address: is a free-mail domain, which unrelated people share"\r\n'
        " ;blank;6;address: the cell is empty\r\n"
    )


def test_mended_rows_can_be_imported_from_their_file(prefcenter: CommandLine, workplace: Path) -> None:
    write(workplace, "email,note\npat@acme,x\n")
    prefcenter.done(f"import list.csv {MANUAL}")
    invalid = workplace / "list.csv.invalid.csv"
    invalid.write_text(invalid.read_text(encoding="utf-8").replace("pat@acme", "pat@acme.example"), encoding="utf-8")
    assert counts(prefcenter, f"list.csv.invalid.csv {MANUAL}")["added"] == 1


def test_no_more_than_twenty_faults_are_told_and_all_are_kept(prefcenter: CommandLine, workplace: Path) -> None:
    write(workplace, "email,note\nkim@acme.example,x\n" + "nobody,x\n" * 30)
    ran = prefcenter.line(f"import list.csv {MANUAL} --column email")
    assert len(ran.err.splitlines()) == 20
    assert len((workplace / "list.csv.invalid.csv").read_text(encoding="utf-8").splitlines()) == 31


def test_whole_domains_are_imported_too(prefcenter: CommandLine, workplace: Path) -> None:
    write(workplace, "email\nkim@example.com\n@acme.example\n")
    assert counts(prefcenter, f"list.csv {MANUAL}")["added"] == 2
    assert reason(prefcenter, "anybody@news.acme.example") == "manual"


def test_a_registry_replaced_in_full_lifts_who_is_not_on_it_any_more(prefcenter: CommandLine, workplace: Path) -> None:
    write(workplace, "email\npat@acme.example\nsam@acme.example\n", "first.csv")
    write(workplace, "email\nsam@acme.example\nkim@acme.example\n", "second.csv")
    prefcenter.done(f"import first.csv {REGISTRY}")
    prefcenter.done(f"suppress pat@acme.example {OC} --reason manual --source crm")
    found = counts(prefcenter, f"second.csv {REGISTRY} --replace-registry")
    assert (found["added"], found["already"], found["lifted"]) == (1, 1, 1)
    reasons = [reason(prefcenter, f"{name}@acme.example") for name in ("pat", "sam", "kim")]
    assert reasons == ["manual", "on_registry", "on_registry"]


def test_without_replacement_a_registry_only_grows(prefcenter: CommandLine, workplace: Path) -> None:
    write(workplace, "email\npat@acme.example\n", "first.csv")
    write(workplace, "email\nsam@acme.example\n", "second.csv")
    for name in ("first.csv", "second.csv"):
        assert "lifted" not in counts(prefcenter, f"{name} {REGISTRY}")
    assert reason(prefcenter, "pat@acme.example") == "on_registry"


def test_who_is_back_on_a_registry_is_refused_again(prefcenter: CommandLine, workplace: Path) -> None:
    write(workplace, "email\npat@acme.example\nsam@acme.example\n", "first.csv")
    write(workplace, "email\nsam@acme.example\n", "second.csv")
    for name in ("first.csv", "second.csv", "first.csv"):
        prefcenter.done(f"import {name} {REGISTRY} --replace-registry")
    assert reason(prefcenter, "pat@acme.example") == "on_registry"


def test_a_registry_for_calls_that_is_replaced_leaves_texts_alone(prefcenter: CommandLine, workplace: Path) -> None:
    write(workplace, "phone\n020 7946 0018\n020 7946 0019\n", "both.csv")
    write(workplace, "phone\n020 7946 0018\n", "one.csv")
    by = f"{OC} --reason on_registry --source tps --channel"
    for channel in ("sms", "voice"):
        prefcenter.done(f"import both.csv {by} {channel}")
    assert counts(prefcenter, f"one.csv {by} voice --replace-registry")["lifted"] == 1
    asked = f'check "020 7946 0019" {OC} --purpose candidate-contact --channel'
    assert "refused  on_registry" in prefcenter.line(f"{asked} sms").out
    assert "permitted" in prefcenter.done(f"{asked} voice")


def test_an_older_registry_sent_again_lifts_nobody_whom_a_newer_one_named(
    prefcenter: CommandLine, workplace: Path
) -> None:
    write(workplace, "email\npat@acme.example\n", "january.csv")
    write(workplace, "email\npat@acme.example\nkim@acme.example\n", "february.csv")
    lifted = [
        counts(prefcenter, f"{month}.csv {REGISTRY} --replace-registry")["lifted"]
        for month in ("january", "february", "january")
    ]
    assert lifted == [0, 0, 0]
    assert reason(prefcenter, "kim@acme.example") == "on_registry"


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("kim@acme.example\nnobody\n", "1 of 2 rows are invalid (see next.csv.invalid.csv); what the list adds is on"),
        ("", "by a list that names somebody; nothing was lifted"),
    ],
)
def test_a_registry_is_not_replaced_by_a_list_that_is_not_whole(
    prefcenter: CommandLine, workplace: Path, rows: str, why: str
) -> None:
    write(workplace, "email\npat@acme.example\n", "first.csv")
    write(workplace, "email\n" + rows, "next.csv")
    prefcenter.done(f"import first.csv {REGISTRY}")
    ran = prefcenter.line(f"import next.csv {REGISTRY} --replace-registry")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("next.csv: a registry is replaced only by ")
    assert why in ran.err
    assert reason(prefcenter, "pat@acme.example") == "on_registry"


def test_consents_are_imported_with_their_evidence(prefcenter: CommandLine, workplace: Path) -> None:
    write(
        workplace,
        "email,when,wording,method,ends\n"
        "pat@gmail.com,2026-01-02,newsletter@1,form,\n"
        "sam@gmail.com,2026-01-02T10:00:00Z,newsletter@1,form,2026-06-01\n"
        "kim@gmail.com,,newsletter@1,form,\n"
        "lee@gmail.com,2026-01-02,Free text!,form,\n"
        "@acme.example,2026-01-02,newsletter@1,form,\n",
    )
    ran = prefcenter.line(f"import list.csv {GRANT} --expires-column ends")
    assert ran.out.startswith("read 5  added 2  already 0  reversed 0  invalid 3\n")
    assert [line.split(": ")[1] for line in ran.err.splitlines()] == ["time", "wording", "address"]
    reasons = [reason(prefcenter, f"{name}@gmail.com") for name in ("pat", "sam", "kim", "lee")]
    assert reasons == ["permitted", "consent_expired", "no_consent", "no_consent"]
    assert counts(prefcenter, f"list.csv {GRANT} --expires-column ends")["already"] == 2


def test_imported_consents_do_not_undo_a_later_opt_out(prefcenter: CommandLine, workplace: Path) -> None:
    prefcenter.done("opt-out pat@gmail.com --controller opencontact")
    write(workplace, "email,when,wording,method\npat@gmail.com,2026-01-02,newsletter@1,form\n")
    prefcenter.done(f"import list.csv {GRANT}")
    assert reason(prefcenter, "pat@gmail.com") == "opted_out"


LIST = "email{0}name\r\npat@acme.example{0}Zoë Müller\r\nsam@acme.example{0}Åsa\r\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_lists_come_in_many_dialects_and_encodings(
    prefcenter: CommandLine, workplace: Path, delimiter: str, encoding: str
) -> None:
    write(workplace, LIST.format(delimiter), encoding=encoding)
    assert counts(prefcenter, f"list.csv {MANUAL}")["added"] == 2


@pytest.mark.parametrize(
    ("channel", "address", "typed"),
    [
        ("sms", "07700 900123", "+447700900123"),
        ("voice", "020 7946 0018", "(020) 7946 0018"),
        ("post", "Pat Example, 10 High Street, Leeds, LS1 4AP", "10 High Street, Leeds, LS1 4AP"),
    ],
)
def test_lists_of_other_channels_are_imported(
    prefcenter: CommandLine, workplace: Path, channel: str, address: str, typed: str
) -> None:
    write(workplace, f'id,to\n1,"{address}"\n')
    assert counts(prefcenter, f"list.csv {MANUAL} --channel {channel} --column to")["added"] == 1
    asked = ["--controller", "opencontact", "--purpose", "client-marketing", "--channel", channel]
    ran = prefcenter("check", f"Pat Example, {typed}" if channel == "post" else typed, *asked)
    assert ran.out.startswith("refused  manual")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (f"{OC} --source crm", "Missing option '--reason' (or '--grant')."),
        (f"{OC} --reason manual", "Missing option '--source'."),
        (f"{OC} --reason erased --source crm", "reason: erasures are single acts"),
        (f"{OC} --reason manual --source 'Free text'", "source: expected a short slug"),
        (f"{MANUAL} --purpose unheard-of", "purpose: not one of this policy"),
        (f"{MANUAL} --purpose contract-service", "administrative messages are not stopped by manual"),
        (f"{MANUAL} --purpose client-marketing --class promotional", "Name one of --purpose, --class and --data-use."),
        (f"{MANUAL} --column phone", "list.csv:1: header: --address-column names none of"),
        (f"{MANUAL} --time-column when", "list.csv:1: header: --time-column names none of"),
        (f"{MANUAL} --replace-registry", "--replace-registry: goes with --reason on_registry"),
        (f"{MANUAL} --wording-column w", "--wording-column, --method-column and --expires-column go with --grant."),
        (f"{GRANT} --reason manual", "--grant goes with none of --reason, --class, --replace-registry and --hashes."),
        (f"{OC} --grant --purpose client-marketing --source crm", "--grant needs --time-column, --wording-column and"),
        (f"{GRANT} --data-use profiling", "--grant needs either --purpose or --data-use."),
        (f"{GRANT}", "list.csv:1: header: --time-column names none of"),
        ("--controller acme --reason manual --source crm", "controller: not one of this home's policies"),
    ],
)
def test_an_import_that_cannot_be_done_names_what_is_wrong_and_changes_nothing(
    prefcenter: CommandLine, workplace: Path, line: str, error: str
) -> None:
    write(workplace, "email\npat@acme.example\n")
    ran = prefcenter.line(f"import list.csv {line}")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(error)
    assert reason(prefcenter, "pat@acme.example") == "permitted"
    assert [path.name for path in workplace.iterdir()] == ["list.csv"]


BEGUN_SECONDS_MAX = 100


@pytest.mark.parametrize(("count", "note"), [(5_400, "x"), (63_000, "x" * 20)], ids=["row by row", "in blocks"])
def test_an_import_that_is_killed_and_run_again_ends_as_if_it_had_not_been(
    prefcenter: CommandLine, workplace: Path, count: int, note: str
) -> None:
    rows = [f"p{number}@acme.example" if number % 9 else f"nobody{number}" for number in range(count)]
    invalid, valid = count // 9, count - count // 9
    write(workplace, "email,note\n" + "".join(f"{row},{note}\n" for row in rows))
    assert ((workplace / "list.csv").stat().st_size > FEWEST_OCTETS) is (count > 10_000)
    store = prefcenter.home / "store.sqlite3-wal"
    arguments = ["import", "list.csv", *MANUAL.split()]
    killed = subprocess.Popen(
        [sys.executable, "-c", "from prefcenter.cli import main; main()", *arguments],
        cwd=workplace,
        env={**os.environ, "PREFCENTER_HOME": str(prefcenter.home), "PYTHONPATH": str(ROOT)},
    )
    partial = workplace / ".list.csv.invalid.csv.partial"
    try:
        _wait_until_written(killed, store, partial)
    finally:
        killed.kill()
        ended = killed.wait()
    assert ended == -signal.SIGKILL
    assert partial.exists()
    assert not (workplace / "list.csv.invalid.csv").exists()
    found = counts(prefcenter, f"list.csv {MANUAL}")
    assert found["already"] > 0
    assert found["added"] > 0
    assert (found["added"] + found["already"], found["invalid"]) == (valid, invalid)
    assert not partial.exists()
    assert len((workplace / "list.csv.invalid.csv").read_text(encoding="utf-8").splitlines()) == invalid + 1
    assert counts(prefcenter, f"list.csv {MANUAL}")["already"] == valid
    assert prefcenter.line("audit verify").code == 0


def _wait_until_written(importing: subprocess.Popen[bytes], store: Path, partial: Path) -> None:
    """Wait until another process, which may have to compile its code first, has written a part of its import."""
    deadline = time.monotonic() + BEGUN_SECONDS_MAX
    while not (partial.exists() and store.exists() and store.stat().st_size > 100_000):
        assert importing.poll() is None, "the import ended before it could be killed"
        assert time.monotonic() < deadline, "the import never began"
        time.sleep(0.005)


def test_what_a_killed_import_left_is_gone_after_the_next_one(prefcenter: CommandLine, workplace: Path) -> None:
    write(workplace, "email\npat@acme.example\n")
    partial = workplace / ".list.csv.invalid.csv.partial"
    partial.write_text("somebody@acme.example\n", encoding="utf-8")
    assert counts(prefcenter, f"list.csv {MANUAL}")["invalid"] == 0
    assert [path.name for path in workplace.iterdir()] == ["list.csv"]


def test_a_list_on_standard_input_is_imported_and_its_invalid_rows_are_kept(
    prefcenter: CommandLine, workplace: Path
) -> None:
    content = b'{"email": "pat@acme.example"}\n{"email": "nobody"}\n'
    ran = prefcenter.line(f"import - {MANUAL}", stdin=content)
    assert (ran.code, ran.err) == (0, "-:2: address: is not an email address\n")
    assert ran.out == "read 2  added 1  already 0  reversed 0  invalid 1\ninvalid rows: standard-input.invalid.ndjson\n"
    kept = workplace / "standard-input.invalid.ndjson"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert json.loads(kept.read_bytes())["email"] == "nobody"
    (workplace / "list.ndjson").write_bytes(content)
    assert counts(prefcenter, f"list.ndjson {MANUAL}")["already"] == 1


def test_a_pattern_names_lists_that_are_imported_one_after_the_other(prefcenter: CommandLine, workplace: Path) -> None:
    write(workplace, "email\npat@acme.example\nnobody\n", "part-2.csv")
    write(workplace, '{"address": "kim@acme.example"}\n{"address": "none"}\n', "part-1.ndjson")
    ran = prefcenter.line(f"import 'part-*' {MANUAL}")
    assert ran.out.splitlines() == [
        "read 4  added 2  already 0  reversed 0  invalid 2",
        "invalid rows: part-1.ndjson.invalid.ndjson",
        "invalid rows: part-2.csv.invalid.csv",
    ]
    assert [line.split(" ")[0] for line in ran.err.splitlines()] == ["part-1.ndjson:2:", "part-2.csv:3:"]


def test_a_pattern_that_names_nothing_and_standard_input_twice_are_errors(prefcenter: CommandLine) -> None:
    for files, told in (("'none-*.csv'", "none-*.csv: names no file"), ("- -", "-: standard input can be read once")):
        ran = prefcenter.line(f"import {files} {MANUAL}")
        assert (ran.code, ran.out) == (2, "")
        assert told in ran.err
