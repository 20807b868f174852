"""Domains that an operator attests to be employers': an address there is a business one, where nothing else is known.

The attestation only states a class, as a class column does; what a free-mail domain or a contact record says goes
before it, where every class is judged (OC-3, OCC-20).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from jobs.lists.faults import list_fault
from prefcenter.domain.address import parse, parse_domain
from prefcenter.domain.address.blanks import stripped
from prefcenter.domain.errors import InvalidAddress, InvalidList
from prefcenter.domain.terms import AddressClass, AddressKind

MAX_FILE_BYTES = 1 << 24
PLAIN_EMAIL = re.compile(r"[^\s@<>\"]+@((?:[A-Za-z0-9-]+\.)+[A-Za-z]+)")


@dataclass(frozen=True, slots=True)
class EmployerDomains:
    """ASCII domains; each stands for its subdomains too."""

    domains: Set[str]
    sha256: str

    def address_class(self, email: str) -> AddressClass | None:
        """Business for an address at one of the domains; None says nothing."""
        labels = _domain_of(email).split(".")
        parents = (".".join(labels[start:]) for start in range(len(labels) - 1))
        return AddressClass.BUSINESS if any(parent in self.domains for parent in parents) else None


def read_employer_domains(path: Path) -> EmployerDomains:
    """A file with a domain a line; blank lines and those that begin with `#` say nothing.

    Raises InvalidList for a line that is no domain, or one that unrelated people share.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise list_fault(str(path), 1, "list", "is longer than 16 MiB")
        lines = content.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise InvalidList(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise list_fault(str(path), 1, "list", "is not UTF-8 text") from None
    domains = {_read(path, number, line) for number, line in enumerate(lines, 1) if not _is_remark(line)}
    return EmployerDomains(domains, hashlib.sha256(content).hexdigest())


def _read(path: Path, number: int, line: str) -> str:
    try:
        return parse_domain(line)
    except InvalidAddress as error:
        raise list_fault(str(path), number, "domain", error.why) from None


def _is_remark(line: str) -> bool:
    return not stripped(line) or line.lstrip().startswith("#")


def _domain_of(email: str) -> str:
    """The ASCII domain of an address; empty where the text is none."""
    plain = PLAIN_EMAIL.fullmatch(stripped(email))
    if plain is not None:
        return plain[1].lower()
    try:
        return parse(email, AddressKind.EMAIL, country="ZZ").current.exact.rpartition("@")[2]
    except InvalidAddress:
        return ""
