"""Settings of a server: numbers with their units, networks, a portal; each fault names its variable."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from prefcenter.domain.errors import InvalidInput
from prefcenter.settings import (
    LIMIT_VARIABLES,
    METRICS_VARIABLE,
    PORTAL_VARIABLES,
    TRUSTED_PROXIES_VARIABLE,
    PortalSettings,
    ServingLimits,
    ServingSettings,
    read_serving_settings,
)

PORTAL = dict(zip(PORTAL_VARIABLES, ("https://id.example", "portal", "opencontact", "/etc/jwks.json"), strict=True))


def test_without_variables_the_usual_limits_hold() -> None:
    assert read_serving_settings({}) == ServingSettings()
    assert read_serving_settings(dict.fromkeys(LIMIT_VARIABLES, "")) == ServingSettings()


@pytest.mark.parametrize("variable", LIMIT_VARIABLES)
def test_each_limit_has_a_variable_of_its_name(variable: str) -> None:
    read = read_serving_settings({variable: "7"}).limits
    name = variable.removeprefix("PREFCENTER_").lower()
    assert getattr(read, name) == 7
    others = [limit for limit in ServingLimits.__slots__ if limit != name]
    assert all(getattr(read, limit) == getattr(ServingLimits(), limit) for limit in others)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", " 7", "٧", "9999999999", "1_0", "0x7"])
def test_a_limit_that_is_no_whole_number_from_1_on_names_its_variable(value: str) -> None:
    with pytest.raises(InvalidInput, match=r"^PREFCENTER_BODY_BYTES_MAX: expected a whole number") as caught:
        read_serving_settings({"PREFCENTER_BODY_BYTES_MAX": value})
    assert value not in str(caught.value).removesuffix("from 1 to 999999999")


def test_trusted_proxies_are_addresses_and_networks() -> None:
    read = read_serving_settings({TRUSTED_PROXIES_VARIABLE: "10.0.0.0/8, 192.0.2.7 ,2001:db8::/32,"})
    assert read.trusted_proxies == tuple(map(ip_network, ("10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32")))


@pytest.mark.parametrize("value", ["proxy.example", "10.0.0.1/8", "10.0.0.0/8;10.1.0.0/16", "*"])
def test_proxies_that_are_no_networks_are_refused(value: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{TRUSTED_PROXIES_VARIABLE}: "):
        read_serving_settings({TRUSTED_PROXIES_VARIABLE: value})


@pytest.mark.parametrize(
    ("value", "listener"), [("127.0.0.1:9464", ("127.0.0.1", 9464)), ("[::1]:0", ("::1", 0)), ("", None)]
)
def test_metrics_may_have_a_listener(value: str, listener: tuple[str, int] | None) -> None:
    assert read_serving_settings({METRICS_VARIABLE: value}).metrics == listener


@pytest.mark.parametrize("value", ["9464", ":9464", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536"])
def test_a_listener_that_is_no_host_and_port_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{METRICS_VARIABLE}: expected HOST:PORT"):
        read_serving_settings({METRICS_VARIABLE: value})


def test_a_portal_is_told_by_four_variables() -> None:
    assert read_serving_settings(PORTAL).portal == PortalSettings(*PORTAL.values())


@pytest.mark.parametrize("variable", PORTAL_VARIABLES)
def test_a_portal_that_is_told_in_part_is_refused(variable: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{variable}: is needed"):
        read_serving_settings({**PORTAL, variable: ""})


@pytest.mark.parametrize(
    "jwks", ["https://id.example/jwks", "http://127.0.0.1:8000/jwks", "http://localhost/jwks", "keys.json"]
)
def test_keys_come_from_a_file_or_over_a_connection_that_nobody_reads(jwks: str) -> None:
    portal = read_serving_settings({**PORTAL, PORTAL_VARIABLES[-1]: jwks}).portal
    assert portal is not None
    assert portal.jwks == jwks


@pytest.mark.parametrize("jwks", ["http://id.example/jwks", "ftp://id.example/jwks", "http://127.0.0.1.example/jwks"])
def test_keys_do_not_come_over_a_connection_that_others_can_change(jwks: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{PORTAL_VARIABLES[-1]}: expected a file, or a URL") as caught:
        read_serving_settings({**PORTAL, PORTAL_VARIABLES[-1]: jwks})
    assert jwks not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtps://mail.example", ("mail.example", 465, "tls", None, None)),
        ("smtps://u:p%40ss@mail.example:4465", ("mail.example", 4465, "tls", "u", "p@ss")),
        ("smtp+starttls://u%2Bx:p@mail.example", ("mail.example", 587, "starttls", "u+x", "p")),
        ("smtp://127.0.0.1:2525", ("127.0.0.1", 2525, "none", None, None)),
    ],
)
def test_a_mail_host_is_told_by_a_url(url: str, expected: tuple[object, ...]) -> None:
    mail = read_serving_settings({"PREFCENTER_SMTP_URL": url, "PREFCENTER_MAIL_FROM": "p@example.com"}).mail
    assert mail is not None
    assert (mail.host, mail.port, mail.security, mail.user, mail.password) == expected
    assert mail.sender == "p@example.com"
    assert "p@ss" not in repr(mail)


@pytest.mark.parametrize(
    "url",
    [
        "mail.example",
        "smtp://u:secret@mail.example",
        "https://mail.example",
        "smtps://",
        "smtps://h:secret",
        "smtps://[",
    ],
)
def test_a_mail_host_that_cannot_be_used_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"^PREFCENTER_SMTP_URL: expected") as caught:
        read_serving_settings({"PREFCENTER_SMTP_URL": url, "PREFCENTER_MAIL_FROM": "p@example.com"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("sender", ["", "nobody", "P <p@example.com>", "p@example.com\nBcc: k@example.com", "a@b@c"])
def test_letters_come_from_one_plain_address(sender: str) -> None:
    with pytest.raises(InvalidInput, match=r"^PREFCENTER_MAIL_FROM: expected"):
        read_serving_settings({"PREFCENTER_SMTP_URL": "smtps://mail.example", "PREFCENTER_MAIL_FROM": sender})
