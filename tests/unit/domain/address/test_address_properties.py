"""What holds of every address: forms are idempotent, aliases share a mailbox, masks reveal nothing, nothing crashes."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from prefcenter.domain.address import Address, infer_kind, mask, parse
from prefcenter.domain.errors import InvalidAddress
from prefcenter.domain.terms import AddressKind

COUNTRIES = st.sampled_from(["GB", "US", "DE", "FR", "IT", "BR", "ZZ"])
KINDS = st.sampled_from(list(AddressKind))
ATEXT = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~"
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=2, max_size=20)
DOMAINS = st.sampled_from(
    [
        "acme.example", "shop.acme.co.uk", "gmail.com", "googlemail.com", "yahoo.com", "ymail.com", "proton.me",
        "pm.me", "icloud.com", "mac.com", "ya.ru", "yandex.com", "fastmail.com", "pat.fastmail.com", "outlook.com",
        "bücher.example", "xn--bcher-kva.example",
    ]
)  # fmt: skip
DOT_ATOMS = st.lists(st.text(ATEXT, min_size=1, max_size=8), min_size=1, max_size=4).map(".".join)
QUOTED = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=12).map(
    lambda content: '"' + content.replace("\\", "\\\\").replace('"', '\\"') + '"'
)
RARE = (
    "\u00df\u0130\u03a3\u2122\ufb01\uff0b\uff0e\uff20\u0301\u3099\uff9e\u00a8\u1e9e\u212b\ufdfa\u023a\u00b2\u037e\u2024"
)
INTERNATIONAL = st.text(st.one_of(st.characters(min_codepoint=0x80), st.sampled_from("abC.+-_" + RARE)), max_size=12)
PLAIN_EMAILS = st.builds("{}@{}".format, DOT_ATOMS, DOMAINS)
EMAILS = st.builds("{}@{}".format, st.one_of(DOT_ATOMS, QUOTED, INTERNATIONAL), DOMAINS)
PHONES = st.builds(
    "{}{}{}".format, st.sampled_from(["", "+", "00"]), st.integers(10**6, 10**14), st.sampled_from(["", " x7"])
)
NOUNS = st.text(st.one_of(st.characters(), st.sampled_from("abcäöüßéŒ 12.'#-/")), max_size=20)
POSTCODE_LINES = st.sampled_from(["London SW1A 1AA", "IL 62701-1234", "10115 Berlin", "75002 Paris Cedex 02"])
POSTS = st.builds("{}, {} {}, {}".format, NOUNS, st.integers(1, 999), NOUNS, POSTCODE_LINES)
ANYTHING = st.one_of(
    st.text(max_size=60), EMAILS, PHONES, POSTS, NAMES.map("push:{}".format), NAMES.map("tel:{}".format)
)


def parsed(text: str, kind: AddressKind, country: str = "GB") -> Address | None:
    try:
        return parse(text, kind, country=country)
    except InvalidAddress:
        return None


def email(text: str) -> Address:
    return parse(text, AddressKind.EMAIL, country="GB")


@given(text=ANYTHING, kind=KINDS, country=COUNTRIES)
def test_forms_are_idempotent_or_there_are_none(text: str, kind: AddressKind, country: str) -> None:
    address = parsed(text, kind, country)
    for form in address.forms if address else ():
        again_exact = {again.rules: again for again in parse(form.exact, kind, country=country).forms}
        again_mailbox = {again.rules: again for again in parse(form.mailbox, kind, country=country).forms}
        assert again_exact[form.rules].exact == form.exact
        assert again_exact[form.rules].mailbox == form.mailbox
        assert again_mailbox[form.rules].mailbox == form.mailbox


@given(text=EMAILS)
def test_forms_of_emails_are_idempotent(text: str) -> None:
    address = parsed(text, AddressKind.EMAIL)
    for form in address.forms if address else ():
        assert email(form.exact).current.exact == form.exact
        assert email(form.mailbox).current.mailbox == form.mailbox


@given(text=POSTS, country=st.sampled_from(["GB", "US", "DE", "FR"]))
def test_forms_of_postal_addresses_are_idempotent(text: str, country: str) -> None:
    address = parsed(text, AddressKind.POST, country)
    for form in address.forms if address else ():
        assert parse(form.exact, AddressKind.POST, country="US").current.exact == form.exact
        assert parse(form.mailbox, AddressKind.POST, country="US").current.mailbox == form.mailbox


@given(text=PLAIN_EMAILS)
def test_every_well_formed_plain_address_is_read(text: str) -> None:
    assert email(text).kind is AddressKind.EMAIL


@given(name=NAMES, tag=NAMES, domain=DOMAINS, capitals=st.booleans())
def test_a_tag_never_leaves_the_mailbox(name: str, tag: str, domain: str, capitals: bool) -> None:
    tagged = f"{name}+{tag}@{domain}"
    assert email(tagged.upper() if capitals else tagged).current.mailbox == email(f"{name}@{domain}").current.mailbox


@given(
    name=NAMES,
    dots=st.lists(st.booleans(), min_size=20, max_size=20),
    domain=st.sampled_from(["gmail.com", "googlemail.com"]),
)
def test_dots_and_domain_aliases_never_leave_the_gmail_mailbox(name: str, dots: list[bool], domain: str) -> None:
    dotted = "".join(f"{letter}." if dot else letter for letter, dot in zip(name, dots, strict=False)).rstrip(".")
    assert email(f"{dotted}@{domain}").current.mailbox == f"{name}@gmail.com"


@given(name=NAMES, tag=NAMES, domain=st.sampled_from(["yahoo.com", "yahoo.co.uk", "ymail.com", "rocketmail.com"]))
def test_hyphen_tags_never_leave_the_yahoo_mailbox(name: str, tag: str, domain: str) -> None:
    assert email(f"{name}-{tag}@{domain}").current.mailbox == f"{name}@{domain}"


@given(name=NAMES, anything=NAMES, domain=st.sampled_from(["fastmail.com", "fastmail.fm", "sent.com"]))
def test_user_subdomains_never_leave_the_fastmail_mailbox(name: str, anything: str, domain: str) -> None:
    assert email(f"{anything}@{name}.{domain}").current.mailbox == f"{name}@{domain}"


@given(
    name=NAMES, domains=st.sampled_from([("icloud.com", "me.com", "mac.com"), ("proton.me", "protonmail.com", "pm.me")])
)
def test_domain_aliases_share_one_mailbox(name: str, domains: tuple[str, ...]) -> None:
    assert len({email(f"{name}@{domain}").current.mailbox for domain in domains}) == 1


@given(one=PLAIN_EMAILS, other=PLAIN_EMAILS)
def test_different_exact_addresses_never_share_an_exact_form(one: str, other: str) -> None:
    def spelt(text: str) -> str:
        return text.lower().replace("bücher", "xn--bcher-kva")

    assert (email(one).current.exact == email(other).current.exact) == (spelt(one) == spelt(other))


@given(text=PLAIN_EMAILS)
def test_the_same_mailbox_follows_from_the_same_exact_form(text: str) -> None:
    assert email(text).current.mailbox == email(email(text).current.exact).current.mailbox


@given(texts=st.tuples(EMAILS, PHONES, POSTS, NAMES.map("push:{}@acme.example".format)))
def test_addresses_of_different_kinds_never_share_a_form(texts: tuple[str, ...]) -> None:
    addresses = [parsed(text, kind) for text, kind in zip(texts, AddressKind, strict=True)]
    forms = [{form.exact, form.mailbox} for address in addresses if address for form in address.forms]
    assert len(set().union(*forms)) == sum(map(len, forms))


@given(name=NAMES, domain=DOMAINS, wrapping=st.sampled_from(["{}", "mailto:{}", "Somebody <{}>", " {}. "]))
def test_masking_never_reveals_the_local_part(name: str, domain: str, wrapping: str) -> None:
    assume(name not in email(f"a@{domain}").masked)
    text = wrapping.format(f"{name}@{domain}")
    assert name not in mask(text)
    assert name not in email(text).masked


@given(name=NAMES)
def test_masking_never_reveals_the_user_in_a_subdomain(name: str) -> None:
    assume(name not in "***@fastmail.com")
    assert name not in mask(f"news@{name}.fastmail.com")


@given(digits=st.text("0123456789", min_size=3, max_size=3))
def test_masking_shows_only_the_end_of_a_phone_number(digits: str) -> None:
    assert mask(f"+44 20 7946 0{digits}") == f"+44 ***{digits[-2:]}"
    assert mask(f"020 7946 0{digits}") == f"***{digits[-2:]}"


@given(text=ANYTHING, kind=st.one_of(st.none(), KINDS))
def test_any_text_has_a_mask_that_shows_no_long_run_of_it(text: str, kind: AddressKind | None) -> None:
    masked = mask(text, kind)
    assert "***" in masked
    assert masked.rpartition("@")[0] in {"", "***"}


@given(text=st.one_of(ANYTHING, st.text(min_size=1_000, max_size=1_100)))
def test_any_text_has_a_kind(text: str) -> None:
    assert infer_kind(text) in AddressKind
