"""Tokens of a trusted identity provider (RFC 7519), by which people sign in at a portal.

Only signatures with a private key count: what anybody can verify, nobody else can make. `none` and the symmetric
algorithms are refused whatever the token says, for the algorithm is the key's and not the token's (RFC 8725
section 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt

from prefcenter.domain.errors import InvalidInput

ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})
LEEWAY_SECONDS = 30
"""How far the provider's clock and ours may be apart."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person, as the provider vouches for them: its own id of them, and an address that it has verified."""

    subject: str = field(repr=False)
    email: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeySet:
    """The public keys of a provider that may sign, by their ids."""

    keys: Mapping[str, jwt.PyJWK]

    def __contains__(self, key_id: object) -> bool:
        return key_id in self.keys


def read_key_set(document: Any) -> KeySet:
    """The usable keys of a JWK Set (RFC 7517 section 5). Raises InvalidInput where it holds none with an id."""
    try:
        found = jwt.PyJWKSet.from_dict(document)
    except (jwt.PyJWTError, AttributeError, TypeError, ValueError):
        raise InvalidInput("jwks: expected a JWK Set with at least one public key that can be used") from None
    usable = {key.key_id: key for key in found if key.key_id and _may_sign(key)}
    if not usable:
        raise InvalidInput(f"jwks: expected a key with an id, of one of the algorithms {', '.join(sorted(ALGORITHMS))}")
    return KeySet(usable)


def _may_sign(key: jwt.PyJWK) -> bool:
    return key.algorithm_name in ALGORITHMS and key.public_key_use in (None, "sig")


def key_id_of(token: str) -> str | None:
    """The id of the key that a token claims to be signed with; None where it names none, or is no token."""
    try:
        key_id = jwt.get_unverified_header(token).get("kid")
    except jwt.PyJWTError:
        return None
    return key_id if isinstance(key_id, str) else None


def read_token(token: str, keys: KeySet, issuer: str, audience: str) -> SignedIn | None:
    """The person that a token in force is about; None for any other token, and why is not told.

    An address counts only if the provider says that it was verified (`email_verified`, OpenID Connect Core
    section 5.1).
    """
    key = keys.keys.get(key_id_of(token) or "")
    if key is None:
        return None
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            issuer=issuer,
            audience=audience,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud", "sub"], "enforce_minimum_key_length": True},
        )
    except jwt.PyJWTError:
        return None
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str) or not email:
        return None
    return SignedIn(claims["sub"], email)
