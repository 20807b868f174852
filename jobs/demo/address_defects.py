"""Defects of the address cell, and the second rows that other spellings of one mailbox make."""

from __future__ import annotations

from collections.abc import Callable

from jobs.demo.people import (
    GMAIL,
    IDN_DOMAIN,
    IDN_DOMAIN_AS_WRITTEN,
    OPEN_TO_EXACT_ADDRESS,
    REFUSED_AS,
    YAHOO,
    Fate,
    Person,
)
from jobs.demo.rows import Field, Row, Verdict
from jobs.demo.spoiling import Defect
from prefcenter.domain.terms import Reason

PLACEHOLDERS = ("n/a", "-", "none", "unknown", "k.A.", "?")
BYSTANDER = "reception@brambling.example"

Rewrite = Callable[[Person], str]


def _address(rewrite: Rewrite) -> Callable[[Row], Row]:
    """A defect that writes the address of the row's person in another way."""

    def apply(row: Row) -> Row:
        return row if row.person is None else row.with_text(Field.EMAIL, rewrite(row.person))

    return apply


def _name_before_address(person: Person) -> str:
    return f"{person.name.full} <{person.address}>"


def _name_turned_round(person: Person) -> str:
    return f'"{person.name.family}, {person.name.given}" <{person.address}>'


def _placeholder(person: Person) -> str:
    return PLACEHOLDERS[person.number % len(PLACEHOLDERS)]


def _own_script(person: Person) -> str:
    return f"{person.local_part}@{IDN_DOMAIN_AS_WRITTEN}"


def _dotted(person: Person) -> str:
    bare = person.local_part.replace(".", "")
    return f"{'.'.join(bare[:3])}{bare[3:]}@{person.domain}"


def _tagged(person: Person) -> str:
    return f"{person.local_part}+news@{person.domain}"


def _hyphen_tagged(person: Person) -> str:
    return f"{person.local_part}-shopping@{person.domain}"


def _other_gmail_domain(person: Person) -> str:
    (other,) = GMAIL - {person.domain}
    return f"{person.local_part}@{other}"


def _in_capitals(person: Person) -> str:
    return person.address.upper()


def _plain(row: Row) -> bool:
    """Rows whose address can take any change; an encoded domain is long enough without."""
    return row.person is not None and row.person.domain != IDN_DOMAIN


def _at_idn_domain(row: Row) -> bool:
    return row.person is not None and row.person.domain == IDN_DOMAIN


def _ends_in_com(row: Row) -> bool:
    return row.person is not None and row.person.domain.endswith(".com")


def _opted_out(row: Row) -> bool:
    return row.person is not None and REFUSED_AS.get(row.person.fate) is Reason.OPTED_OUT and _is_closed(row.person)


def _is_closed(person: Person) -> bool:
    return person.fate not in OPEN_TO_EXACT_ADDRESS


def _opted_out_at_gmail(row: Row) -> bool:
    return row.person is not None and row.person.domain in GMAIL and _opted_out(row)


def _private_elsewhere(row: Row) -> bool:
    """Private people who opted out, at providers without alias rules of their own."""
    return row.person is not None and row.person.domain not in GMAIL | YAHOO and _opted_out(row)


def _at_yahoo(row: Row) -> bool:
    return row.person is not None and row.person.domain in YAHOO


def _consented_again(row: Row) -> bool:
    return row.person is not None and row.person.fate is Fate.CONSENT_AFTER_OPT_OUT


IDN_IN_ITS_SCRIPT = Defect(
    "domain_in_its_own_script", "The domain has accents, as its owner writes it.", _address(_own_script), _at_idn_domain
)
IDN_ENCODED = Defect(
    "domain_in_punycode",
    "The domain is in its encoded form, as mail programs show it.",
    lambda row: row,
    _at_idn_domain,
)
NAME_BEFORE_ADDRESS = Defect(
    "name_in_address_cell",
    "A name stands before the address in angle brackets.",
    _address(_name_before_address),
    _plain,
)
NAME_TURNED_ROUND = Defect(
    "quoted_name_in_address_cell",
    "The family name comes first, with a comma, so that the name is in quotes.",
    _address(_name_turned_round),
    _plain,
)
MAILTO = Defect(
    "mailto", "The cell holds a link that somebody copied.", _address(lambda person: f"mailto:{person.address}"), _plain
)
MAILTO_WITH_SUBJECT = Defect(
    "mailto_with_subject",
    "The copied link has a subject as well.",
    _address(lambda person: f"mailto:{person.address}?subject=Hello"),
    _plain,
)
ANGLE_BRACKETS = Defect(
    "angle_brackets",
    "The address stands in angle brackets alone.",
    _address(lambda person: f"<{person.address}>"),
    _plain,
)
TRAILING_DOT = Defect(
    "trailing_dot", "The full stop of a sentence came along.", _address(lambda person: f"{person.address}."), _plain
)
BLANKS_AROUND = Defect(
    "blanks_around_address",
    "Blanks or a tab stand before and after the address.",
    _address(lambda person: f"  {person.address}\t"),
)
NO_BREAK_SPACES = Defect(
    "no_break_spaces",
    "No-break spaces from a web page stand around the address.",
    _address(lambda person: f"\u00a0{person.address}\u00a0"),
)
ZERO_WIDTH_AROUND = Defect(
    "zero_width_around",
    "Zero-width characters, which nobody sees, stand around the address.",
    _address(lambda person: f"\u200b{person.address}\ufeff"),
)
ZERO_WIDTH_INSIDE = Defect(
    "zero_width_inside",
    "A zero-width character stands within the address.",
    _address(lambda person: f"{person.local_part}\u200b@{person.domain}"),
    rejected_as=Verdict.INVALID_ADDRESS,
)
UPPER_CASE = Defect("upper_case", "The address is in capitals.", _address(_in_capitals))
TWO_ADDRESSES = Defect(
    "two_addresses_in_a_cell",
    "Two addresses share the cell, and only one of them may be asked about.",
    _address(lambda person: f"{person.address}; {BYSTANDER}"),
    rejected_as=Verdict.INVALID_ADDRESS,
)
ADDRESS_AND_REMARK = Defect(
    "remark_in_address_cell",
    "A remark follows the address.",
    _address(lambda person: f"{person.address} (old one)"),
    rejected_as=Verdict.INVALID_ADDRESS,
)
COMMA_FOR_DOT = Defect(
    "comma_for_dot",
    "A comma stands where the dot before `com` should.",
    _address(lambda person: f"{person.address.removesuffix('.com')},com"),
    _ends_in_com,
    Verdict.INVALID_ADDRESS,
)
SPACE_INSIDE = Defect(
    "space_inside",
    "A blank splits the address.",
    _address(lambda person: f"{person.local_part} @{person.domain}"),
    rejected_as=Verdict.INVALID_ADDRESS,
)
AT_SIGN_MISSING = Defect(
    "at_sign_missing",
    "There is no at sign.",
    _address(lambda person: f"{person.local_part}.{person.domain}"),
    rejected_as=Verdict.INVALID_ADDRESS,
)
AT_SIGN_DOUBLED = Defect(
    "at_sign_doubled",
    "There are two at signs.",
    _address(lambda person: f"{person.local_part}@@{person.domain}"),
    rejected_as=Verdict.INVALID_ADDRESS,
)
DOTS_DOUBLED = Defect(
    "dots_doubled",
    "Two dots follow one another.",
    _address(lambda person: f"{person.local_part}..@{person.domain}"),
    rejected_as=Verdict.INVALID_ADDRESS,
)
DOMAIN_CUT_OFF = Defect(
    "domain_cut_off",
    "The column was too narrow, and the end of the domain is missing.",
    _address(lambda person: f"{person.local_part}@{person.domain.partition('.')[0]}"),
    rejected_as=Verdict.INVALID_ADDRESS,
)
EMPTY_ADDRESS = Defect(
    "empty_address", "There is no address.", _address(lambda _: ""), rejected_as=Verdict.EMPTY_ADDRESS
)
BLANK_ADDRESS = Defect(
    "blank_address", "The address is nothing but blanks.", _address(lambda _: "   "), rejected_as=Verdict.EMPTY_ADDRESS
)
PLACEHOLDER = Defect(
    "placeholder_address",
    "The form demanded an address and got `n/a`, `-`, `none` or the like.",
    _address(_placeholder),
    rejected_as=Verdict.INVALID_ADDRESS,
)
ALIAS_BY_DOTS = Defect(
    "alias_by_dots",
    "A second row of somebody who opted out, with the dots of a Gmail address elsewhere.",
    _address(_dotted),
    _opted_out_at_gmail,
    is_exact=False,
    is_added=True,
)
ALIAS_BY_TAG = Defect(
    "alias_by_tag",
    "A second row of somebody who opted out, with a tag after a plus sign.",
    _address(_tagged),
    _opted_out,
    is_exact=False,
    is_added=True,
)
ALIAS_BY_DOMAIN = Defect(
    "alias_by_domain",
    "A second row of somebody who opted out, at the other one of gmail.com and googlemail.com.",
    _address(_other_gmail_domain),
    _opted_out_at_gmail,
    is_exact=False,
    is_added=True,
)
ALIAS_BY_HYPHEN = Defect(
    "alias_by_hyphen",
    "A second row of somebody at Yahoo, with a tag after a hyphen.",
    _address(_hyphen_tagged),
    _at_yahoo,
    is_exact=False,
    is_added=True,
)
ALIAS_OF_CONSENTED = Defect(
    "alias_of_a_consent",
    "A second row of somebody who opted out and then consented, in a spelling that did not consent.",
    _address(_tagged),
    _consented_again,
    is_exact=False,
    is_added=True,
)
DUPLICATE_IN_CAPITALS = Defect(
    "duplicate_in_capitals",
    "A second row of somebody who opted out, in capitals.",
    _address(_in_capitals),
    _private_elsewhere,
    is_added=True,
)

ADDRESS_DEFECTS = (
    IDN_IN_ITS_SCRIPT,
    IDN_ENCODED,
    ALIAS_OF_CONSENTED,
    ALIAS_BY_DOTS,
    ALIAS_BY_DOMAIN,
    ALIAS_BY_HYPHEN,
    ALIAS_BY_TAG,
    DUPLICATE_IN_CAPITALS,
    NAME_BEFORE_ADDRESS,
    NAME_TURNED_ROUND,
    MAILTO,
    MAILTO_WITH_SUBJECT,
    ANGLE_BRACKETS,
    TRAILING_DOT,
    BLANKS_AROUND,
    NO_BREAK_SPACES,
    ZERO_WIDTH_AROUND,
    ZERO_WIDTH_INSIDE,
    UPPER_CASE,
    TWO_ADDRESSES,
    ADDRESS_AND_REMARK,
    COMMA_FOR_DOT,
    SPACE_INSIDE,
    AT_SIGN_MISSING,
    AT_SIGN_DOUBLED,
    DOTS_DOUBLED,
    DOMAIN_CUT_OFF,
    EMPTY_ADDRESS,
    BLANK_ADDRESS,
    PLACEHOLDER,
)
"""In the order in which they choose their rows, those that suit few rows first."""
