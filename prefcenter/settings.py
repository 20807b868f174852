"""Settings, read once from an environ mapping into one frozen object."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from prefcenter.domain.errors import InvalidInput
from prefcenter.services.site import Site

HOME_VARIABLE = "PREFCENTER_HOME"
STORE_VARIABLE = "PREFCENTER_STORE"
STORE_REGION_VARIABLE = "PREFCENTER_STORE_REGION"
BASE_URL_VARIABLE = "PREFCENTER_BASE_URL"
SMTP_URL_VARIABLE = "PREFCENTER_SMTP_URL"
MAIL_FROM_VARIABLE = "PREFCENTER_MAIL_FROM"
TRUSTED_PROXIES_VARIABLE = "PREFCENTER_TRUSTED_PROXIES"
METRICS_VARIABLE = "PREFCENTER_METRICS"
PORTAL_VARIABLES = (
    "PREFCENTER_PORTAL_ISSUER",
    "PREFCENTER_PORTAL_AUDIENCE",
    "PREFCENTER_PORTAL_CONTROLLER",
    "PREFCENTER_PORTAL_JWKS",
)
GRAPHQL_DOCUMENTS_VARIABLE = "PREFCENTER_GRAPHQL_DOCUMENTS"
GRAPHQL_INTROSPECTION_VARIABLE = "PREFCENTER_GRAPHQL_INTROSPECTION"
GRAPHQL_LEAF_LISTS_VARIABLE = "PREFCENTER_GRAPHQL_LEAF_LISTS"
GRAPHQL_VARIABLES = (GRAPHQL_DOCUMENTS_VARIABLE, GRAPHQL_INTROSPECTION_VARIABLE, GRAPHQL_LEAF_LISTS_VARIABLE)
ANY_DOCUMENT = "any"
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
_MAIL_SCHEMES = {"smtps": ("tls", 465), "smtp+starttls": ("starttls", 587), "smtp": ("none", 25)}
_SENDER = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}", re.ASCII)
_URL = re.compile(r"[!-~]{1,200}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a home is, and its store. A store URL may carry a password, so it is never printed."""

    home: Path
    store_url: str
    site: Site = field(default_factory=Site)
    store_regions: frozenset[str] = frozenset()
    """The regions that the store is declared to lie in."""

    @property
    def keyring(self) -> Path:
        return self.home / "keyring.json"

    @property
    def policies(self) -> Path:
        return self.home / "policies"

    @property
    def checkpoint(self) -> Path:
        return self.home / "checkpoint.json"

    @property
    def snapshots(self) -> Path:
        """Where scrubs keep what they need of the store; all of it can be made anew."""
        return self.home / "cache" / "snapshots"

    def moved_to(self, home: Path) -> Settings:
        """The same settings for a home in another place; a store outside of the home stays where it is."""
        store_url = _store_url(home) if self.store_url == _store_url(self.home) else self.store_url
        return replace(self, home=home, store_url=store_url)

    def __repr__(self) -> str:
        return f"Settings(home={self.home.name!r}, store_url=***)"


def read_settings(environ: Mapping[str, str], home: Path | None = None) -> Settings:
    """Settings from variables; a home given on the command line wins over PREFCENTER_HOME."""
    chosen = home or Path(environ.get(HOME_VARIABLE) or _default_home(environ))
    chosen = chosen.expanduser().absolute()
    is_named = bool(environ.get(BASE_URL_VARIABLE))
    site = Site(_base_url(environ), sends_mail=bool(environ.get(SMTP_URL_VARIABLE)), is_named=is_named)
    regions = frozenset(filter(None, map(str.strip, (environ.get(STORE_REGION_VARIABLE) or "").split(","))))
    return Settings(chosen, environ.get(STORE_VARIABLE) or _store_url(chosen), site, regions)


def _store_url(home: Path) -> str:
    return file_url(home / "store.sqlite3")


def file_url(path: Path) -> str:
    """The URL of a store in a file, whose path is absolute."""
    return f"sqlite://{quote(str(path))}"


def _base_url(environ: Mapping[str, str]) -> str:
    """Where people reach this server. Mail programs take one click to https only (RFC 8058 section 3.1)."""
    text = environ.get(BASE_URL_VARIABLE) or ""
    if not text:
        return Site().base_url
    expected = f"{BASE_URL_VARIABLE}: expected https://HOST, with a port or path where there is one"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InvalidInput(expected) from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK_HOSTS)
    if not is_safe or not host or not _URL.fullmatch(text) or parts.query or parts.fragment or parts.username:
        raise InvalidInput(expected)
    return text.rstrip("/")


def _default_home(environ: Mapping[str, str]) -> Path:
    data_home = environ.get("XDG_DATA_HOME") or Path(environ.get("HOME") or "~") / ".local" / "share"
    return Path(data_home) / "prefcenter"


Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class PortalSettings:
    """A trusted identity provider: people who sign in there may see and change their own choices at one controller."""

    issuer: str
    audience: str
    controller: str
    jwks: str
    """A file, or an https URL (http on this machine), with the provider's public keys."""


@dataclass(frozen=True, slots=True)
class MailSettings:
    """The mail host, and the address that letters come from. `security`: `tls`, `starttls` or `none`."""

    host: str
    port: int
    security: str
    sender: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ServingLimits:
    """Limits of a running server, one variable each: `PREFCENTER_` and the name in capitals."""

    body_bytes_max: int = 2_097_152
    header_field_bytes_max: int = 8_190
    head_seconds_max: int = 10
    body_seconds_max: int = 30
    keep_alive_seconds: int = 75
    drain_seconds_max: int = 25
    connections_max: int = 1_000
    key_requests_per_minute_max: int = 6_000
    origin_requests_per_minute_max: int = 6_000
    find_requests_per_minute_max: int = 6
    """Of one origin at `/find`: whoever looks for their own link needs one or two."""


@dataclass(frozen=True, slots=True)
class GraphQLSettings:
    """Which documents the API runs besides its own, and how. The defaults are those of production."""

    documents: Path | None = None
    any_document: bool = False
    introspection: bool = False
    leaf_lists: bool = True


@dataclass(frozen=True, slots=True)
class ServingSettings:
    """What `prefcenter serve` is told by variables. `metrics` is a listener of its own, host and port."""

    limits: ServingLimits = ServingLimits()
    trusted_proxies: tuple[Network, ...] = ()
    metrics: tuple[str, int] | None = None
    portal: PortalSettings | None = None
    graphql: GraphQLSettings = GraphQLSettings()
    mail: MailSettings | None = None


LIMIT_VARIABLES = tuple(f"PREFCENTER_{limit.name.upper()}" for limit in fields(ServingLimits))
VARIABLES = (
    HOME_VARIABLE,
    STORE_VARIABLE,
    STORE_REGION_VARIABLE,
    BASE_URL_VARIABLE,
    SMTP_URL_VARIABLE,
    MAIL_FROM_VARIABLE,
    *LIMIT_VARIABLES,
    TRUSTED_PROXIES_VARIABLE,
    METRICS_VARIABLE,
    *PORTAL_VARIABLES,
    *GRAPHQL_VARIABLES,
)
"""Every variable that is read; docs/settings.md names each."""


def read_serving_settings(environ: Mapping[str, str]) -> ServingSettings:
    """Settings of a server. Raises InvalidInput that names the variable, and never shows its value."""
    return ServingSettings(
        limits=ServingLimits(**{name: value for name, value in _limits(environ) if value is not None}),
        trusted_proxies=_networks(environ.get(TRUSTED_PROXIES_VARIABLE) or ""),
        metrics=_listener(environ.get(METRICS_VARIABLE) or ""),
        portal=_portal(environ),
        graphql=_graphql(environ),
        mail=_mail(environ),
    )


def _limits(environ: Mapping[str, str]) -> list[tuple[str, int | None]]:
    names = [limit.name for limit in fields(ServingLimits)]
    return [(name, _positive(variable, environ)) for name, variable in zip(names, LIMIT_VARIABLES, strict=True)]


def _positive(variable: str, environ: Mapping[str, str]) -> int | None:
    text = environ.get(variable) or ""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) > 0):
        raise InvalidInput(f"{variable}: expected a whole number from 1 to 999999999")
    return int(text)


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise InvalidInput(
            f"{TRUSTED_PROXIES_VARIABLE}: expected addresses or networks with commas between, such as 10.0.0.0/8"
        ) from None


def _listener(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal() and 0 <= int(port) < 2**16):
        raise InvalidInput(f"{METRICS_VARIABLE}: expected HOST:PORT, such as 127.0.0.1:9464")
    return host.strip("[]"), int(port)


def _portal(environ: Mapping[str, str]) -> PortalSettings | None:
    given = [environ.get(variable) or "" for variable in PORTAL_VARIABLES]
    if not any(given):
        return None
    for variable, value in zip(PORTAL_VARIABLES, given, strict=True):
        if not value:
            raise InvalidInput(f"{variable}: is needed where a portal's identity provider is trusted")
    portal = PortalSettings(*given)
    parts = urlsplit(portal.jwks)
    if parts.scheme not in ("", "https") and not (parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS):
        raise InvalidInput(f"{PORTAL_VARIABLES[-1]}: expected a file, or a URL that begins with https://")
    return portal


def _mail(environ: Mapping[str, str]) -> MailSettings | None:
    """The URL may carry a password, so no message shows any of it."""
    text, sender = environ.get(SMTP_URL_VARIABLE) or "", environ.get(MAIL_FROM_VARIABLE) or ""
    if not text:
        return None
    expected = f"{SMTP_URL_VARIABLE}: expected smtps:// or smtp+starttls://, USER:PASSWORD@HOST:PORT"
    try:
        parts = urlsplit(text)
        security, port = _MAIL_SCHEMES[parts.scheme]
        port = parts.port or port
    except (KeyError, ValueError):
        raise InvalidInput(expected) from None
    if not parts.hostname or (security == "none" and parts.hostname not in LOOPBACK_HOSTS):
        raise InvalidInput(f"{expected}; smtp:// goes to this machine only")
    if not _SENDER.fullmatch(sender):
        raise InvalidInput(f"{MAIL_FROM_VARIABLE}: expected the address that letters come from, and nothing besides")
    names = [None if name is None else unquote(name) for name in (parts.username, parts.password)]
    return MailSettings(parts.hostname, port, security, sender, *names)


def _graphql(environ: Mapping[str, str]) -> GraphQLSettings:
    documents = environ.get(GRAPHQL_DOCUMENTS_VARIABLE) or ""
    if documents not in ("", ANY_DOCUMENT) and not Path(documents).expanduser().is_dir():
        raise InvalidInput(f"{GRAPHQL_DOCUMENTS_VARIABLE}: expected `{ANY_DOCUMENT}`, or a directory of documents")
    return GraphQLSettings(
        Path(documents).expanduser() if documents not in ("", ANY_DOCUMENT) else None,
        documents == ANY_DOCUMENT,
        _is_on(GRAPHQL_INTROSPECTION_VARIABLE, environ, default=False),
        _is_on(GRAPHQL_LEAF_LISTS_VARIABLE, environ, default=True),
    )


def _is_on(variable: str, environ: Mapping[str, str], *, default: bool) -> bool:
    text = environ.get(variable) or ""
    if text not in ("", "on", "off"):
        raise InvalidInput(f"{variable}: expected `on` or `off`")
    return default if not text else text == "on"
