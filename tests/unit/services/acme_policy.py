"""A small policy that is valid, the clauses it may cite, and ways to spoil it."""

from __future__ import annotations

import pytest

from prefcenter.domain.errors import InvalidPolicy
from prefcenter.services.policy_files import LoadedPolicy, parse_policy

KNOWN = frozenset({"HOUSE-1", "AW-1", "AW-2", "AW-3"})
VALID = """
[controller]
id = "acme"
name = "Acme"
country = "GB"
unknown_class = "personal"
decision_ttl_hours = 24
bare_opt_out = "everything"

[clauses]
bounced = "AW-1"
on_registry = "AW-1"
manual = "AW-1"
opted_out = { default = "AW-1", recruitment = "AW-2" }
complained = "AW-1"
erased = "AW-1"
minor = "AW-1"
restricted = "AW-1"
legal = "AW-1"

[[purpose]]
id = "news"
label = "News"
class = "promotional"
audiences = ["client", "app_user"]
channels = ["email", "sms"]
basis = { business = "legitimate_interests", personal = "consent" }
clause = { business = "AW-1", personal = "HOUSE-1" }
succeeds = ["old-news", "older-news"]
cap = { count = 4, days = 30, clause = "AW-3" }

[[purpose]]
id = "service"
label = "Service"
class = "administrative"
audiences = ["all"]
channels = ["post"]
basis = { business = "contract", personal = "contract" }
clause = { business = "AW-2", personal = "AW-2" }

[[data_use]]
id = "tracking"
label = "Tracking"
default = "off"
basis = "consent"
audiences = ["all"]
clause = "AW-3"

[rights]
answered_within = "P1M"
clause = "AW-1"
"""


def edited(*edits: tuple[str, str]) -> str:
    """The valid policy with the first occurrence of each old text replaced."""
    text = VALID
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def parsed(text: str) -> LoadedPolicy:
    return parse_policy(text, "acme.toml", known_clauses=KNOWN)


def faults_of(text: str) -> list[tuple[str, str]]:
    """The (key, expected) of every fault of the text, in the order in which they are reported."""
    with pytest.raises(InvalidPolicy) as raised:
        parsed(text)
    assert {fault.file for fault in raised.value.faults} == {"acme.toml"}
    return [(fault.key, fault.expected) for fault in raised.value.faults]
