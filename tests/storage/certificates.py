"""Certificates of an authority of our own, for servers and clients on this machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HERE = x509.IPAddress(ip_address("127.0.0.1"))
ELSEWHERE = x509.DNSName("db.example")


class Authority:
    """One that signs certificates for a day."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self._key = generate_private_key(SECP256R1())
        self._name = _name(name)
        basic = x509.BasicConstraints(ca=True, path_length=0)
        self._certificate = self._builder(self._name, self._key).add_extension(basic, critical=True)
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(self._signed(self._certificate))

    def sign(self, name: str, *places: x509.GeneralName) -> Path:
        """A file with a certificate for a name and the places that its holder answers at, and with its key."""
        key = generate_private_key(SECP256R1())
        builder = self._builder(_name(name), key)
        if places:
            builder = builder.add_extension(x509.SubjectAlternativeName(places), critical=False)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file = self._directory / f"{name}.pem"
        file.write_bytes(self._signed(builder) + private)
        return file

    def _builder(self, name: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder(issuer_name=self._name, subject_name=name, public_key=key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
        )

    def _signed(self, builder: x509.CertificateBuilder) -> bytes:
        return builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
