"""Policies read from TOML files, checked whole: every fault of every file is found before any is reported."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prefcenter.domain.errors import Fault, InvalidPolicy
from prefcenter.domain.policy import Policy
from prefcenter.domain.succession import succession_faults
from prefcenter.services.clause_register import REGISTER_NAME, clauses_file, known_clauses
from prefcenter.services.policy_document import (
    LoadedPolicy,
    completed,
    policy_document,
    policy_from_document,
    policy_from_tables,
    says_the_same,
)

__all__ = [
    "LoadedPolicy",
    "clauses_file",
    "known_clauses",
    "load_policies",
    "load_policy",
    "parse_policy",
    "policy_document",
    "policy_from_document",
    "starter_policy_text",
]

MAX_FILE_SIZE_BYTES = 1_000_000
STARTER_POLICY_FILE_NAME = "my-organisation.toml"
"""The name under which `init` writes the starter policy; its stem is the controller's id."""

_NO_POLICIES: Mapping[str, Policy] = MappingProxyType({})


def starter_policy_text() -> str:
    """The commented policy that a home without policies of its own starts from."""
    return Path(__file__).with_name("starter_policy.toml").read_text(encoding="utf-8")


def load_policies(
    directory: Path, *, known_clauses: frozenset[str] | None, in_force: Mapping[str, Policy] = _NO_POLICIES
) -> Mapping[str, LoadedPolicy]:
    """The policies of all `*.toml` files of a directory, by controller; hidden files are left alone.

    `known_clauses` are the ids that may be cited, beside those of a `clauses.md` in the directory; None lets any
    well-formed id pass. `in_force` are the policies that the new ones replace: what would reopen a refusal is a fault.
    Raises InvalidPolicy with the faults of all files at once.
    """
    paths = _policy_paths(directory)
    faults: list[Fault] = []
    try:
        known_clauses = _with_own_clauses(directory, known_clauses)
    except InvalidPolicy as error:
        # Without the register every citation of an own clause would be a fault too, and none of them true.
        faults += error.faults
        known_clauses = None
    policies: dict[str, LoadedPolicy] = {}
    for path in paths:
        try:
            policy = parse_policy(_text(path), path.name, known_clauses=known_clauses)
        except InvalidPolicy as error:
            faults += error.faults
        else:
            policies[policy.controller] = policy
            faults += _succession_faults(policy, path.name, in_force)
    if faults:
        raise InvalidPolicy(tuple(faults))
    return policies


def load_policy(
    path: Path, *, known_clauses: frozenset[str] | None, in_force_document: str | None = None
) -> LoadedPolicy:
    """The policy of one file, which may also cite the clauses of a `clauses.md` beside it.

    Where the file says what the document of the policy in force says, which was checked when it came into force, it
    is not checked again: a command that asks for one decision has no time to load what checks a policy.
    """
    raw = _toml(_text(path), path.name)
    if in_force_document is not None and says_the_same(raw, in_force_document):
        return policy_from_document(in_force_document)
    return _checked(raw, path.name, _with_own_clauses(path.parent, known_clauses))


def parse_policy(text: str, file_name: str, *, known_clauses: frozenset[str] | None) -> LoadedPolicy:
    """The policy of a TOML text; the stem of `file_name` must be the controller's id. Raises InvalidPolicy."""
    return _checked(_toml(text, file_name), file_name, known_clauses)


def _checked(raw: Mapping[str, Any], file_name: str, clauses: frozenset[str] | None) -> LoadedPolicy:
    # Imported here because the schema library takes longer to load than everything else that a decision needs.
    from prefcenter.services.policy_checks import policy_faults

    if faults := policy_faults(raw, file_name, clauses):
        raise InvalidPolicy(faults)
    return policy_from_tables(completed(raw))


def _policy_paths(directory: Path) -> list[Path]:
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == ".toml" and path.name[0] != ".")
    except OSError as error:
        raise InvalidPolicy((Fault(directory.name, "directory", "a directory that can be read"),)) from error
    if not paths:
        raise InvalidPolicy((Fault(directory.name, "directory", "at least one policy in a file `<controller>.toml`"),))
    return paths


def _with_own_clauses(directory: Path, shipped: frozenset[str] | None) -> frozenset[str] | None:
    register = directory / REGISTER_NAME
    return shipped if shipped is None or not register.exists() else shipped | known_clauses(register)


def _succession_faults(policy: Policy, file_name: str, in_force: Mapping[str, Policy]) -> tuple[Fault, ...]:
    last = in_force.get(policy.controller)
    return () if last is None else succession_faults(last, policy, file_name)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_SIZE_BYTES + 1)
    except OSError as error:
        raise InvalidPolicy((Fault(path.name, "file", "a file that can be read"),)) from error
    if len(content) > MAX_FILE_SIZE_BYTES:
        raise InvalidPolicy((Fault(path.name, "file", f"at most {MAX_FILE_SIZE_BYTES} bytes"),))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidPolicy((Fault(path.name, "file", "text in UTF-8"),)) from error


def _toml(text: str, file_name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # The parser's own words may quote the file, so only the place is taken from them.
        place = re.search(r"\(at (line \d+|end of document)", str(error))
        raise InvalidPolicy((Fault(file_name, place[1] if place else "file", "TOML that can be read"),)) from error
