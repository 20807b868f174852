"""Plain addresses read by compiled code: the forms that the parser gives, or none at all."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jobs.scrub.fast.cells import Cells
from jobs.scrub.fast.emails import parent_forms, read_plain
from prefcenter.domain.address import RULES_VERSIONS, parse
from prefcenter.domain.address.blanks import stripped
from prefcenter.domain.address.domains import domains_looked_up
from prefcenter.domain.address.plain import plain_parts
from prefcenter.domain.address.providers import free_mail_domains, providers_by_domain
from prefcenter.domain.digest import DigestKind
from prefcenter.domain.errors import InvalidAddress
from prefcenter.domain.terms import AddressKind
from prefcenter.security.vector_digests import Forms

RULES = RULES_VERSIONS[0]
KNOWN = sorted({*providers_by_domain(RULES), *free_mail_domains(RULES)})
PIECES = (
    *"aZ9.-_+@!'*/= \t\"<>,\u00fc\u0130", "..", "--", ".+", "-.", "xn--", "mailto:", "test", "local", "sam.", "a" * 30,
    "+x", "-x", "googlemail.com",
)  # fmt: skip


def forms_of(forms: Forms) -> list[bytes]:
    octets, offsets = forms.octets.tobytes(), forms.offsets.tolist()
    return [octets[start:end] for start, end in pairwise(offsets)]


def assert_read_alike(texts: Sequence[str]) -> int:
    """Hold each text that is read here against the parser; gives how many were."""
    plain = read_plain(Cells.of(texts), RULES_VERSIONS)
    unread = set(plain.others.tolist())
    exacts, mailboxes = forms_of(plain.exacts), forms_of(plain.mailboxes[RULES])
    for index, row in enumerate(plain.rows.tolist()):
        if row in unread:
            continue
        address = parse(texts[row], AddressKind.EMAIL, country="GB")
        assert exacts[index] == bytes((DigestKind.EXACT,)) + address.current.exact.encode()
        assert mailboxes[index] == bytes((DigestKind.MAILBOX,)) + address.current.mailbox.encode()
        assert plain.is_free[RULES][index] == (not address.may_be_business)
    read = {*plain.rows.tolist()} - unread
    blank = set(plain.blanks.tolist())
    assert read | unread | blank == set(range(len(texts)))
    assert all(not stripped(texts[row]) for row in blank)
    return len(read)


def a_text(chance: random.Random) -> str:
    domain = chance.choice([*KNOWN, f"sam.{chance.choice(KNOWN)}", "acme.example", "b-2.shop.acme.co.uk"])
    text = f"{chance.choice(['', ' '])}Pat.{chance.choice('+-_.')}O{chance.randrange(99)}@{domain}"
    for _ in range(chance.randrange(3)):
        place = chance.randrange(len(text))
        text = text[:place] + chance.choice(PIECES) + text[place + chance.randrange(3) :]
    return text


def test_every_rule_of_every_provider_is_followed() -> None:
    locals_of = ("pat.o", "pat+x", "pat-x+y", "+x", "-x", "p_a.t-o", "+-x", "_", "a.-b", "-+a")
    texts = [f"{local}@{prefix}{domain}" for domain in KNOWN for local in locals_of for prefix in ("", "sam.", "a.b.")]
    assert assert_read_alike(texts) > len(texts) * 0.9


def test_addresses_with_defects_are_read_as_the_parser_reads_them() -> None:
    chance = random.Random(11)
    texts = [a_text(chance) for _ in range(20_000)]
    assert assert_read_alike(texts) > len(texts) / 4


@given(
    st.lists(st.one_of(st.text(max_size=70), st.lists(st.sampled_from(PIECES), max_size=8).map("".join)), max_size=20)
)
def test_any_text_is_read_as_the_parser_reads_it(texts: list[str]) -> None:
    assert_read_alike(texts)


def test_whatever_is_plain_is_read_here() -> None:
    chance = random.Random(5)
    texts = [text for text in (a_text(chance) for _ in range(5_000)) if plain_parts(text.strip(" "))]
    plain = read_plain(Cells.of(texts), RULES_VERSIONS)
    assert len(plain.rows) == len(texts)


def test_a_mailbox_that_is_no_plain_address_any_more_is_left_to_the_parser() -> None:
    plain = read_plain(Cells.of(["a.+b@acme.example", "a.b@acme.example"]), RULES_VERSIONS)
    assert plain.others.tolist() == [0]


@given(st.lists(st.lists(st.sampled_from(["a", "bc", "co", "uk", "x-1"]), min_size=2, max_size=5).map(".".join)))
def test_the_parents_of_a_domain_are_those_that_are_looked_up(domains: list[str]) -> None:
    forms, owners = parent_forms(Cells.of(domains))
    found = [(owner, form[1:].decode()) for owner, form in zip(owners.tolist(), forms_of(forms), strict=True)]
    expected = [(row, name) for row, domain in enumerate(domains) for name in domains_looked_up(domain, RULES)]
    assert found == expected
    assert all(form[0] == DigestKind.DOMAIN for form in forms_of(forms))


@given(st.lists(st.sampled_from(["", "a", "b", "ab", "a" * 50, "\u00fc"]), max_size=60))
def test_cells_of_one_content_are_alike_and_others_are_not(texts: list[str]) -> None:
    first, like = Cells.of(texts).distinct()
    assert [texts[first[number]] for number in like] == texts
    assert len(first) == len(set(texts))


def test_an_address_that_the_parser_refuses_is_never_plain() -> None:
    refused = []
    for label in ("test", "LOCAL", "localhost", "arpa", "onion", "invalid"):
        text = f"pat@acme.{label}"
        try:
            parse(text, AddressKind.EMAIL, country="GB")
        except InvalidAddress:
            refused.append(text)
    plain = read_plain(Cells.of(refused), RULES_VERSIONS)
    assert (len(refused), len(plain.rows)) == (6, 0)
