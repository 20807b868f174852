"""Policies of every shape that the loader accepts, drawn as text and read by the loader itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from prefcenter.domain.terms import AddressClass, Channel, PurposeClass, RefusalReason
from prefcenter.services.policy_files import LoadedPolicy, parse_policy

CONTROLLER = "acme"
INTERESTS, CONSENT, CONTRACT = "legitimate_interests", "consent", "contract"
PURPOSES = ("offers", "news", "jobs", "service")
SUCCEEDED = ("old-offers", "old-news")
AUDIENCES = (["client"], ["client", "alumni"], ["all"])
CHANNELS = (
    ["email"],
    ["email", "sms"],
    ["email", "post", "push"],
    ["email", "voice", "sms"],
    [channel.value for channel in Channel],
)
CAP_COUNTS = (1, 2, 3)
CAP_DAYS = (1, 7, 30)
DATA_USES = (
    {"id": "tracking", "default": "off", "basis": CONSENT},
    {"id": "profiling", "default": "on", "basis": INTERESTS},
    {"id": "sale", "default": "prohibited"},
)

Table = Mapping[str, Any]


def a_policy(chance: Random) -> LoadedPolicy:
    return policy_of(_tables(chance))


def policy_of(tables: Table) -> LoadedPolicy:
    """The policy of tables that are written as TOML and read again."""
    return parse_policy("\n".join(_lines(tables)), f"{CONTROLLER}.toml", known_clauses=None)


def a_purpose(
    its_id: str,
    purpose_class: PurposeClass,
    business: str,
    personal: str,
    channels: Sequence[str] = ("email",),
    audiences: Sequence[str] = ("all",),
    succeeds: Sequence[str] = (),
    cap: tuple[int, int] | None = None,
) -> Table:
    """The table of a purpose; `cap` is a number of messages and of days."""
    rules = {} if cap is None else {"cap": {"count": cap[0], "days": cap[1], "clause": "CAP-1"}}
    return {
        "id": its_id,
        "label": its_id.capitalize(),
        "class": purpose_class.value,
        "audiences": list(audiences),
        "channels": list(channels),
        "basis": {"business": business, "personal": personal},
        "clause": {"business": f"{its_id.upper()}-1", "personal": f"{its_id.upper()}-2"},
        "succeeds": list(succeeds),
        **rules,
    }


def tables_of(purposes: Sequence[Table], clauses: Table, data_uses: Sequence[Table] = (), **changes: object) -> Table:
    return {
        "controller": {"id": CONTROLLER, "name": "Acme", "country": "GB", **changes},
        "clauses": clauses,
        "purpose": purposes,
        "data_use": [{"label": "A use", "audiences": ["all"], "clause": "USE-1", **use} for use in data_uses],
    }


def _tables(chance: Random) -> Table:
    ids = chance.sample(PURPOSES, chance.randint(1, 3))
    heirs = {name: chance.choice(ids) for name in SUCCEEDED}
    by_class = {"default": "NO-1", "recruitment": "NO-2", "administrative": "NO-3"}
    return tables_of(
        [_purpose(chance, its_id, [name for name, heir in heirs.items() if heir == its_id]) for its_id in ids],
        {reason.value: chance.choice(["NO-9", by_class]) for reason in RefusalReason},
        chance.sample(DATA_USES, chance.randint(0, 2)),
        unknown_class=chance.choice(list(AddressClass)).value,
        decision_ttl_hours=chance.choice([24, 24, 1]),
        bare_opt_out=chance.choice(["everything", "class"]),
    )


def _purpose(chance: Random, its_id: str, succeeds: Sequence[str]) -> Table:
    """Personal addresses need consent but for recruitment (HOUSE-1); administrative messages rest on the contract."""
    if its_id == "service":
        is_of, business, personal, cap = PurposeClass.ADMINISTRATIVE, CONTRACT, CONTRACT, None
    else:
        is_of = chance.choice([PurposeClass.PROMOTIONAL, PurposeClass.INFORMATIONAL, PurposeClass.RECRUITMENT])
        business = chance.choice([INTERESTS, CONSENT])
        personal = chance.choice([INTERESTS, CONSENT]) if is_of is PurposeClass.RECRUITMENT else CONSENT
        cap = chance.choice([None, (chance.choice(CAP_COUNTS), chance.choice(CAP_DAYS))])
    channels, audiences = chance.choice(CHANNELS), chance.choice(AUDIENCES)
    return a_purpose(its_id, is_of, business, personal, channels, audiences, succeeds, cap)


def _lines(tables: Table) -> Iterator[str]:
    """Tables as TOML, of which JSON's text, numbers and lists are a part."""
    for name, table in tables.items():
        for each in table if isinstance(table, list) else [table]:
            yield f"[[{name}]]" if isinstance(table, list) else f"[{name}]"
            yield from (f"{key} = {_value(value)}" for key, value in each.items())


def _value(value: object) -> str:
    if not isinstance(value, Mapping):
        return json.dumps(value)
    return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + " }"
