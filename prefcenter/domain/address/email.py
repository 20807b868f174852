"""Email addresses: unwrapping what lists hold, validation without DNS, and the match forms.

Exact: lower case of the NFC form with an ASCII domain. Mailbox: that, NFKC, after the alias rules. Local parts are
case-insensitive here, although RFC 5321 section 2.4 lets a host tell cases apart: hosts that do are not known to exist,
while lists that change the case are everywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from prefcenter.domain.address.blanks import stripped
from prefcenter.domain.address.domains import domains_looked_up
from prefcenter.domain.address.forms import RULES_VERSIONS, Address, Forms
from prefcenter.domain.address.providers import (
    host_of_user_subdomain,
    is_free_mail,
    mailbox_of,
    role_accounts,
)
from prefcenter.domain.address.syntax import validated
from prefcenter.domain.errors import InvalidAddress
from prefcenter.domain.terms import AddressKind

# RFC 5322 section 3.2.3 (dot-atom), with the characters that RFC 6531 section 3.3 adds. Anything else needs quotes.
DOT_ATOM = re.compile(r"[^\x00-\x20\"(),.:;<>@\[\\\]\x7f]+(?:\.[^\x00-\x20\"(),.:;<>@\[\\\]\x7f]+)*")
QUOTED_OR_ANGLE = re.compile(r'"(?:[^"\\]|\\.)*"|(<)', re.DOTALL)
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
ADDRESS_WITHIN = re.compile(r"\S@\S")
PERCENT_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
MAILTO = "mailto:"
MAX_ADDRESS_OCTETS = 254  # RFC 5321 section 4.5.3.1.3, less the angle brackets.


def parse_email(text: str) -> Address:
    bare = _unwrapped(text)
    local, domain = validated(bare)
    exact_local = _fixpoint(_lower_nfc, _unquoted(local))
    exact = _joined(exact_local, domain)
    forms = tuple(
        Forms(rules, exact, _mailbox(exact_local, domain, rules), domains_looked_up(domain, rules))
        for rules in RULES_VERSIONS
    )
    for form in {exact, *(form.mailbox for form in forms)}:
        _require_address(form)
    current = RULES_VERSIONS[0]
    user_host = host_of_user_subdomain(domain, current)
    return Address(
        kind=AddressKind.EMAIL,
        forms=forms,
        masked=f"***@{user_host or domain}",
        may_be_business=not is_free_mail(domain, current),
        is_role=user_host is None and exact_local.partition("+")[0] in role_accounts(),
        written=bare.lower(),
    )


def _unwrapped(text: str) -> str:
    """`pat@acme.example` of `mailto:pat@acme.example?subject=Hi`, `Pat <pat@acme.example>` and either in the other."""
    bare = stripped(text)
    if bare.endswith(">"):
        bare = stripped(_inside_angles(bare))
    if bare[: len(MAILTO)].lower() == MAILTO:
        bare = stripped(_mailto_target(bare[len(MAILTO) :]))
    return bare.removesuffix(".")


def _inside_angles(text: str) -> str:
    """The address in `Name <address>` (RFC 5322 section 3.4).

    A display name may repeat the address, as many exports do; one that holds another address makes two in one cell.
    """
    opening = next((match.start(1) for match in QUOTED_OR_ANGLE.finditer(text) if match[1]), None)
    if opening is None:
        raise InvalidAddress("is not an email address")
    name, inside = text[:opening], stripped(text[opening + 1 : -1])
    if ADDRESS_WITHIN.search(name) and stripped(stripped(name).strip("\"'")).lower() != inside.lower():
        raise InvalidAddress("holds more than one address")
    return inside


def _mailto_target(target: str) -> str:
    """The address of a mailto URI without its header fields, percent-decoded (RFC 6068 section 2)."""
    encoded = target.removeprefix("//").partition("?")[0].encode("utf-8", "surrogatepass")
    try:
        return PERCENT_ENCODED.sub(lambda match: bytes([int(match[1], 16)]), encoded).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidAddress("is not an email address") from None


def _require_address(form: str) -> None:
    """A form is an address again, so that forms are idempotent.

    Forms of rare characters are not always: some grow beyond the length limit, and some begin with a mark that would
    combine with whatever stands before it. A plain form that is short enough needs no second look.
    """
    is_plain = form.isascii() and not form.startswith('"')
    if not is_plain or len(form) > MAX_ADDRESS_OCTETS:
        validated(form)


def _mailbox(exact_local: str, domain: str, rules: int) -> str:
    """Repeated until nothing changes, for dropping a dot can bring characters together that compose."""

    def step(spelling: tuple[str, str]) -> tuple[str, str]:
        return mailbox_of(_fixpoint(_lower_nfkc, spelling[0]), spelling[1], rules)

    spelling = (exact_local, domain)
    while (following := step(spelling)) != spelling:
        spelling = following
    return _joined(*spelling)


def _lower_nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text.lower())


def _lower_nfkc(text: str) -> str:
    """NFKC can bring capitals back (a trade-mark sign becomes TM), hence the fixpoint around it."""
    return unicodedata.normalize("NFKC", text).lower()


def _fixpoint(function: Callable[[str], str], text: str) -> str:
    while (following := function(text)) != text:
        text = following
    return text


def _unquoted(local: str) -> str:
    return ESCAPED.sub(r"\1", local[1:-1]) if local.startswith('"') else local


def _joined(local: str, domain: str) -> str:
    """The address, its local part in quotes only where it needs them (RFC 5321 section 4.1.2)."""
    if DOT_ATOM.fullmatch(local):
        return f"{local}@{domain}"
    escaped = local.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"@{domain}'
