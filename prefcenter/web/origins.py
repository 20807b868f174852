"""Where a request comes from: the address of its origin, seen through the proxies that are trusted.

It is personal data. It lives in memory as the name of a rate limit's counter, and is never logged or kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp import web

from prefcenter.settings import Network

IPV6_PREFIX_BITS = 64
"""Whoever has one IPv6 address has all of its /64."""

Ip = IPv4Address | IPv6Address


def origin_of(request: web.BaseRequest, trusted_proxies: Sequence[Network]) -> str:
    """The network address that a limit counts by; empty where the connection has none.

    `X-Forwarded-For` is read from its right end and only as far as those who wrote it are trusted.
    """
    peer = _ip(request.remote or "")
    if peer is None:
        return ""
    forwarded = ",".join(request.headers.getall("X-Forwarded-For", []))
    for text in reversed(forwarded.split(",")):
        if not _is_trusted(peer, trusted_proxies):
            break
        before = _ip(text.strip())
        if before is None:
            break
        peer = before
    return str(peer if peer.version == 4 else ip_network((peer, IPV6_PREFIX_BITS), strict=False))


def _ip(text: str) -> Ip | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _is_trusted(address: Ip, trusted_proxies: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in trusted_proxies)
