"""Bound sockets. This imports nothing of the server: a supervisor has to have them before it may be imported."""

from __future__ import annotations

import socket


def listening_socket(host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    """A bound socket. Raises OSError where that cannot be had, for example because the port is in use.

    A shared one may be bound by several workers at once (`SO_REUSEPORT`), among which the kernel spreads connections.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
