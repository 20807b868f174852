"""The URL of a MongoDB store: which options are ours, which are the driver's, and what holds where none is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from prefcenter.domain.errors import InvalidInput
from prefcenter.storage.mongo_errors import NO_CERTIFICATE

SCHEMES = ("mongodb", "mongodb+srv")
SUBJECTS_PER_QUERY = 100_000
"""Digests of one query: some 3 MB, so that the largest batch of decisions is one round trip and one message."""

_OURS = "subjectsPerQuery"
_EXPECTED = "store: expected mongodb://HOST/DATABASE, with options of the driver after a question mark"

COMMIT_WAIT_MS = 5_000
"""How long one commit waits for a majority of disks before it is asked for again."""

DEFAULTS: dict[str, Any] = {
    "appname": "prefcenter",
    "w": "majority",
    "journal": True,
    "readConcernLevel": "majority",
    "retryWrites": True,
    "retryReads": True,
    "serverSelectionTimeoutMS": 5_000,
    "connectTimeoutMS": 5_000,
    "socketTimeoutMS": 10_000,
    "waitQueueTimeoutMS": 5_000,
    "wTimeoutMS": COMMIT_WAIT_MS,
    "maxPoolSize": 32,
}
"""Options where the URL has none. Every wait ends, so that a server that hangs is an error and no answer."""

_FOR_LONG: dict[str, Any] = {"socketTimeoutMS": 3_600_000}
"""For what reads or indexes a whole collection, and keeps nobody waiting for a decision."""

_FIXED: Mapping[str, str] = {
    **dict.fromkeys(("w", "journal", "j"), "writes are always majority and journaled"),
    **dict.fromkeys(
        ("readpreference", "readpreferencetags", "maxstalenessseconds", "directconnection"),
        "what is read is read of the primary, which knows every refusal",
    ),
    **dict.fromkeys(
        ("tlsinsecure", "tlsallowinvalidcertificates", "tlsallowinvalidhostnames"),
        "a server is talked to by TLS only if its certificate is trusted (UN-3)",
    ),
}
"""Not for a URL to weaken, and why."""

_READ_CONCERNS = ("majority", "linearizable")
"""Any other shows what may be taken back."""


@dataclass(frozen=True)
class MongoUrl:
    """A store's URL, which may carry a password and so is never shown."""

    url: str
    database: str
    subjects_per_query: int

    def __repr__(self) -> str:
        return "MongoUrl(***)"

    @property
    def options(self) -> dict[str, Any]:
        """What the driver is told beside the URL."""
        return self._where_none_is_given(DEFAULTS)

    @property
    def options_for_long(self) -> dict[str, Any]:
        """The same for making, copying and auditing, each of which has a connection of its own."""
        return self._where_none_is_given({**DEFAULTS, **_FOR_LONG})

    def _where_none_is_given(self, options: Mapping[str, Any]) -> dict[str, Any]:
        given = {name.lower() for name, _ in parse_qsl(self.url.partition("?")[2], keep_blank_values=True)}
        return {name: value for name, value in options.items() if name.lower() not in given}


def read_mongo_url(url: str) -> MongoUrl:
    """Take a URL apart. Raises InvalidInput, which never quotes it, for one that names no database or is none."""
    address, _, query = url.partition("?")
    options = parse_qsl(query, keep_blank_values=True)
    ours = dict(option for option in options if option[0] == _OURS)
    theirs = [option for option in options if option[0] != _OURS]
    for name, value in theirs:
        _check_option(name, value)
    plain = f"{address}?{urlencode(theirs)}" if theirs else address
    return MongoUrl(plain, _database(plain), _subjects_per_query(ours.get(_OURS, "")))


def _check_option(name: str, value: str) -> None:
    if name.lower() in _FIXED:
        raise InvalidInput(f"store: leave `{name}` out of the URL: {_FIXED[name.lower()]}")
    if name.lower() == "readconcernlevel" and value not in _READ_CONCERNS:
        raise InvalidInput(f"store: {name}: expected one of {', '.join(_READ_CONCERNS)}")


def _database(url: str) -> str:
    try:
        # A name of `mongodb+srv` is looked up when it is connected to, and not here.
        database = parse_uri(url.replace("mongodb+srv://", "mongodb://", 1), warn=False)["database"]
    except OSError:
        raise InvalidInput(NO_CERTIFICATE) from None
    except (PyMongoError, ValueError, TypeError):
        raise InvalidInput(_EXPECTED) from None
    if not database:
        raise InvalidInput(_EXPECTED)
    return str(database)


def _subjects_per_query(text: str) -> int:
    if not text:
        return SUBJECTS_PER_QUERY
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= SUBJECTS_PER_QUERY):
        raise InvalidInput(f"store: {_OURS}: expected a whole number from 1 to {SUBJECTS_PER_QUERY}")
    return int(text)
