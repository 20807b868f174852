"""The alias rules and free-mail domains of one rules version as arrays, for compiled code to look domains up in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jobs.scrub.fast.cells import Numbers, Octets
from prefcenter.domain.address.providers import NO_PROVIDER, Provider, free_mail_domains, providers_by_domain
from prefcenter.security.vector_digests import Forms

Flags: TypeAlias = NDArray[np.bool_]
HASH_START, HASH_FACTOR = 0xCBF29CE484222325, 0x100000001B3
NOWHERE = -1


class AliasTables(NamedTuple):
    """A hash table of known domains, and the rules of their providers. Provider 0 has no rules.

    `slots` holds numbers of domains, or -1; domain i is `names[ends[i]:ends[i + 1]]`. `mailbox_at` is the domain that a
    provider's others are spellings of, as a number, or -1.
    """

    slots: Numbers
    names: Octets
    ends: Numbers
    is_free: Flags
    provider: Numbers
    mailbox_at: Numbers
    ignored: Flags
    swapped: Octets
    has_hyphen_tag: Flags
    has_user_subdomain: Flags


@dataclass(frozen=True, slots=True)
class _Known:
    """Every domain that a rule speaks of, by its number."""

    names: list[str]
    number: dict[str, int]


@cache
def alias_tables(rules: int) -> AliasTables:
    """Raises ValueError for rules that compiled code does not follow: one mailbox at another provider's domain."""
    by_domain, free = providers_by_domain(rules), free_mail_domains(rules)
    providers = [NO_PROVIDER, *dict.fromkeys(by_domain.values())]
    names = sorted({*by_domain, *free})
    known = _Known(names, {name: number for number, name in enumerate(names)})
    of_provider = {provider: number for number, provider in enumerate(providers)}
    forms = Forms.of([name.encode("ascii") for name in names])
    return AliasTables(
        slots=_slots(names),
        names=forms.octets,
        ends=forms.offsets,
        is_free=np.array([name in free for name in names]),
        provider=np.array([of_provider[by_domain.get(name, NO_PROVIDER)] for name in names], np.int64),
        mailbox_at=np.array([_mailbox_at(provider, known) for provider in providers], np.int64),
        ignored=np.array([[chr(octet) in provider.ignored for octet in range(256)] for provider in providers]),
        swapped=np.array([_swapped(provider) for provider in providers], np.uint8),
        has_hyphen_tag=np.array([provider.hyphen_tag for provider in providers]),
        has_user_subdomain=np.array([provider.user_subdomain for provider in providers]),
    )


def hash_of(name: bytes) -> int:
    """FNV-1a from the last byte to the first, so that one pass over a domain gives the hashes of its parents too."""
    hashed = HASH_START
    for octet in reversed(name):
        hashed = ((hashed ^ octet) * HASH_FACTOR) & 0xFFFFFFFFFFFFFFFF
    return hashed


def _slots(names: list[str]) -> Numbers:
    size = 1 << (4 * len(names)).bit_length()
    slots = np.full(size, NOWHERE, np.int64)
    for number, name in enumerate(names):
        slot = hash_of(name.encode("ascii")) % size
        while slots[slot] != NOWHERE:
            slot = (slot + 1) % size
        slots[slot] = number
    return slots


def _mailbox_at(provider: Provider, known: _Known) -> int:
    if provider.one_mailbox_at is None:
        return NOWHERE
    if provider.one_mailbox_at not in provider.domains or provider.user_subdomain:
        raise ValueError(f"alias rules of {provider.name}: the domain of its mailboxes is not one of its own")
    return known.number[provider.one_mailbox_at]


def _swapped(provider: Provider) -> list[int]:
    """What each byte of a local part is replaced by."""
    octets = list(range(256))
    if provider.interchangeable is not None:
        one, other = provider.interchangeable
        octets[ord(one)] = ord(other)
    return octets
