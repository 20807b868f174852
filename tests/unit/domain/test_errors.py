"""Facts about the one tree of errors: stable codes, and messages that quote nobody's address."""

from __future__ import annotations

import pytest

from prefcenter.domain import errors
from prefcenter.domain.errors import Fault, InvalidAddress, InvalidPolicy, PrefcenterError

CODES = {
    "PrefcenterError": "fault",
    "InvalidInput": "invalid_input",
    "InvalidAddress": "invalid_address",
    "InvalidTime": "invalid_time",
    "InvalidList": "invalid_list",
    "InvalidPolicy": "invalid_policy",
    "InvalidLink": "invalid_link",
    "UnknownContact": "unknown_contact",
    "ActRefused": "act_refused",
    "IdempotencyConflict": "idempotency_conflict",
    "MailUnavailable": "mail_unavailable",
    "KeyringError": "keyring",
    "StoreError": "store",
    "VersionConflict": "version_conflict",
    "StoreBusy": "store_busy",
    "StoreFull": "store_full",
    "StoreReadOnly": "store_read_only",
    "StoreTooNew": "store_too_new",
    "StoreDamaged": "store_damaged",
}
TREE: dict[str, type[PrefcenterError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, PrefcenterError)
}


def test_every_error_has_a_code_of_its_own() -> None:
    assert {name: kind.code for name, kind in TREE.items()} == CODES


@pytest.mark.parametrize("name", CODES)
def test_every_error_is_one_of_ours_and_is_drawn_in_the_tree(name: str) -> None:
    assert issubclass(TREE[name], PrefcenterError)
    assert TREE[name] is PrefcenterError or f"─ {name} " in str(errors.__doc__).replace("\n", " \n")


def test_an_invalid_address_says_why() -> None:
    assert (InvalidAddress("has no domain").why, str(InvalidAddress("has no domain"))) == ("has no domain",) * 2


def test_an_invalid_policy_lists_all_its_faults_a_line_each() -> None:
    faults = (Fault("acme.toml", "controller.id", "a slug"), Fault("acme.toml", "clauses", "one for each reason"))
    error = InvalidPolicy(faults)
    assert error.faults == faults
    assert str(error) == "acme.toml: controller.id: a slug\nacme.toml: clauses: one for each reason"
