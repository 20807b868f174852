"""What mail providers do with the addresses that they give out; the facts are data, `alias_rules_v*.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from prefcenter.domain.address.packaged import lines_of, table_of


@dataclass(frozen=True, slots=True)
class Provider:
    """The alias rules of one provider; the header of the data file says what each field means."""

    name: str
    domains: tuple[str, ...]
    one_mailbox_at: str | None = None
    ignored: str = ""
    interchangeable: tuple[str, str] | None = None
    hyphen_tag: bool = False
    user_subdomain: bool = False


REMEMBERED_DOMAINS = 1 << 15
"""Lists name the same domains over and over; what is remembered of them is bounded."""

NO_PROVIDER = Provider(name="", domains=())


@cache
def providers_by_domain(rules: int) -> Mapping[str, Provider]:
    entries = table_of(f"alias_rules_v{rules}.toml")["provider"]
    providers = [_provider(entry) for entry in entries]
    return {domain: provider for provider in providers for domain in provider.domains}


def _provider(entry: Mapping[str, Any]) -> Provider:
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
    del fields["source"], fields["reviewed"]
    return Provider(**fields)


@cache
def free_mail_domains(rules: int) -> frozenset[str]:
    return lines_of(f"free_mail_v{rules}.txt")


@cache
def role_accounts() -> frozenset[str]:
    return lines_of("role_accounts.txt")


@lru_cache(REMEMBERED_DOMAINS)
def is_free_mail(domain: str, rules: int) -> bool:
    """Whether the domain, or a parent of it, gives mailboxes to the public: a doubt makes an address personal."""
    listed = free_mail_domains(rules)
    return any(parent in listed for parent in parents(domain))


def parents(domain: str) -> tuple[str, ...]:
    """The domain itself and each of its parents, most specific first."""
    labels = domain.split(".")
    return tuple(".".join(labels[start:]) for start in range(len(labels)))


@lru_cache(REMEMBERED_DOMAINS)
def host_of_user_subdomain(domain: str, rules: int) -> str | None:
    """`fastmail.com` of `pat.fastmail.com`, where the provider reads the label as the user; one label only."""
    _, _, host = domain.partition(".")
    provider = providers_by_domain(rules).get(host, NO_PROVIDER)
    return host if provider.user_subdomain else None


def mailbox_of(local: str, domain: str, rules: int) -> tuple[str, str]:
    """The one spelling of a mailbox: local part (unquoted) and domain after the provider's alias rules."""
    host = host_of_user_subdomain(domain, rules)
    if host is not None:
        local, domain = domain.partition(".")[0], host
    provider = providers_by_domain(rules).get(domain, NO_PROVIDER)
    local = _without_tag(local, "+")
    if provider.hyphen_tag:
        local = _without_tag(local, "-")
    local = _without_ignored(local, provider.ignored)
    if provider.interchangeable is not None:
        local = local.replace(*provider.interchangeable)
    return local, provider.one_mailbox_at or domain


def _without_tag(local: str, separator: str) -> str:
    """A tag that is the whole local part stays: without it nothing would be left to be a mailbox."""
    return local.partition(separator)[0] or local


def _without_ignored(local: str, ignored: str) -> str:
    return local.translate(dict.fromkeys(map(ord, ignored))) or local
