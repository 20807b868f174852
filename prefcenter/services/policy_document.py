"""A validated policy as the one canonical JSON text that the store keeps and the version is taken from.

This module needs no schema library: a command that reads the policy in force from the store stays quick.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from prefcenter.domain.errors import Fault, InvalidPolicy
from prefcenter.domain.policy import Cap, DataUse, Policy, Purpose, RefusalClause
from prefcenter.domain.terms import AddressClass, Basis, Channel, PurposeClass, RefusalReason

VERSION_LENGTH_HEX_DIGITS = 16
RESERVED_TABLES = ("rights", "retention", "region", "brand")
DEFAULT_UNKNOWN_CLASS = AddressClass.PERSONAL
DEFAULT_DECISION_TTL_HOURS = 24
DEFAULT_BARE_OPT_OUT: Final = "everything"
STORED_POLICY = "stored policy"
"""What a fault names as its file when a document from the store cannot be read."""


@dataclass(frozen=True)
class LoadedPolicy(Policy):
    """A policy with the document it was read from, which also holds the tables that no decision needs."""

    document: str

    @property
    def tables(self) -> dict[str, Any]:
        """The whole policy as plain data, the reserved tables `rights`, `retention`, `region` and `brand` included."""
        tables: dict[str, Any] = json.loads(self.document)
        return tables


def canonical_json(tables: Mapping[str, Any]) -> str:
    """Sorted keys, no blanks, no escapes beyond what JSON demands; purposes, data uses and sets in sorted order."""
    return json.dumps(_in_canonical_order(tables), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def completed(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The tables as they were written, with what was left out filled in and each clause of a reason a table."""
    controller = {
        "unknown_class": DEFAULT_UNKNOWN_CLASS,
        "decision_ttl_hours": DEFAULT_DECISION_TTL_HOURS,
        "bare_opt_out": DEFAULT_BARE_OPT_OUT,
        **raw["controller"],
    }
    clauses = raw["clauses"].items()
    return {
        # An empty table says nothing, so the policy is the same, and so is its version, as without it.
        **{name: table for name, table in raw.items() if name not in RESERVED_TABLES or table != {}},
        "controller": controller,
        "clauses": {reason: {"default": clause} if isinstance(clause, str) else clause for reason, clause in clauses},
        "purpose": [{"succeeds": [], **table} for table in raw["purpose"]],
        "data_use": raw.get("data_use", []),
    }


def says_the_same(raw: Mapping[str, Any], document: str) -> bool:
    """Whether tables, checked or not, mean just what a validated document says, and so are valid themselves.

    Nothing that breaks the format can: whatever is not filled in or sorted stands in the JSON as it was written.
    """
    try:
        return canonical_json(completed(raw)) == document
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return False


def policy_document(policy: LoadedPolicy) -> str:
    """The canonical JSON of the whole policy; `policy_from_document` gives back an equal policy."""
    return policy.document


def policy_from_document(json_text: str) -> LoadedPolicy:
    """The policy of a document that was validated when it was written.

    Raises InvalidPolicy when the text is no such document. Rules that were added since do not apply to it: a policy
    that is in force stays readable, so that its successor can be compared with it.
    """
    try:
        return policy_from_tables(json.loads(json_text))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        fault = Fault(STORED_POLICY, "document", "a policy document that this program wrote")
        raise InvalidPolicy((fault,)) from error


def policy_from_tables(tables: Mapping[str, Any]) -> LoadedPolicy:
    """The policy that validated tables describe, with its version."""
    document = canonical_json(tables)
    ordered = json.loads(document)
    controller = ordered["controller"]
    return LoadedPolicy(
        controller=controller["id"],
        name=controller["name"],
        country=controller["country"],
        unknown_class=AddressClass(controller["unknown_class"]),
        decision_ttl_hours=controller["decision_ttl_hours"],
        bare_opt_out=controller["bare_opt_out"],
        purposes=tuple(_purpose(table) for table in ordered["purpose"]),
        data_uses=tuple(_data_use(table) for table in ordered["data_use"]),
        refusal_clauses={RefusalReason(reason): _refusal_clause(table) for reason, table in ordered["clauses"].items()},
        version=sha256(document.encode()).hexdigest()[:VERSION_LENGTH_HEX_DIGITS],
        document=document,
    )


def _in_canonical_order(tables: Mapping[str, Any]) -> dict[str, Any]:
    purposes = [_with_sorted(table, "audiences", "channels", "succeeds") for table in _list(tables["purpose"])]
    data_uses = [_with_sorted(table, "audiences") for table in _list(tables["data_use"])]
    return {**tables, "purpose": sorted(purposes, key=_id), "data_use": sorted(data_uses, key=_id)}


def _with_sorted(table: Mapping[str, Any], *set_keys: str) -> dict[str, Any]:
    return {**table, **{key: sorted(_list(table[key])) for key in set_keys}}


def _list(value: Any) -> list[Any]:
    # Text and tables can be walked and sorted as well, and must not pass for the list of their parts.
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _id(table: Mapping[str, Any]) -> str:
    return str(table["id"])


def _purpose(table: Mapping[str, Any]) -> Purpose:
    cap = table.get("cap")
    return Purpose(
        id=table["id"],
        label=table["label"],
        purpose_class=PurposeClass(table["class"]),
        audiences=frozenset(table["audiences"]),
        channels=frozenset(Channel(channel) for channel in table["channels"]),
        basis={AddressClass(whose): Basis(basis) for whose, basis in table["basis"].items()},
        clause={AddressClass(whose): clause for whose, clause in table["clause"].items()},
        succeeds=frozenset(table["succeeds"]),
        cap=None if cap is None else Cap(cap["count"], cap["days"], cap["clause"]),
    )


def _data_use(table: Mapping[str, Any]) -> DataUse:
    basis = table.get("basis")
    return DataUse(
        id=table["id"],
        label=table["label"],
        basis=None if basis is None else Basis(basis),
        audiences=frozenset(table["audiences"]),
        clause=table["clause"],
    )


def _refusal_clause(table: Mapping[str, str]) -> RefusalClause:
    by_class = {PurposeClass(key): clause for key, clause in table.items() if key != "default"}
    return RefusalClause(table["default"], by_class)
