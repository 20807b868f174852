"""A mail host of this machine, which keeps what it is sent, and refuses it where a test wants that."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from prefcenter.web.listening import listening_socket

USER, PASSWORD = "postman", "p@ss/word"


@dataclass(frozen=True)
class Certificate:
    """A certificate for 127.0.0.1 with its key, in one file, and the server's side of TLS with it."""

    path: Path

    @property
    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        return context


def make_certificate(directory: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "certificate.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return Certificate(path)


@dataclass
class Mailbox:
    """What came in; `answer` says what the host replies to a recipient, and `to_message` to a whole message."""

    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    answer: Callable[[str], str] = lambda _: "250 OK"
    to_message: Callable[[], str] = lambda: "250 OK"
    came_in: asyncio.Event = field(default_factory=asyncio.Event)
    users: list[str] = field(default_factory=list)
    was_encrypted: list[bool] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = self.answer(address)
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - likewise
        reply = self.to_message()
        if reply.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            self.messages.append(message_from_bytes(content, policy=policy.default))
            self.recipients += envelope.rcpt_tos
            self.came_in.set()
            self.was_encrypted.append(session.ssl is not None)
        return reply

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any
    ) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.users.append(given.login.decode())
        is_right = (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=is_right)


@asynccontextmanager
async def mail_host(
    mailbox: Mailbox, starttls: Certificate | None = None, tls: Certificate | None = None
) -> AsyncIterator[Mailbox]:
    """A host that listens at the mailbox's port. One of STARTTLS insists on that and a login, one of TLS on TLS."""
    loop = asyncio.get_running_loop()

    def converse() -> SMTP:
        return SMTP(
            mailbox,
            loop=loop,
            hostname="mail.example",
            tls_context=starttls.context if starttls else None,
            require_starttls=starttls is not None,
            authenticator=mailbox.authenticate,
            auth_required=starttls is not None,
        )

    bound = listening_socket("127.0.0.1", mailbox.port)
    mailbox.port = bound.getsockname()[1]
    server = await loop.create_server(converse, sock=bound, ssl=tls.context if tls else None)
    try:
        yield mailbox
    finally:
        server.close()
        await asyncio.sleep(0)
