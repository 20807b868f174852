"""What a policy must mean, once its tables have their shape: the rules that no single value can break alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from prefcenter.domain.errors import Fault
from prefcenter.domain.policy import ALL_AUDIENCES, HARD_RULE_CLAUSE
from prefcenter.domain.terms import AddressClass, Basis, PurposeClass
from prefcenter.services.brand_checks import check_brand
from prefcenter.services.policy_document import RESERVED_TABLES
from prefcenter.services.policy_schema import (
    EXPECTED_OF_KEY,
    ClausesTable,
    ControllerTable,
    DataUseTable,
    FaultReport,
    PurposeTable,
    key_in_words,
    known_keys_in_words,
    read_table,
)

KNOWN_TABLES = ("controller", "clauses", "purpose", "data_use", *RESERVED_TABLES)
NEEDS_CONSENT_AT_PERSONAL_ADDRESSES = frozenset({PurposeClass.PROMOTIONAL, PurposeClass.INFORMATIONAL})
BASES_OF_DEFAULT: Mapping[str, frozenset[Basis | None]] = {
    "on": frozenset({Basis.LEGITIMATE_INTERESTS, Basis.CONTRACT}),
    "off": frozenset({Basis.CONSENT}),
    "prohibited": frozenset({None}),
}
MAX_RESERVED_DEPTH_LEVELS = 4
MAX_WHOLE_NUMBER = 2**53 - 1
"""The largest number that every reader of JSON keeps exactly."""
RESERVED_VALUE_IN_WORDS = (
    f"text, a whole number, true or false, or lists and tables of these at most {MAX_RESERVED_DEPTH_LEVELS} levels deep"
)
CITING_KEY = re.compile(r"[._]clause(\[\d+\])?$")


@dataclass(frozen=True, slots=True)
class ClauseCheck:
    """Which clauses may be cited; None where the register is not at hand, and then any well-formed id may."""

    known: frozenset[str] | None

    def check(self, clause: str, key: str, report: FaultReport) -> None:
        if self.known is not None and clause not in self.known:
            report.add(key, "a clause that docs/clauses.md, or a clauses.md beside the policy, lists")


def policy_faults(raw: Mapping[str, Any], file_name: str, known_clauses: frozenset[str] | None) -> tuple[Fault, ...]:
    """Every fault of a policy's tables, those of its shape and those of its meaning, section by section."""
    report = FaultReport(file_name)
    cite = ClauseCheck(known_clauses)
    for name in raw:
        if name not in KNOWN_TABLES:
            report.add(key_in_words(name), known_keys_in_words(KNOWN_TABLES))
    _check_controller(raw, report)
    _check_clauses(raw, cite, report)
    _check_purposes(raw, cite, report)
    _check_data_uses(raw, cite, report)
    _check_reserved_tables(raw, cite, report)
    check_brand(raw.get("brand"), report)
    _check_ids(_list_of_tables(raw, "purpose"), _list_of_tables(raw, "data_use"), report)
    return report.faults


def _check_controller(raw: Mapping[str, Any], report: FaultReport) -> None:
    if "controller" not in raw:
        report.add("controller", "required: " + EXPECTED_OF_KEY["controller"])
        return
    controller = read_table(ControllerTable, raw["controller"], "controller", report)
    if controller is not None and controller.id != PurePath(report.file).stem:
        report.add("controller.id", "the name of the file without `.toml`")


def _check_clauses(raw: Mapping[str, Any], cite: ClauseCheck, report: FaultReport) -> None:
    if "clauses" not in raw:
        report.add("clauses", "required: " + EXPECTED_OF_KEY["clauses"])
        return
    written = raw["clauses"]
    as_tables = written
    if isinstance(written, dict):
        as_tables = {key: {"default": value} if isinstance(value, str) else value for key, value in written.items()}
    own_report = FaultReport(report.file)
    clauses = read_table(ClausesTable, as_tables, "clauses", own_report)
    for fault in own_report.faults:
        reason = fault.key.removeprefix("clauses.").removesuffix(".default")
        written_as_text = isinstance(written, dict) and isinstance(written.get(reason), str)
        report.add(f"clauses.{reason}" if written_as_text else fault.key, fault.expected)
    if clauses is not None:
        _check_refusal_clauses(clauses, written, cite, report)


def _check_purposes(raw: Mapping[str, Any], cite: ClauseCheck, report: FaultReport) -> None:
    written = _list_of_tables(raw, "purpose")
    if not written:
        report.add("purpose", "at least one table `[[purpose]]`")
    read: dict[str, PurposeTable] = {}
    for place, table in enumerate(written, start=1):
        key = f"purpose[{place}]"
        purpose = read_table(PurposeTable, table, key, report)
        if purpose is not None:
            read[key] = purpose
            _check_purpose(purpose, key, cite, report)
    _check_succeeds(written, read, report)


def _check_data_uses(raw: Mapping[str, Any], cite: ClauseCheck, report: FaultReport) -> None:
    if not isinstance(raw.get("data_use", []), list):
        report.add("data_use", "tables `[[data_use]]`, or none")
    for place, table in enumerate(_list_of_tables(raw, "data_use"), start=1):
        key = f"data_use[{place}]"
        data_use = read_table(DataUseTable, table, key, report)
        if data_use is not None:
            _check_data_use(data_use, key, cite, report)


def _check_reserved_tables(raw: Mapping[str, Any], cite: ClauseCheck, report: FaultReport) -> None:
    for name in RESERVED_TABLES:
        if isinstance(table := raw.get(name, {}), dict):
            _check_reserved(table, name, cite, report)
        else:
            report.add(name, f"a table `[{name}]`")


def _list_of_tables(raw: Mapping[str, Any], name: str) -> list[Any]:
    tables = raw.get(name, [])
    return tables if isinstance(tables, list) else []


def _check_refusal_clauses(
    clauses: ClausesTable, raw: Mapping[str, object], cite: ClauseCheck, report: FaultReport
) -> None:
    """`raw` is the table as it was written: a clause given as plain text is named by its reason alone."""
    for reason, table in clauses.model_dump(exclude_none=True).items():
        for scope, clause in table.items():
            written_as_text = isinstance(raw[reason], str)
            cite.check(clause, f"clauses.{reason}" if written_as_text else f"clauses.{reason}.{scope}", report)


def _check_purpose(purpose: PurposeTable, key: str, cite: ClauseCheck, report: FaultReport) -> None:
    _check_set(purpose.channels, f"{key}.channels", report)
    _check_set(purpose.succeeds, f"{key}.succeeds", report)
    _check_audiences(purpose.audiences, f"{key}.audiences", report)
    for whose in AddressClass:
        _check_basis(purpose, whose, f"{key}.basis.{whose}", report)
        cite.check(getattr(purpose.clause, whose), f"{key}.clause.{whose}", report)
    if purpose.cap is not None:
        cite.check(purpose.cap.clause, f"{key}.cap.clause", report)
        if purpose.purpose_class is PurposeClass.ADMINISTRATIVE:
            report.add(f"{key}.cap", "no cap, for an administrative purpose is never capped")


def _check_data_use(data_use: DataUseTable, key: str, cite: ClauseCheck, report: FaultReport) -> None:
    _check_audiences(data_use.audiences, f"{key}.audiences", report)
    cite.check(data_use.clause, f"{key}.clause", report)
    allowed = BASES_OF_DEFAULT[data_use.default]
    if data_use.basis not in allowed:
        bases = " or ".join(sorted(f"`{basis}`" if basis else "no basis" for basis in allowed))
        report.add(f"{key}.basis", f"{bases}, for its default is `{data_use.default}`")


def _check_ids(purposes: Sequence[object], data_uses: Sequence[object], report: FaultReport) -> None:
    """Every id names one purpose or one data use, whatever else is wrong with the tables that carry it."""
    keyed = [(f"purpose[{place}]", _raw_id(table)) for place, table in enumerate(purposes, start=1)]
    keyed += [(f"data_use[{place}]", _raw_id(table)) for place, table in enumerate(data_uses, start=1)]
    seen: set[str] = set()
    for key, its_id in keyed:
        if its_id in seen:
            report.add(f"{key}.id", "an id that no other purpose or data use has")
        if its_id is not None:
            seen.add(its_id)


def _check_succeeds(purposes: Sequence[object], read: Mapping[str, PurposeTable], report: FaultReport) -> None:
    """`read` holds the purposes that have their shape by their key, `purposes` all of them as they were written."""
    standing = {_raw_id(table) for table in purposes}
    for key, purpose in read.items():
        for place, succeeded in enumerate(purpose.succeeds, start=1):
            if succeeded in standing:
                report.add(f"{key}.succeeds[{place}]", "a purpose that was removed, not one that still stands here")


def _check_reserved(table: object, key: str, cite: ClauseCheck, report: FaultReport) -> None:
    """Reserved tables hold keys of the controller's choosing; only what JSON keeps exactly may stand there.

    A key `clause`, or one that ends in `_clause`, cites one clause or a list of them, checked like any other.
    """
    for leaf_key, value in _leaves(table, key):
        if CITING_KEY.search(leaf_key):
            if isinstance(value, str):
                cite.check(value, leaf_key, report)
            else:
                report.add(leaf_key, "the id of a clause, such as `OC-1`")
        elif not (isinstance(value, str) or (isinstance(value, int) and abs(value) <= MAX_WHOLE_NUMBER)):
            report.add(leaf_key, RESERVED_VALUE_IN_WORDS)


def _leaves(value: object, key: str, depth: int = 0) -> Iterator[tuple[str, object]]:
    """Every plain value under a key; what lies too deep comes out whole, and is then no plain value."""
    if isinstance(value, dict) and depth < MAX_RESERVED_DEPTH_LEVELS:
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{key_in_words(name)}", depth + 1)
    elif isinstance(value, list) and depth < MAX_RESERVED_DEPTH_LEVELS:
        for place, inner in enumerate(value, start=1):
            yield from _leaves(inner, f"{key}[{place}]", depth + 1)
    else:
        yield key, value


def _check_basis(purpose: PurposeTable, whose: AddressClass, key: str, report: FaultReport) -> None:
    basis: Basis = getattr(purpose.basis, whose)
    purpose_class = purpose.purpose_class
    if purpose_class is PurposeClass.ADMINISTRATIVE:
        if basis is not Basis.CONTRACT:
            report.add(key, "`contract`, for the purpose is administrative")
    elif whose is AddressClass.PERSONAL and purpose_class in NEEDS_CONSENT_AT_PERSONAL_ADDRESSES:
        if basis is not Basis.CONSENT:
            report.add(key, f"`consent`, for the purpose is {purpose_class} ({HARD_RULE_CLAUSE})")
    elif basis is Basis.CONTRACT:
        report.add(key, f"`consent` or `legitimate_interests`, for the purpose is {purpose_class}")


def _check_audiences(audiences: Sequence[str], key: str, report: FaultReport) -> None:
    _check_set(audiences, key, report)
    if ALL_AUDIENCES in audiences and len(audiences) > 1:
        report.add(key, "`all` alone, or the audiences by name")


def _check_set(values: Sequence[str], key: str, report: FaultReport) -> None:
    if any(count > 1 for count in Counter(values).values()):
        report.add(key, "a list that names nothing twice")


def _raw_id(table: object) -> str | None:
    its_id = table.get("id") if isinstance(table, dict) else None
    return its_id if isinstance(its_id, str) else None
