"""`prefcenter apikey`: a key is shown once, listed without its secret, and revoked for good."""

from __future__ import annotations

import json
import re

from tests.cli.command_line import CommandLine

ISO = r"\d{4}-\d\d-\d\dT[\d:.]+Z"


def test_a_key_is_printed_once_and_never_again(prefcenter: CommandLine) -> None:
    text = prefcenter.done("apikey create --label mail-tool --scope decide --controller opencontact").strip()
    key_id, secret = text.removeprefix("pck_").split("_", 1)
    listed = prefcenter.done("apikey list") + prefcenter.done("apikey list --json")
    assert key_id in listed
    assert secret not in listed
    assert text not in listed


def test_the_list_tells_state_scopes_controllers_and_last_use(prefcenter: CommandLine) -> None:
    first = json.loads(prefcenter.done("apikey create --label one --scope decide --scope read --json"))
    prefcenter.done("apikey create --label two --scope admin --controller openscape --expires 2099-01-01")
    assert prefcenter.done(f"apikey revoke {first['id']}") == f"{first['id']}  revoked\n"
    one, two = prefcenter.done("apikey list").splitlines()
    assert one == f"{first['id']}  revoked  one  decide,read  all controllers  never used"
    assert re.fullmatch(r"[0-9a-f]{12}  in force  two  admin  openscape  never used", two)
    as_json = json.loads(prefcenter.done("apikey list --json"))
    assert [key["state"] for key in as_json] == ["revoked", "in force"]
    assert re.fullmatch(ISO, as_json[0]["revoked"])
    assert as_json[1] == {
        "id": two[:12],
        "label": "two",
        "state": "in force",
        "scopes": ["admin"],
        "controllers": ["openscape"],
        "created": as_json[1]["created"],
        "expires": "2099-01-01T00:00:00.000Z",
        "revoked": None,
        "lastUsed": None,
    }


def test_a_second_revocation_is_a_clear_no(prefcenter: CommandLine) -> None:
    key_id = json.loads(prefcenter.done("apikey create --label one --scope decide --json"))["id"]
    assert prefcenter.line(f"apikey revoke {key_id}").code == 0
    again = prefcenter.line(f"apikey revoke {key_id}")
    assert (again.code, again.out) == (1, f"{key_id}  was revoked already\n")


def test_a_key_for_a_controller_that_is_not_there_is_not_made(prefcenter: CommandLine) -> None:
    ran = prefcenter.line("apikey create --label one --scope decide --controller acme")
    assert (ran.code, ran.err) == (2, "controller: not one of this home's policies\n")
    assert prefcenter.done("apikey list") == ""


def test_a_label_or_an_end_that_cannot_be_is_refused(prefcenter: CommandLine) -> None:
    for wrong in ("--label Pat.Secret@acme.example --scope decide", "--label a --scope decide --expires 2001-01-01"):
        ran = prefcenter.line(f"apikey create {wrong}")
        assert (ran.code, ran.out) == (2, "")
        assert "Secret" not in ran.err
    assert prefcenter.line("apikey create --label a").code == 2
    assert prefcenter.line("apikey create --label a --scope everything").code == 2
