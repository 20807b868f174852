"""Domains that a whole-domain refusal may name: never a public suffix, never a free-mail domain."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

from prefcenter.domain.address.blanks import stripped
from prefcenter.domain.address.forms import RULES_VERSIONS
from prefcenter.domain.address.limits import require_readable_length
from prefcenter.domain.address.providers import REMEMBERED_DOMAINS, is_free_mail, parents
from prefcenter.domain.address.syntax import ascii_domain_of
from prefcenter.domain.errors import InvalidAddress

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


@cache
def _public_suffixes() -> PublicSuffixList:
    """Read once and only when a domain is to be refused, because reading it takes tens of milliseconds."""
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(accept_unknown=True, accept_encoded_idn=True, only_icann=False)


def registrable_domain(domain: str) -> str | None:
    """The part of an ASCII domain that somebody registered, or None for a public suffix."""
    return _public_suffixes().privatesuffix(domain)


@lru_cache(REMEMBERED_DOMAINS)
def domains_looked_up(domain: str, rules: int) -> tuple[str, ...]:
    """An ASCII domain and its parents of two labels or more, any of which may be refused as a whole.

    A free-mail domain is not: it has none.

    The list of public suffixes is not asked here: no suffix can be recorded, so looking for one finds nothing, and a
    domain that becomes a suffix keeps the refusal it has (docs/decisions/0007).
    """
    return () if is_free_mail(domain, rules) else parents(domain)[:-1]


def parse_domain(text: str) -> str:
    """`@acme.example` or `acme.example` as its ASCII lower-case domain, for a refusal that binds all of its addresses.

    A domain that unrelated people share raises InvalidAddress, for such a refusal would silence all of them.
    """
    require_readable_length(text)
    name = stripped(text).removeprefix("@")
    if not name:
        raise InvalidAddress("names no domain")
    if "@" in name:
        raise InvalidAddress("is an address and not a domain")
    domain = _readable(name)
    if is_free_mail(domain, RULES_VERSIONS[0]):
        raise InvalidAddress("is a free-mail domain, which unrelated people share")
    if registrable_domain(domain) is None:
        raise InvalidAddress("is a public suffix, which unrelated domains share")
    return domain


def _readable(name: str) -> str:
    try:
        return ascii_domain_of(name)
    except InvalidAddress:
        raise InvalidAddress("is not a domain") from None
