"""Facts about the faults of a policy: each names its key and what was expected there, and all come at once."""

from __future__ import annotations

import re

import pytest

from prefcenter.domain.errors import InvalidPolicy
from prefcenter.domain.terms import AddressClass, Basis, PurposeClass
from tests.unit.services.acme_policy import VALID, edited, faults_of, parsed

SLUG = "lower-case letters and digits, a letter first, single hyphens between words, at most 40 characters"
LINE = "one line of text, no blanks around it, at most 200 characters"
CLAUSE = "the id of a clause, such as `OC-1`"
UNKNOWN_CLAUSE = "a clause that docs/clauses.md, or a clauses.md beside the policy, lists"
BASIS = "one of `consent`, `legitimate_interests`, `contract`"
AUDIENCES = "a list of at least one audience, in lower-case letters, digits, `_` and `-`, or of `all` alone"
CHANNELS = "a list of at least one channel, each one of `email`, `sms`, `voice`, `post`, `push`"
COUNTRY = "a country's two capital letters in ISO 3166, such as `GB` (not `UK`) or `US`"
CLASSES = "one of `promotional`, `informational`, `recruitment`, `administrative`"
TWICE = "a list that names nothing twice"
REPEATED_ID = "an id that no other purpose or data use has"
STANDING = "a purpose that was removed, not one that still stands here"
CLAUSE_OR_TABLE = "a clause, or a table with `default` and clauses for classes of purposes"
RESERVED = "text, a whole number, true or false, or lists and tables of these at most 4 levels deep"
NO_CAP = "no cap, for an administrative purpose is never capped"
KNOWN_PURPOSE_KEYS = (
    "no such key here; known are `id`, `label`, `class`, `audiences`, `channels`, `basis`, `clause`, `succeeds`, `cap`"
)
KNOWN_TABLES = (
    "no such key here; known are "
    "`controller`, `clauses`, `purpose`, `data_use`, `rights`, `retention`, `region`, `brand`"
)
KNOWN_ADDRESS_CLASSES = "no such key here; known are `business`, `personal`"
ALL_ALONE = "`all` alone, or the audiences by name"
ON = "`contract` or `legitimate_interests`, for its default is `on`"
BUSINESS_LI = 'business = "legitimate_interests"'
SERVICE_BASIS = 'business = "contract", personal = "contract"'
OFF_BY_CONSENT = 'default = "off"\nbasis = "consent"'

ONE_FAULT = [
    ('id = "acme"', 'id = "Acme"', "controller.id", SLUG),
    ('id = "acme"', 'id = "acme-2"', "controller.id", "the name of the file without `.toml`"),
    ('id = "acme"\n', "", "controller.id", f"required: {SLUG}"),
    ('name = "Acme"', 'name = ""', "controller.name", LINE),
    ('country = "GB"', 'country = "UK"', "controller.country", COUNTRY),
    ('country = "GB"\n', "", "controller.country", f"required: {COUNTRY}"),
    ('s = "personal"\nd', 's = "home"\nd', "controller.unknown_class", "one of `business`, `personal`"),
    ("hours = 24", "hours = 0", "controller.decision_ttl_hours", "a whole number from 1 to 24"),
    ("hours = 24", "hours = 25", "controller.decision_ttl_hours", "a whole number from 1 to 24"),
    ("hours = 24", 'hours = "24"', "controller.decision_ttl_hours", "a whole number from 1 to 24"),
    ("hours = 24", "hours = true", "controller.decision_ttl_hours", "a whole number from 1 to 24"),
    ('out = "everything"', 'out = "some"', "controller.bare_opt_out", "one of `everything`, `class`"),
    ('minor = "AW-1"\n', "", "clauses.minor", f"required: {CLAUSE_OR_TABLE}"),
    ('minor = "AW-1"', "minor = 1", "clauses.minor", CLAUSE_OR_TABLE),
    ('minor = "AW-1"', 'minor = "aw-1"', "clauses.minor", CLAUSE),
    ('minor = "AW-1"', 'minor = "AW-9"', "clauses.minor", UNKNOWN_CLAUSE),
    ('t = { default = "AW-1", r', "t = { r", "clauses.opted_out.default", f"required: {CLAUSE}"),
    ('recruitment = "AW-2"', 'recruitment = "AW-9"', "clauses.opted_out.recruitment", UNKNOWN_CLAUSE),
    ('recruitment = "AW-2"', 'recruitment = "2"', "clauses.opted_out.recruitment", CLAUSE),
    ('id = "news"', 'id = "news_1"', "purpose[1].id", SLUG),
    ('id = "news"', f'id = "{"n" * 41}"', "purpose[1].id", SLUG),
    ('label = "News"', 'label = "  "', "purpose[1].label", LINE),
    ('class = "promotional"', 'class = "marketing"', "purpose[1].class", CLASSES),
    ('class = "promotional"\n', "", "purpose[1].class", f"required: {CLASSES}"),
    ('["client", "app_user"]', "[]", "purpose[1].audiences", AUDIENCES),
    ('["client", "app_user"]', '["Client"]', "purpose[1].audiences[1]", AUDIENCES),
    ('["client", "app_user"]', '["client", "client"]', "purpose[1].audiences", TWICE),
    ('["client", "app_user"]', '["client", "all"]', "purpose[1].audiences", ALL_ALONE),
    ('["email", "sms"]', '["email", "fax"]', "purpose[1].channels[2]", CHANNELS),
    ('["email", "sms"]', "[]", "purpose[1].channels", CHANNELS),
    ('["email", "sms"]', '["sms", "sms"]', "purpose[1].channels", TWICE),
    (f"{BUSINESS_LI}, ", "", "purpose[1].basis.business", f"required: {BASIS}"),
    (', personal = "consent"', "", "purpose[1].basis.personal", f"required: {BASIS}"),
    (BUSINESS_LI, 'business = "habit"', "purpose[1].basis.business", BASIS),
    ('personal = "HOUSE-1"', 'personal = "AW-9"', "purpose[1].clause.personal", UNKNOWN_CLAUSE),
    (', personal = "HOUSE-1"', "", "purpose[1].clause.personal", f"required: {CLAUSE}"),
    ('["old-news", "older-news"]', '["Old"]', "purpose[1].succeeds[1]", f"a list of ids of removed purposes: {SLUG}"),
    ('["old-news", "older-news"]', '["old", "old"]', "purpose[1].succeeds", TWICE),
    ('["old-news", "older-news"]', '["old", "service"]', "purpose[1].succeeds[2]", STANDING),
    ('["old-news", "older-news"]', '["news"]', "purpose[1].succeeds[1]", STANDING),
    ("count = 4", "count = 0", "purpose[1].cap.count", "a whole number of messages from 1 to 1000"),
    ("days = 30", "days = 400", "purpose[1].cap.days", "a whole number of days from 1 to 366"),
    ('30, clause = "AW-3"', '30, clause = "AW-9"', "purpose[1].cap.clause", UNKNOWN_CLAUSE),
    ('label = "Service"', 'label = "S"\ncap = { count = 1, days = 1, clause = "AW-1" }', "purpose[2].cap", NO_CAP),
    ('id = "service"', 'id = "news"', "purpose[2].id", REPEATED_ID),
    ('id = "tracking"', 'id = "service"', "data_use[1].id", REPEATED_ID),
    ('default = "off"', 'default = "no"', "data_use[1].default", "one of `on`, `off`, `prohibited`"),
    ('default = "off"', 'default = "on"', "data_use[1].basis", ON),
    ('default = "off"', 'default = "prohibited"', "data_use[1].basis", "no basis, for its default is `prohibited`"),
    (OFF_BY_CONSENT, 'default = "off"', "data_use[1].basis", "`consent`, for its default is `off`"),
    (OFF_BY_CONSENT, 'default = "off"\nbasis = "contract"', "data_use[1].basis", "`consent`, for its default is `off`"),
    ('clause = "AW-3"\n\n[rights]', 'clause = "AW-9"\n\n[rights]', "data_use[1].clause", UNKNOWN_CLAUSE),
    ('audiences = ["all"]\nclause', 'audiences = ["all", "x"]\nclause', "data_use[1].audiences", ALL_ALONE),
    ('label = "News"', 'label = "News"\ncolour = 1', "purpose[1].colour", KNOWN_PURPOSE_KEYS),
    ("count = 4", "count = 4, per = 1", "purpose[1].cap.per", "no such key here; known are `count`, `days`, `clause`"),
    (BUSINESS_LI, f"{BUSINESS_LI}, home = 1", "purpose[1].basis.home", KNOWN_ADDRESS_CLASSES),
    ("[rights]", "[right]", "right", KNOWN_TABLES),
    ("[rights]", "[retention]\nkept = 1.5\n[rights]", "retention.kept", RESERVED),
    ("[rights]", "[retention]\nkept = 2026-01-01\n[rights]", "retention.kept", RESERVED),
    ("[rights]", "[brand]\nlists = [1, [2, [3, [4, [5]]]]]\n[rights]", "brand.lists[2][2][2]", RESERVED),
    ("[rights]", "[brand]\nnumber = 9007199254740992\n[rights]", "brand.number", RESERVED),
    ("[rights]", '[region]\nlaw = { some_clause = "AW-9" }\n[rights]', "region.law.some_clause", UNKNOWN_CLAUSE),
    ("[rights]", '[region]\nclause = ["AW-1", "AW-9"]\n[rights]', "region.clause[2]", UNKNOWN_CLAUSE),
    ("[rights]", "[region]\nclause = 1\n[rights]", "region.clause", CLAUSE),
]


@pytest.mark.parametrize(("old", "new", "key", "expected"), ONE_FAULT)
def test_a_fault_names_file_key_and_what_was_expected(old: str, new: str, key: str, expected: str) -> None:
    assert faults_of(edited((old, new))) == [(key, expected)]


@pytest.mark.parametrize("name", ["controller", "clauses", "purpose", "data_use", "rights"])
def test_a_table_that_is_something_else_is_a_fault(name: str) -> None:
    expected = {
        "controller": "a table `[controller]`",
        "clauses": "a table `[clauses]` with a clause for each refusal reason",
        "purpose": "at least one table `[[purpose]]`",
        "data_use": "tables `[[data_use]]`, or none",
        "rights": "a table `[rights]`",
    }
    without = re.sub(rf"(?ms)^\[\[?{name}\]\]?$.*?(?=^\[|\Z)", "", VALID)
    assert faults_of(f"{name} = 1\n{without}") == [(name, expected[name])]


def test_missing_tables_are_faults() -> None:
    assert faults_of("") == [
        ("controller", "required: a table `[controller]`"),
        ("clauses", "required: a table `[clauses]` with a clause for each refusal reason"),
        ("purpose", "at least one table `[[purpose]]`"),
    ]


def test_entries_that_are_no_tables_are_faults() -> None:
    without = VALID[: VALID.index("[[purpose]]")]
    assert faults_of(f"purpose = [1]\ndata_use = [2]\n{without}") == [
        ("purpose[1]", "a table `[[purpose]]`"),
        ("data_use[1]", "a table `[[data_use]]`"),
    ]


PAIRS = [(business, personal) for business in Basis for personal in Basis]
FREE = {Basis.CONSENT, Basis.LEGITIMATE_INTERESTS}


@pytest.mark.parametrize("purpose_class", PurposeClass)
@pytest.mark.parametrize(("business", "personal"), PAIRS)
def test_the_class_of_a_purpose_decides_which_basis_may_stand(
    purpose_class: PurposeClass, business: Basis, personal: Basis
) -> None:
    allowed = {
        PurposeClass.PROMOTIONAL: (FREE, {Basis.CONSENT}),
        PurposeClass.INFORMATIONAL: (FREE, {Basis.CONSENT}),
        PurposeClass.RECRUITMENT: (FREE, FREE),
        PurposeClass.ADMINISTRATIVE: ({Basis.CONTRACT}, {Basis.CONTRACT}),
    }[purpose_class]
    text = edited(
        ('class = "administrative"', f'class = "{purpose_class}"'),
        (SERVICE_BASIS, f'business = "{business}", personal = "{personal}"'),
    )
    stated = zip(AddressClass, (business, personal), allowed, strict=True)
    wrong = [f"purpose[2].basis.{whose}" for whose, basis, fine in stated if basis not in fine]
    if wrong:
        assert [key for key, _ in faults_of(text)] == wrong
    else:
        assert parsed(text).purpose_by_id["service"].basis == {
            AddressClass.BUSINESS: business,
            AddressClass.PERSONAL: personal,
        }


@pytest.mark.parametrize("purpose_class", ["promotional", "informational"])
def test_the_hard_rule_is_named_where_it_is_broken(purpose_class: str) -> None:
    text = edited(('"promotional"', f'"{purpose_class}"'), ('personal = "consent"', 'personal = "contract"'))
    expected = f"`consent`, for the purpose is {purpose_class} (HOUSE-1)"
    assert faults_of(text) == [("purpose[1].basis.personal", expected)]


def test_a_basis_of_contract_is_for_administrative_purposes_only() -> None:
    assert faults_of(edited((BUSINESS_LI, 'business = "contract"'))) == [
        ("purpose[1].basis.business", "`consent` or `legitimate_interests`, for the purpose is promotional")
    ]


def test_an_administrative_purpose_rests_on_the_contract() -> None:
    assert faults_of(edited((SERVICE_BASIS, 'business = "consent", personal = "contract"'))) == [
        ("purpose[2].basis.business", "`contract`, for the purpose is administrative")
    ]


@pytest.mark.parametrize("basis", ["legitimate_interests", "contract"])
def test_a_data_use_that_is_on_rests_on_interests_or_contract(basis: str) -> None:
    text = edited((OFF_BY_CONSENT, f'default = "on"\nbasis = "{basis}"'))
    assert parsed(text).data_use_by_id["tracking"].basis is Basis(basis)


def test_all_faults_of_a_file_come_at_once() -> None:
    text = edited(
        ('country = "GB"', 'country = "gb"'),
        ('label = "News"', "label = 1"),
        (SERVICE_BASIS, 'business = "contract", personal = "consent"'),
        ('clause = "AW-3"\n\n[rights]', 'clause = "AW-9"\n\n[rights]'),
        ('id = "tracking"', 'id = "news"'),
    )
    assert [key for key, _ in faults_of(text)] == [
        "controller.country",
        "purpose[1].label",
        "purpose[2].basis.personal",
        "data_use[1].clause",
        "data_use[1].id",
    ]


def test_a_key_that_is_no_plain_word_is_not_quoted() -> None:
    text = edited(
        ("[rights]", '["pat@example.com"]\n[rights]'),
        ('label = "News"', 'label = "News"\n"pat@example.com" = 1'),
    )
    with pytest.raises(InvalidPolicy) as raised:
        parsed(text)
    assert [fault.key for fault in raised.value.faults] == ["?", "purpose[1].?"]
    assert "pat" not in str(raised.value)
