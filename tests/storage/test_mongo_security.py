"""A database is talked to only if its certificate is trusted, and serves only whom it knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote

import pytest
from pymongo import MongoClient

from prefcenter.domain.errors import InvalidInput, StoreError, StoreReadOnly
from prefcenter.security.keyring import Keyring
from prefcenter.storage import create_store, open_store
from tests.contract.acts import DOCUMENT, append_one, first_refusal, refused
from tests.factories import a_digest
from tests.mongo_server import MongoServer
from tests.storage.certificates import ELSEWHERE, HERE, Authority

PASSWORD = "p@ss/w:rd é"


class Guarded:
    """A server with a certificate, and what a client needs to know of it."""

    def __init__(self, directory: Path, *options: str, certificate: Path, trusted: Path, **client: object) -> None:
        pair = {"--tls-cert-file": certificate, "--tls-key-file": certificate}
        told = [text for option in pair.items() for text in map(str, option)]
        directory.mkdir()
        self.server = MongoServer(directory, *told, *options, tls=True, tlsCAFile=str(trusted), **client)
        self.server.start()

    def url(self, **options: object) -> str:
        return _url(self.server.address, tls="true", **options)


def _url(address: str, **options: object) -> str:
    given = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in options.items())
    return f"mongodb://{address}/prefcenter_{token_hex(4)}?subjectsPerQuery=50&serverSelectionTimeoutMS=1000&{given}"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guarded")


@pytest.fixture(scope="module")
def authority(directory: Path) -> Authority:
    return Authority(directory)


@pytest.fixture(scope="module")
def guarded(directory: Path, authority: Authority) -> Iterator[Guarded]:
    made = Guarded(directory / "tls", certificate=authority.sign("server", HERE), trusted=authority.file)
    yield made
    made.server.end()


async def _lives(url: str, keyring: Keyring) -> None:
    """Everything that talks to the database does so: making, opening, acting, reading, the stream, the audit."""
    create_store(url)
    store = open_store(url, keyring)
    await store.adopt_policy("acme", DOCUMENT, instead_of=None)
    before = await store.marker()
    await store.append("acme", [first_refusal("pat")])
    assert await store.marker() != before
    assert len(await store.load("acme", [a_digest("pat")])) == 1
    assert (await store.audit("acme", [await store.heads("acme")])).findings == ()
    await store.close()


def _is_refused(url: str, keyring: Keyring, reason: str) -> None:
    for attempt in (lambda: create_store(url), lambda: open_store(url, keyring)):
        with pytest.raises(StoreError, match=reason) as caught:
            attempt()
        for secret in ("127.0.0.1", "secret", "w:rd", ".pem"):
            assert secret not in str(caught.value)


async def test_a_server_with_a_certificate_that_is_trusted_serves(
    guarded: Guarded, authority: Authority, keyring: Keyring
) -> None:
    await _lives(guarded.url(tlsCAFile=authority.file), keyring)


def test_a_server_whose_certificate_another_authority_would_have_to_sign_is_not_talked_to(
    guarded: Guarded, directory: Path, keyring: Keyring
) -> None:
    other = Authority(directory, "other")
    _is_refused(guarded.url(tlsCAFile=other.file), keyring, "certificate is not trusted")
    _is_refused(guarded.url(), keyring, "certificate is not trusted")


def test_a_server_with_the_certificate_of_another_host_is_not_talked_to(
    directory: Path, authority: Authority, keyring: Keyring
) -> None:
    elsewhere = Guarded(
        directory / "elsewhere",
        certificate=authority.sign("elsewhere", ELSEWHERE),
        trusted=authority.file,
        tlsAllowInvalidHostnames=True,
    )
    _is_refused(elsewhere.url(tlsCAFile=authority.file), keyring, "certificate is not trusted")
    elsewhere.server.end()


@pytest.mark.parametrize("option", ["tlsCAFile", "tlsCertificateKeyFile"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_that_holds_no_certificate_is_bad_input_and_not_named(
    tmp_path: Path, keyring: Keyring, option: str, content: str | None
) -> None:
    file = tmp_path / "secret.pem"
    if content is not None:
        file.write_text(content, "utf-8")
    url = _url("127.0.0.1:9", tls="true", **{option: file})
    for attempt in (lambda: create_store(url), lambda: open_store(url, keyring)):
        with pytest.raises(InvalidInput, match=r"store: .*certificate") as caught:
            attempt()
        assert "secret" not in str(caught.value)


def test_a_server_that_wants_tls_is_not_talked_to_without_and_the_other_way_round(
    guarded: Guarded, tmp_path: Path, authority: Authority, keyring: Keyring
) -> None:
    _is_refused(_url(guarded.server.address), keyring, "cannot be reached")
    plain = MongoServer(tmp_path)
    plain.start()
    _is_refused(_url(plain.address, tls="true", tlsCAFile=authority.file), keyring, "cannot be reached")
    plain.end()


async def test_a_server_that_asks_for_a_clients_certificate_serves_whoever_has_one(
    directory: Path, authority: Authority, keyring: Keyring
) -> None:
    client = authority.sign("client")
    mutual = Guarded(
        directory / "mutual",
        *("--tls-ca-file", str(authority.file), "--tls-require-client-cert"),
        certificate=authority.sign("mutual", HERE),
        trusted=authority.file,
        tlsCertificateKeyFile=str(client),
    )
    await _lives(mutual.url(tlsCAFile=authority.file, tlsCertificateKeyFile=client), keyring)
    _is_refused(mutual.url(tlsCAFile=authority.file), keyring, "cannot be reached")
    mutual.server.end()


@pytest.fixture(scope="module")
def knowing(directory: Path) -> Iterator[MongoServer]:
    """A server that knows a user who may do everything and one who may only read."""
    (directory / "knowing").mkdir()
    made = MongoServer(directory / "knowing")
    made.start()
    for name, role in (("pat", "root"), ("lee", "readAnyDatabase")):
        made.admin({"createUser": name, "pwd": PASSWORD, "roles": [role]})
    made.kill()
    made.demand("--auth")
    yield made
    made.end()


def _as(user: str, password: str, server: MongoServer) -> str:
    return f"{user}:{quote(password, safe='')}@{server.address}"


async def test_who_is_known_is_served(knowing: MongoServer, keyring: Keyring) -> None:
    await _lives(_url(_as("pat", PASSWORD, knowing), authSource="admin"), keyring)


@pytest.mark.parametrize(("user", "password"), [("pat", "secret"), ("nobody", PASSWORD)])
def test_a_wrong_password_and_an_unknown_user_are_told_and_not_shown(
    knowing: MongoServer, keyring: Keyring, user: str, password: str
) -> None:
    url = _url(_as(user, password, knowing), authSource="admin")
    _is_refused(url, keyring, "does not know this user or password")


def test_nobody_is_served_without_a_password(knowing: MongoServer, keyring: Keyring) -> None:
    _is_refused(_url(knowing.address), keyring, "refuses this user")


async def test_who_may_only_read_decides_and_records_nothing(knowing: MongoServer, keyring: Keyring) -> None:
    url = _url(_as("pat", PASSWORD, knowing), authSource="admin")
    create_store(url)
    store, reader = open_store(url, keyring), open_store(url.replace("pat:", "lee:"), keyring)
    first = await append_one(store, first_refusal("pat").before, refused())
    assert list(await reader.load("acme", [first.subject])) == [first]
    with pytest.raises(StoreReadOnly):
        await reader.append("acme", [first_refusal("kim")])
    assert await store.load("acme", [a_digest("kim")]) == []
    for opened in (store, reader):
        await opened.close()


async def test_a_user_who_is_no_longer_known_is_told_nothing(knowing: MongoServer, keyring: Keyring) -> None:
    with MongoClient[dict[str, object]](f"mongodb://{_as('pat', PASSWORD, knowing)}/?authSource=admin") as client:
        client.admin.command("createUser", "kim", pwd="secret", roles=["readWriteAnyDatabase", "dbAdminAnyDatabase"])
        url = _url(_as("kim", "secret", knowing), authSource="admin")
        create_store(url)
        store = open_store(url, keyring)
        await store.append("acme", [first_refusal("pat")])
        client.admin.command("dropUser", "kim")
    other = open_store(url.replace("kim:secret", f"pat:{quote(PASSWORD, safe='')}"), keyring)
    assert len(await other.load("acme", [a_digest("pat")])) == 1
    _is_refused(url, keyring, "does not know this user or password")
    for opened in (store, other):
        await opened.close()
