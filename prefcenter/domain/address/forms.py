"""An address as the rest of the domain sees it: its match forms, its mask, and what it says about its class."""

from __future__ import annotations

from dataclasses import dataclass

from prefcenter.domain.terms import AddressKind

RULES_VERSIONS: tuple[int, ...] = (1,)
"""Newest first: every version of data files and form functions that stored records may carry."""


@dataclass(frozen=True, slots=True)
class Forms:
    """The match forms of one address under one version of the rules.

    `exact` is for consents and `mailbox` for refusals, so that suppression is broad and consent narrow. `domains`, of
    an email only, are its ASCII domain and each parent of two labels or more, most specific first; a free-mail address
    has none.
    """

    rules: int
    exact: str
    mailbox: str
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Address:
    """One parsed address. `forms` has one entry for each of `RULES_VERSIONS`, in that order.

    `written` is the address as it was written, in lower case and without what was wrapped around it: what a vendor
    hashes. Kinds of which nobody hands out hashes have none.
    """

    kind: AddressKind
    forms: tuple[Forms, ...]
    masked: str
    may_be_business: bool = True
    is_role: bool = False
    written: str | None = None

    @property
    def hashed(self) -> tuple[str, ...]:
        """The texts whose hash may stand for this address in a vendor's list: as written, and as its mailbox."""
        mailboxes = () if self.written is None else (self.written, *(forms.mailbox for forms in self.forms))
        return tuple(dict.fromkeys(mailboxes))

    @property
    def current(self) -> Forms:
        return self.forms[0]


def same_under_every_version(exact: str, mailbox: str) -> tuple[Forms, ...]:
    """The forms of a kind whose rules have not changed since the first version."""
    return tuple(Forms(rules, exact, mailbox) for rules in RULES_VERSIONS)
