"""Settings are read once from a mapping, and every variable is documented."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from prefcenter.domain.errors import InvalidInput
from prefcenter.settings import BASE_URL_VARIABLE, HOME_VARIABLE, STORE_VARIABLE, VARIABLES, Settings, read_settings

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "settings.md"


def documented() -> list[str]:
    return re.findall(r"^\| `([A-Z_]+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_variable_is_documented_and_nothing_else_is() -> None:
    assert documented() == list(VARIABLES)


def test_a_home_given_on_the_command_line_wins_over_the_variable(tmp_path: Path) -> None:
    environ = {HOME_VARIABLE: str(tmp_path / "other")}
    assert read_settings(environ, tmp_path / "home").home == tmp_path / "home"
    assert read_settings(environ).home == tmp_path / "other"


def test_without_a_variable_the_home_lies_in_the_data_directory(tmp_path: Path) -> None:
    environ = {"XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path / "person")}
    assert read_settings(environ).home == tmp_path / "prefcenter"


@pytest.mark.parametrize("unset", [{}, {"XDG_DATA_HOME": ""}, {HOME_VARIABLE: ""}])
def test_without_a_data_directory_it_is_the_usual_one_of_the_user(tmp_path: Path, unset: dict[str, str]) -> None:
    environ = {"HOME": str(tmp_path), **unset}
    assert read_settings(environ).home == tmp_path / ".local" / "share" / "prefcenter"


def test_a_user_without_a_home_variable_still_has_a_home() -> None:
    assert read_settings({}).home == Path("~/.local/share/prefcenter").expanduser()


def test_a_relative_home_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings({HOME_VARIABLE: "home"}).home == tmp_path / "home"


def test_files_have_their_places_in_the_home(tmp_path: Path) -> None:
    settings = read_settings({}, tmp_path)
    assert settings.keyring == tmp_path / "keyring.json"
    assert settings.policies == tmp_path / "policies"
    assert settings.checkpoint == tmp_path / "checkpoint.json"


def test_the_store_stands_in_the_home_unless_a_variable_names_another(tmp_path: Path) -> None:
    assert read_settings({}, tmp_path).store_url == f"sqlite://{tmp_path}/store.sqlite3"
    assert read_settings({STORE_VARIABLE: ""}, tmp_path).store_url == f"sqlite://{tmp_path}/store.sqlite3"
    assert read_settings({STORE_VARIABLE: "sqlite:///srv/s"}, tmp_path).store_url == "sqlite:///srv/s"


def test_characters_with_a_meaning_in_urls_are_encoded_in_the_path_of_a_store(tmp_path: Path) -> None:
    assert read_settings({}, tmp_path / "a?b #c%").store_url.endswith("/a%3Fb%20%23c%25/store.sqlite3")


def test_a_moved_home_takes_its_own_store_along_and_no_other(tmp_path: Path) -> None:
    moved = read_settings({}, tmp_path / "here").moved_to(tmp_path / "there")
    assert moved == read_settings({}, tmp_path / "there")
    elsewhere = read_settings({STORE_VARIABLE: "sqlite:///srv/s"}, tmp_path / "here").moved_to(tmp_path / "there")
    assert elsewhere == Settings(tmp_path / "there", "sqlite:///srv/s")


def test_a_store_url_is_never_shown_for_it_may_hold_a_password(tmp_path: Path) -> None:
    settings = read_settings({STORE_VARIABLE: "mongodb://person:password@db.example/"}, tmp_path / "home")
    assert repr(settings) == "Settings(home='home', store_url=***)"
    assert "password" not in f"{settings} {settings!r} {[settings]}"


def test_settings_do_not_change(tmp_path: Path) -> None:
    with pytest.raises(FrozenInstanceError):
        read_settings({}, tmp_path).home = tmp_path / "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "http://127.0.0.1:8080"),
        ("https://preferences.example/", "https://preferences.example"),
        ("https://preferences.example:8443/people", "https://preferences.example:8443/people"),
        ("http://localhost:9000", "http://localhost:9000"),
    ],
)
def test_links_begin_with_the_base_url(text: str, url: str) -> None:
    site = read_settings({BASE_URL_VARIABLE: text}).site
    assert (site.base_url, site.is_named) == (url, bool(text))


@pytest.mark.parametrize(
    "text",
    [
        *("preferences.example", "http://preferences.example", "ftp://preferences.example", "https://"),
        *("https://u:p@preferences.example", "https://preferences.example?a", "https://preferences.example#a"),
        *("https://preferences.example/a b", "https://preferences.example:port", "https://[", "https://é.example"),
    ],
)
def test_a_base_url_that_mail_programs_would_not_send_to_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{BASE_URL_VARIABLE}: expected https://HOST"):
        read_settings({BASE_URL_VARIABLE: text})


def test_letters_go_out_where_a_mail_host_is_named() -> None:
    assert not read_settings({}).site.sends_mail
    assert read_settings({"PREFCENTER_SMTP_URL": "smtps://mail.example"}).site.sends_mail


def test_a_moved_home_keeps_its_site(tmp_path: Path) -> None:
    settings = read_settings({BASE_URL_VARIABLE: "https://preferences.example"}, tmp_path / "here")
    assert settings.moved_to(tmp_path / "there").site == settings.site
