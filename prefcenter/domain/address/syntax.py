"""The syntax of email addresses, by email-validator and without DNS: a decision must not depend on the network."""

from __future__ import annotations

from prefcenter.domain.address.plain import plain_parts
from prefcenter.domain.errors import InvalidAddress

NO_ADDRESS = "is not an email address"


def validated(bare: str) -> tuple[str, str]:
    """Local part (NFC, minimally quoted) and ASCII lower-case domain of an address."""
    if "@" not in bare:
        # The library says so too, after looking at every character.
        raise InvalidAddress(NO_ADDRESS)
    return plain_parts(bare) or validated_by_library(bare)


def validated_by_library(bare: str) -> tuple[str, str]:
    """The same by email-validator, for whatever is not plain; every option is spelt out, whatever its default.

    The library's own message is dropped because it quotes its input. Every ValueError counts, for the Unicode codecs
    beneath it raise theirs.
    """
    from email_validator import validate_email

    try:
        valid = validate_email(
            bare,
            allow_smtputf8=True,
            allow_empty_local=False,
            allow_quoted_local=True,
            allow_domain_literal=False,
            allow_display_name=False,
            strict=False,
            check_deliverability=False,
            test_environment=False,
            globally_deliverable=True,
        )
    except ValueError:
        raise InvalidAddress(NO_ADDRESS) from None
    return valid.local_part, valid.ascii_domain


def ascii_domain_of(name: str) -> str:
    """The ASCII lower-case form of a domain that could stand in an address."""
    _, domain = validated(f"a@{name}".removesuffix("."))
    return domain
