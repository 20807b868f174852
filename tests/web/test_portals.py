"""People who signed in at a portal: tokens of the trusted provider, signed with keys made here, and no others."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from prefcenter.security.portal_tokens import read_token
from prefcenter.settings import PortalSettings, ServingSettings, Settings
from prefcenter.web.key_sets import KeySetUrl
from tests.web.serving_home import CONTROLLER, Answer, running

ISSUER, AUDIENCE = "https://id.example", "preference-portal"
RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
SMALL_RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)  # noqa: S505 - to be refused
EC_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
SIGNING: Mapping[str, tuple[Any, str]] = {
    "rsa": (RSA_KEY, "RS256"),
    "ec": (EC_KEY, "ES256"),
    "ed": (ED_KEY, "EdDSA"),
    "small": (SMALL_RSA_KEY, "RS256"),
}


def public(key_id: str, key: Any, **more: str) -> dict[str, Any]:
    """A public key as a key set has it."""
    kinds = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}
    algorithm: Any = next((found for kind, found in kinds.items() if isinstance(key, kind)), OKPAlgorithm)
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": key_id, **more}


KEY_SET = {"keys": [public(key_id, key) for key_id, (key, _) in SIGNING.items()]}


def claims(**changed: Any) -> dict[str, Any]:
    now_s = int(time.time())
    usual = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "person-1",
        "iat": now_s,
        "exp": now_s + 600,
        "email": "pat@acme.example",
        "email_verified": True,
    }
    return {name: value for name, value in {**usual, **changed}.items() if value is not None}


def token(key_id: str = "ec", **changed: Any) -> str:
    key, algorithm = SIGNING[key_id]
    return jwt.encode(claims(**changed), key, algorithm, headers={"kid": key_id})


def portal(jwks: str) -> ServingSettings:
    return ServingSettings(portal=PortalSettings(ISSUER, AUDIENCE, CONTROLLER, jwks))


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    file = tmp_path / "jwks.json"
    put(file, json.dumps(KEY_SET))
    return file


def put(file: Path, content: str | None) -> None:
    """Write a file, or take it away."""
    if content is None:
        file.unlink()
    else:
        file.write_text(content, "utf-8")


async def who(settings: Settings, jwks: Path | str, given: str) -> Answer:
    async with running(settings, portal(str(jwks))) as server:
        return await server.ask("/who", given)


@pytest.mark.parametrize("key_id", ["rsa", "ec", "ed"])
async def test_a_person_is_a_caller_for_their_own_address_at_one_controller(
    settings: Settings, jwks: Path, key_id: str
) -> None:
    answer = await who(settings, jwks, token(key_id))
    assert answer.document["person"] == "pat@acme.example"
    assert (answer.document["scopes"], answer.document["controllers"]) == ([], [CONTROLLER])


async def test_a_persons_id_is_the_same_each_time_and_tells_nothing(settings: Settings, jwks: Path) -> None:
    async with running(settings, portal(str(jwks))) as server:
        first, again, other = [
            (await server.ask("/who", given)).document["id"]
            for given in (token(sub="pat@acme.example"), token("rsa", sub="pat@acme.example"), token(sub="other"))
        ]
    assert first == again != other
    assert first.startswith("person:")
    assert "pat" not in first.removeprefix("person:")


LONG_AGO, SOON = -3_600, 3_600
REFUSED: Mapping[str, Mapping[str, Any]] = {
    "another issuer": {"iss": "https://other.example"},
    "another audience": {"aud": "other"},
    "no audience": {"aud": None},
    "no issuer": {"iss": None},
    "no subject": {"sub": None},
    "no end": {"exp": None},
    "an end that is past": {"exp": int(time.time()) + LONG_AGO},
    "a beginning that is yet to come": {"nbf": int(time.time()) + SOON},
    "an address that is not verified": {"email_verified": False},
    "an address that is verified in words": {"email_verified": "true"},
    "an address of which nothing is said": {"email_verified": None},
    "no address": {"email": None},
    "an address that is no text": {"email": ["pat@acme.example"]},
    "an empty address": {"email": ""},
}


@pytest.mark.parametrize("changed", REFUSED.values(), ids=REFUSED.keys())
async def test_a_token_is_refused_that_has(settings: Settings, jwks: Path, changed: Mapping[str, Any]) -> None:
    assert (await who(settings, jwks, token(**changed))).status == 401


async def test_clocks_may_be_a_little_apart(settings: Settings, jwks: Path) -> None:
    assert (await who(settings, jwks, token(exp=int(time.time()) - 5))).status == 200


@pytest.mark.filterwarnings("ignore:The RSA key is 1024 bits long")
async def test_tokens_that_anybody_could_make_are_refused(settings: Settings, jwks: Path) -> None:
    known_to_all = public("rsa", RSA_KEY)["n"].encode()
    forged = [
        jwt.encode(claims(), "", "none", headers={"kid": "ec"}),
        jwt.encode(claims(), known_to_all, "HS256", headers={"kid": "rsa"}),
        jwt.encode(claims(), OTHER_EC_KEY, "ES256", headers={"kid": "ec"}),
        jwt.encode(claims(), EC_KEY, "ES256", headers={"kid": "rsa"}),
        jwt.encode(claims(), EC_KEY, "ES256"),
        jwt.encode(claims(), RSA_KEY, "RS512", headers={"kid": "rsa"}),
        jwt.encode(claims(), RSA_KEY, "PS256", headers={"kid": "rsa"}),
        token("ec")[:-4],
        token("ec").replace(".", "..", 1),
        "a.b.c",
        *(token("small"), f"eyJ{'a' * 200}"),
    ]
    async with running(settings, portal(str(jwks))) as server:
        assert {(await server.ask("/who", given)).status for given in forged} == {401}


@pytest.mark.parametrize(
    "keys",
    [
        [{"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ", "kid": "ec", "alg": "HS256"}],
        [public("ec", EC_KEY, use="enc")],
        [public("ec", ec.generate_private_key(ec.SECP384R1()))],
        [],
        ["ec"],
        "ec",
    ],
    ids=["symmetric", "encryption", "another curve", "none", "no object", "no list"],
)
async def test_a_key_that_may_not_sign_here_signs_nothing(settings: Settings, jwks: Path, keys: object) -> None:
    put(jwks, json.dumps({"keys": keys}))
    assert (await who(settings, jwks, token())).status == 401


@pytest.mark.parametrize("content", ["", "{}", "[]", "not json", "{" * 10_000, '"' + "x" * 300_000 + '"'])
async def test_keys_that_cannot_be_read_let_nobody_in_and_stop_nothing(
    settings: Settings, jwks: Path, content: str
) -> None:
    put(jwks, content)
    async with running(settings, portal(str(jwks))) as server:
        assert (await server.ask("/who", token())).status == 401
        assert (await server.ask("/readyz")).status == 200


async def test_a_file_of_keys_is_read_again_when_it_has_changed(settings: Settings, jwks: Path) -> None:
    async with running(settings, portal(str(jwks))) as server:
        assert (await server.ask("/who", token())).status == 200
        put(jwks, json.dumps({"keys": [public("rsa", RSA_KEY)]}))
        assert (await server.ask("/who", token())).status == 401
        assert (await server.ask("/who", token("rsa"))).status == 200
        put(jwks, None)
        assert (await server.ask("/who", token("rsa"))).status == 401


async def test_without_a_trusted_provider_no_token_is_taken(settings: Settings) -> None:
    async with running(settings) as server:
        assert (await server.ask("/who", token())).status == 401


async def test_a_persons_address_is_in_no_log(settings: Settings, jwks: Path, logged: Any) -> None:
    given = token()
    await who(settings, jwks, given)
    assert '"caller":"person:' in logged.getvalue()
    for secret in ("pat@acme.example", "person-1", given, given.split(".")[2]):
        assert secret not in logged.getvalue()


@dataclass
class Provider:
    """An identity provider of the test's own, which counts who asks for its keys."""

    keys: list[dict[str, Any]] = field(default_factory=lambda: [public("ec", EC_KEY)])
    status: int = 200
    asked: int = 0
    seconds: float = 0.0

    async def answer(self, _request: web.Request) -> web.Response:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        headers = {"Location": "/elsewhere"} if self.status == 302 else {}
        return web.json_response({"keys": self.keys}, status=self.status, headers=headers)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[str]:
        app = web.Application()
        app.add_routes([web.get("/jwks", self.answer), web.get("/elsewhere", self.answer)])
        async with TestServer(app, host="127.0.0.1") as server:
            yield f"http://127.0.0.1:{server.port}/jwks"


async def test_keys_are_fetched_once_and_kept(settings: Settings) -> None:
    provider = Provider()
    async with provider.at_work() as url, running(settings, portal(url)) as server:
        for _ in range(4):
            assert (await server.ask("/who", token())).status == 200
    assert provider.asked == 1


async def test_a_key_that_nobody_knows_makes_nobody_ask_again_at_once(settings: Settings) -> None:
    provider = Provider()
    async with provider.at_work() as url, running(settings, portal(url)) as server:
        assert (await server.ask("/who", token("rsa"))).status == 401
        provider.keys = KEY_SET["keys"]
        for _ in range(4):
            assert (await server.ask("/who", token("rsa"))).status == 401
        assert (await server.ask("/who", token())).status == 200
    assert provider.asked == 1


async def test_people_who_come_while_the_keys_are_being_fetched_wait_for_them(settings: Settings) -> None:
    provider = Provider(seconds=0.2)
    async with provider.at_work() as url, running(settings, portal(url)) as server:
        answers = await asyncio.gather(*(server.ask("/who", token()) for _ in range(5)))
    assert [answer.status for answer in answers] == [200] * 5
    assert provider.asked == 1


async def test_a_key_that_the_provider_makes_is_found_and_one_that_it_withdraws_is_not() -> None:
    provider = Provider()
    async with provider.at_work() as url:
        keys = KeySetUrl(url, refresh_s=0.0, unknown_key_s=0.0)
        assert read_token(token(), await keys.with_key("ec"), ISSUER, AUDIENCE) is not None
        provider.keys = [public("ed", ED_KEY)]
        rotated = await keys.with_key("ed")
        assert read_token(token("ed"), rotated, ISSUER, AUDIENCE) is not None
        assert read_token(token(), rotated, ISSUER, AUDIENCE) is None
        provider.status = 500
        assert "ed" in await keys.with_key("ed"), "keys that were fetched count while the provider cannot be reached"
        await keys.close()


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_a_provider_that_gives_no_keys_lets_nobody_in(settings: Settings, status: int) -> None:
    provider = Provider(status=status)
    async with provider.at_work() as url, running(settings, portal(url)) as server:
        assert (await server.ask("/who", token())).status == 401
    assert provider.asked == 1


async def test_a_provider_that_is_not_there_lets_nobody_in(settings: Settings) -> None:
    async with Provider().at_work() as url:
        pass
    async with running(settings, portal(url)) as server:
        assert (await server.ask("/who", token())).status == 401
