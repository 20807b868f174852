"""Errors: one line that names file, line and field, or one JSON object; exit 2; and never an address."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prefcenter.cli.program import without_addresses
from tests.cli.command_line import POLICIES, ROOT, CommandLine

MARKETING = "--controller opencontact --purpose client-marketing --channel email"
PROGRAM = [sys.executable, "-c", "from prefcenter.cli import main; main()"]

EMAIL = "Pat.Secret@acme.example"
PHONE = "020 7946 0123"
DIGITS = "02079460123"
POSTAL = "Pat Secret, 10 High Street, Leeds, LS1 4AP"
PUSH = "push:Secret-token-9"
ADDRESSES = (EMAIL, PHONE, DIGITS, POSTAL, PUSH, '"pat secret"@acme.example', "pat'secret@acme.example")


@pytest.fixture
def no_home(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "home")


def process(prefcenter: CommandLine, *arguments: str, **streams: object) -> subprocess.Popen[str]:
    """The program as a process of its own, for what happens to processes only."""
    environ = {**os.environ, "PREFCENTER_HOME": str(prefcenter.home)}
    started: subprocess.Popen[str] = subprocess.Popen(
        [*PROGRAM, *arguments], cwd=ROOT, env=environ, text=True, stderr=subprocess.PIPE, **streams
    )  # type: ignore[call-overload]
    return started


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "--home {}",
        "check a b {}",
        "check x@acme.example --controller {} --purpose client-marketing --channel email",
        "check x@acme.example --controller opencontact --purpose {} --channel email",
        "check x@acme.example --controller opencontact --purpose client-marketing --channel {}",
        "check x@acme.example --controller opencontact --purpose client-marketing --channel={}",
        "check x@acme.example --controller opencontact --data-use {}",
        "check x@acme.example MARKETING --address-class {}",
        "check x@acme.example MARKETING --audience {}",
        "check x@acme.example MARKETING --at {}",
        "check x@acme.example MARKETING --{}",
        "opt-out x@acme.example --controller opencontact --class {}",
        "consent x@acme.example MARKETING --wording {} --method form",
        "consent x@acme.example MARKETING --wording w --method {}",
        "consent x@acme.example MARKETING --wording w --method form --expires {}",
        "suppress x@acme.example --controller opencontact --reason {} --source crm",
        "suppress x@acme.example --controller opencontact --reason manual --source {}",
        "lift x@acme.example --controller opencontact --reason manual --cause {}",
        "import {} --controller opencontact --reason manual --source crm",
        "import list.csv --controller opencontact --reason manual --source crm --column {}",
        "import list.csv --controller opencontact --reason manual --source crm --time-column {}",
        "import list.csv --controller opencontact --reason manual --source {}",
        "scrub {} MARKETING --out out",
        "scrub list.csv MARKETING --out out --class-column {}",
        "scrub list.csv MARKETING --out out --audience {}",
        "scrub list.csv --controller opencontact --purpose {} --channel email --out out",
        "audit {}",
        "audit verify {}",
        "audit verify --against {}",
        "policy check {}",
        "keys backup {}/x",
        "keys retire {}",
    ],
)
def test_an_address_typed_in_a_wrong_place_is_never_shown(
    prefcenter: CommandLine, workplace: Path, line: str, address: str
) -> None:
    (workplace / "list.csv").write_text("email\nkim@acme.example\n", encoding="utf-8")
    arguments = [part.replace("{}", address) for part in line.replace("MARKETING", MARKETING).split()]
    ran = prefcenter(*arguments)
    assert ran.code in (1, 2), ran.both
    shown = ran.both.casefold()
    for secret in (address.casefold(), "secret", "high street", "02079460123", "0123"):
        assert secret not in shown


def test_a_file_that_is_named_by_a_date_is_named_in_its_errors(prefcenter: CommandLine, workplace: Path) -> None:
    del workplace
    ran = prefcenter.line("import exports/bounces-2026-11-21.csv --controller opencontact --reason manual --source crm")
    assert ran.err == "exports/bounces-2026-11-21.csv: No such file or directory\n"


def test_what_an_error_says_of_its_own_is_left_as_it_is(prefcenter: CommandLine) -> None:
    ran = prefcenter.line(f"check pat@acme.example {MARKETING} --at yesterday")
    assert "expected a date (2026-11-21) or a time with its zone (2026-11-21T09:30:00Z)" in ran.err


def test_a_directory_that_is_named_by_an_address_is_not_shown(prefcenter: CommandLine, workplace: Path) -> None:
    (workplace / "list.csv").write_text("email\nkim@acme.example\n", encoding="utf-8")
    ran = prefcenter.line(f"scrub list.csv {MARKETING} --out {EMAIL}/out")
    assert ran.err == "--out: ***: the directory to put it in does not exist\n"


def test_a_path_loses_only_the_part_that_may_be_an_address() -> None:
    assert without_addresses("lists/pat@acme.example:3: row: expected 2 cells") == "lists/***:3: row: expected 2 cells"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("check x@acme.example", "usage"),
        ("unheard-of", "usage"),
        ("check x@acme.example --controller acme --purpose p --channel email", "invalid_input"),
        ("scrub none.csv MARKETING --out out", "invalid_list"),
        ("import none.csv --controller opencontact --reason manual --source crm", "invalid_list"),
        ("import empty.csv --controller opencontact --reason manual --source crm", "invalid_list"),
    ],
)
def test_json_errors_have_one_shape(prefcenter: CommandLine, workplace: Path, line: str, code: str) -> None:
    (workplace / "empty.csv").touch()
    ran = prefcenter.line(line.replace("MARKETING", MARKETING) + " --json")
    error = json.loads(ran.err)["error"]
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert sorted(error) == ["code", "id", "message"]
    assert error["code"] == code
    assert len(error["id"]) == 16


def test_each_error_has_an_id_of_its_own(prefcenter: CommandLine) -> None:
    ids = {json.loads(prefcenter.line("check --json").err)["error"]["id"] for _ in range(3)}
    assert len(ids) == 3


def test_a_usage_error_says_where_the_help_is(prefcenter: CommandLine) -> None:
    ran = prefcenter.line("lift pat@acme.example")
    assert ran.err == "Missing option '--controller'.\nTry 'prefcenter lift --help'.\n"


@pytest.mark.parametrize(
    "line", ["check x@acme.example MARKETING", "opt-out x@acme.example --controller opencontact", "keys check"]
)
def test_without_a_home_every_command_says_so(no_home: CommandLine, line: str) -> None:
    ran = no_home.line(line.replace("MARKETING", MARKETING))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("keyring.json: there is none here; run `prefcenter init`")
    assert not no_home.home.exists()


def test_a_keyring_that_others_can_read_is_refused(prefcenter: CommandLine) -> None:
    (prefcenter.home / "keyring.json").chmod(0o640)
    ran = prefcenter.line(f"check x@acme.example {MARKETING} --json")
    assert (ran.code, ran.out, json.loads(ran.err)["error"]["code"]) == (2, "", "keyring")


def test_another_keyring_is_refused(prefcenter: CommandLine, no_home: CommandLine, tmp_path: Path) -> None:
    other = CommandLine(tmp_path / "other")
    assert other("init").code == 0
    (other.home / "keyring.json").replace(prefcenter.home / "keyring.json")
    ran = prefcenter.line("keys check")
    assert (ran.code, ran.err) == (2, "the keyring is not the one that this store was made with\n")


def test_init_copies_policies_and_says_what_comes_next(no_home: CommandLine) -> None:
    ran = no_home("init", "--policies", str(POLICIES))
    assert (ran.code, ran.err) == (0, "")
    home, controllers, comes_next = ran.out.splitlines()
    assert home == f"home    {no_home.home}"
    assert "opencontact, openscape" in controllers
    assert comes_next.endswith("prefcenter keys backup FILE")
    assert {path.name for path in no_home.home.iterdir()} >= {"keyring.json", "store.sqlite3", "policies"}


def test_a_second_init_is_refused_and_changes_nothing(prefcenter: CommandLine) -> None:
    before = {path: path.read_bytes() for path in prefcenter.home.rglob("*") if path.is_file()}
    ran = prefcenter.line("init")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("home: not empty; a home is made once")
    assert {path: path.read_bytes() for path in prefcenter.home.rglob("*") if path.is_file()} == before


def test_an_init_with_faulty_policies_leaves_nothing(no_home: CommandLine, workplace: Path) -> None:
    (workplace / "p").mkdir()
    (workplace / "p" / "acme.toml").write_text("[controller]\nid = 'acme'\n", encoding="utf-8")
    ran = no_home.line("init --policies p")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("acme.toml: ")
    assert sorted(path.name for path in no_home.home.parent.iterdir()) == ["workplace"]


def test_policy_check_reports_all_faults_and_exits_with_one(prefcenter: CommandLine, workplace: Path) -> None:
    for name in ("one", "two"):
        (workplace / f"{name}.toml").write_text(f"[controller]\nid = '{name}'\ncolour = 1\n", encoding="utf-8")
    ran = prefcenter.line("policy check .")
    assert (ran.code, ran.out) == (1, "")
    for name in ("one", "two"):
        assert f"{name}.toml: controller.colour: " in ran.err


def test_policy_check_lists_what_it_found_good(no_home: CommandLine) -> None:
    ran = no_home("policy", "check", str(POLICIES))
    assert (ran.code, len(ran.out.splitlines()), ran.err) == (0, 5, "")
    assert "opencontact  version " in ran.out


def test_policy_check_of_what_is_no_directory_is_an_error(no_home: CommandLine, workplace: Path) -> None:
    del workplace
    ran = no_home.line("policy check unheard-of")
    assert (ran.code, ran.err) == (2, "unheard-of: not a directory of policies\n")


@pytest.mark.parametrize("url", ["postgresql://acme.example/x", "sqlite://host/x", "/plain/path"])
def test_a_store_url_of_another_kind_is_an_error_that_does_not_show_it(prefcenter: CommandLine, url: str) -> None:
    ran = prefcenter("keys", "check", environ={"PREFCENTER_STORE": url})
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("store: expected sqlite:///absolute/path")
    assert url not in ran.err


def test_the_store_may_stand_elsewhere(no_home: CommandLine, tmp_path: Path) -> None:
    elsewhere = {"PREFCENTER_STORE": f"sqlite://{tmp_path}/elsewhere.sqlite3"}
    assert no_home("init", environ=elsewhere).code == 0
    assert (tmp_path / "elsewhere.sqlite3").is_file()
    assert not (no_home.home / "store.sqlite3").exists()
    assert no_home("audit", "verify", environ=elsewhere).code == 0
    assert no_home("audit", "verify").code == 2


def test_a_home_on_the_command_line_wins_over_the_variable(no_home: CommandLine, tmp_path: Path) -> None:
    chosen = tmp_path / "chosen"
    assert no_home("--home", str(chosen), "init").code == 0
    assert chosen.is_dir()
    assert not no_home.home.exists()


@pytest.mark.parametrize(
    ("variables", "home"),
    [({"XDG_DATA_HOME": "{}/data"}, "data/prefcenter"), ({"HOME": "{}/user"}, "user/.local/share/prefcenter")],
)
def test_the_default_home_is_in_the_users_data_directory(
    no_home: CommandLine, tmp_path: Path, variables: dict[str, str], home: str
) -> None:
    environ = {"XDG_DATA_HOME": None, **{name: value.format(tmp_path) for name, value in variables.items()}}
    assert no_home.run("init", environ=environ).code == 0
    assert (tmp_path / home / "keyring.json").is_file()


def test_a_store_that_is_read_only_takes_no_act_but_answers(prefcenter: CommandLine) -> None:
    read_only = {"PREFCENTER_STORE": f"sqlite://{prefcenter.home}/store.sqlite3?mode=ro"}
    ran = prefcenter("opt-out", "pat@acme.example", "--controller", "opencontact", environ=read_only)
    assert (ran.code, ran.out) == (2, "")
    assert "read-only; nothing was acknowledged" in ran.err
    asked = f"check pat@acme.example {MARKETING} --address-class business".split()
    assert prefcenter(*asked, environ=read_only).code == 0


def test_an_answer_that_nobody_reads_is_a_fault_and_no_refusal(prefcenter: CommandLine) -> None:
    asked = f"check pat@acme.example {MARKETING} --address-class business".split()
    reading, writing = os.pipe()
    os.close(reading)
    asking = process(prefcenter, *asked, stdout=writing)
    os.close(writing)
    assert (asking.communicate()[1], asking.returncode) == ("", 2)


def test_a_closed_standard_input_is_an_error(prefcenter: CommandLine) -> None:
    asking = process(
        prefcenter, *f"check - {MARKETING}".split(), stdout=subprocess.PIPE, preexec_fn=lambda: os.close(0)
    )
    out, err = asking.communicate()
    assert (asking.returncode, out) == (2, "")
    assert "Invalid value for 'ADDRESS'" in err


def test_an_interrupted_import_says_so_and_leaves_no_partial_file(prefcenter: CommandLine, workplace: Path) -> None:
    rows = "".join(f"p{number}@acme.example,x,y\n" if number % 7 else "bad,row\n" for number in range(600_000))
    (workplace / "list.csv").write_text("email,a,b\n" + rows, encoding="utf-8")
    line = "--controller opencontact --reason manual --source crm".split()
    importing = process(
        prefcenter, "import", str(workplace / "list.csv"), *line, stdout=subprocess.PIPE, preexec_fn=_heed_interrupts
    )
    _wait_for(workplace / ".list.csv.invalid.csv.partial")
    importing.send_signal(signal.SIGINT)
    out, err = importing.communicate()
    assert (importing.returncode, out) == (2, "")
    assert err.strip() == "interrupted; nothing more was done"
    assert [path.name for path in workplace.iterdir()] == ["list.csv"]
    assert prefcenter.line("audit verify").code == 0


def _heed_interrupts() -> None:
    """What runs in the background of a shell without job control ignores them, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _wait_for(path: Path) -> None:
    """Wait until a file of another process is there, for ten seconds at most."""
    for _ in range(1_000):
        if path.exists():
            return
        time.sleep(0.01)
    raise AssertionError("the file never appeared")
