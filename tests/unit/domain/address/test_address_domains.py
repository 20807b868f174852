"""Whole-domain refusals, and the reviewed data files behind them."""

from __future__ import annotations

import datetime
import subprocess
import sys
import tomllib
from importlib import resources

import pytest
from publicsuffixlist import PublicSuffixList

from prefcenter.domain.address import RULES_VERSIONS, parse, parse_domain
from prefcenter.domain.errors import InvalidAddress
from prefcenter.domain.terms import AddressKind

DATA = resources.files("prefcenter.domain.address") / "data"


def lines_of(name: str) -> list[str]:
    return [line for line in (DATA / name).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("@acme.example", "acme.example"),
        ("acme.example", "acme.example"),
        (" @ACME.Example.\u00a0", "acme.example"),
        ("@bücher.example", "xn--bcher-kva.example"),
        ("shop.acme.co.uk", "shop.acme.co.uk"),
        ("acme.github.io", "acme.github.io"),
    ],
)
def test_a_domain_is_read_with_or_without_its_sign(text: str, domain: str) -> None:
    assert parse_domain(text) == domain


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("@gmail.com", "free-mail"),
        ("pat.fastmail.com", "free-mail"),
        ("mail.yahoo.com", "free-mail"),
        ("co.uk", "public suffix"),
        ("github.io", "public suffix"),
        ("pat@acme.example", "an address"),
        ("@@acme.example", "an address"),
        ("", "no domain"),
        ("@", "no domain"),
        ("acme", "is not a domain"),
        ("*.acme.example", "is not a domain"),
        ("https://acme.example", "is not a domain"),
        ("a." * 600 + "example", "too long"),
    ],
)
def test_what_is_no_domain_of_one_organisation_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidAddress, match=why):
        parse_domain(text)


def test_domains_of_an_address_are_its_own_and_every_parent_of_two_labels() -> None:
    address = parse("pat@a.shop.acme.co.uk", AddressKind.EMAIL, country="GB")
    assert address.current.domains == ("a.shop.acme.co.uk", "shop.acme.co.uk", "acme.co.uk", "co.uk")


@pytest.mark.parametrize("text", ["pat@gmail.com", "pat@mail.gmail.com", "news@pat.fastmail.com"])
def test_a_free_mail_address_has_no_domain_to_refuse(text: str) -> None:
    assert parse(text, AddressKind.EMAIL, country="GB").current.domains == ()


@pytest.mark.parametrize("rules", RULES_VERSIONS)
def test_every_alias_rule_has_a_source_and_a_date_and_speaks_of_its_domains_alone(rules: int) -> None:
    table = tomllib.loads((DATA / f"alias_rules_v{rules}.toml").read_text(encoding="utf-8"))
    assert table["rules"] == rules
    domains = [domain for provider in table["provider"] for domain in provider["domains"]]
    assert len(domains) == len(set(domains))
    for provider in table["provider"]:
        assert provider["source"]
        assert isinstance(provider["reviewed"], datetime.date)
        assert provider["domains"] == sorted(provider["domains"])
        assert provider.get("one_mailbox_at", provider["domains"][0]) in provider["domains"]


@pytest.mark.parametrize("rules", RULES_VERSIONS)
def test_domains_with_alias_rules_are_free_mail_domains(rules: int) -> None:
    table = tomllib.loads((DATA / f"alias_rules_v{rules}.toml").read_text(encoding="utf-8"))
    listed = set(lines_of(f"free_mail_v{rules}.txt"))
    assert {domain for provider in table["provider"] for domain in provider["domains"]} <= listed


@pytest.mark.parametrize("name", [*(f"free_mail_v{rules}.txt" for rules in RULES_VERSIONS), "role_accounts.txt"])
def test_lists_are_sorted_unique_lower_case_and_name_their_source(name: str) -> None:
    entries = lines_of(name)
    assert entries == sorted(set(entries))
    assert all(entry and entry == entry.strip().lower() and entry.isascii() for entry in entries)
    header = (DATA / name).read_text(encoding="utf-8")
    assert "# Source:" in header
    assert "reviewed on 20" in header


@pytest.mark.parametrize("rules", RULES_VERSIONS)
def test_no_free_mail_domain_is_a_public_suffix_or_reserved_for_documentation(rules: int) -> None:
    suffixes = PublicSuffixList()
    for domain in lines_of(f"free_mail_v{rules}.txt"):
        assert not suffixes.is_public(domain)
        assert not domain.endswith(("example.com", "example.org", "example.net", ".example", ".test"))


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import prefcenter.domain.address", "email_validator,phonenumbers,publicsuffixlist"),
        ("parse('pat@acme.example', AddressKind.EMAIL, country='GB')", "phonenumbers,publicsuffixlist"),
        ("parse('020 7946 0123', AddressKind.PHONE, country='GB')", "email_validator,publicsuffixlist"),
        ("infer_kind('020 7946 0123')", "email_validator,phonenumbers,publicsuffixlist"),
    ],
)
def test_a_kind_imports_only_what_it_needs(statement: str, unwanted: str) -> None:
    program = (
        "import sys; from prefcenter.domain.address import infer_kind, parse; "
        f"from prefcenter.domain.terms import AddressKind; {statement}; "
        f"sys.exit(sorted(set({unwanted!r}.split(',')) & set(sys.modules)) or 0)"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 0, finished.stderr
