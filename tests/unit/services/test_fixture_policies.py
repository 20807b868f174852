"""The five controllers' policies say exactly what was promised: the tables of purposes and data uses, row by row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from prefcenter.domain.policy import Cap, DataUse, Policy, Purpose
from prefcenter.domain.terms import AddressClass, Basis, Channel, PurposeClass, RefusalReason
from prefcenter.services.policy_files import LoadedPolicy, clauses_file, known_clauses, load_policies

ROOT = Path(__file__).resolve().parents[3]

# controller | purpose | class | audiences | channels | basis, clause for business | basis, clause for personal
PURPOSES = """
one-contact-center | client-marketing | promotional | client prospect | email sms voice post | LI OCC-14 | C HOUSE-1
one-contact-center | client-surveys | informational | client | email voice | LI OCC-13 | C HOUSE-1
one-contact-center | industry-topics | promotional | app_user | push | C OCC-4 | C OCC-4
one-contact-center | live-events | informational | app_user | push | C OCC-4 | C OCC-4
one-contact-center | alumni-events | informational | alumni | email sms post | LI OCC-8 | C HOUSE-1
one-contact-center | alumni-publications | informational | alumni | email post | LI OCC-8 | C HOUSE-1
one-contact-center | alumni-employment | informational | alumni | email sms | LI OCC-8 | C HOUSE-1
one-contact-center | alumni-industry | promotional | alumni | email voice | LI OCC-9 | C HOUSE-1
one-contact-center | career-opportunities | recruitment | candidate | email sms | LI OCC-12 | LI OCC-12
one-contact-center | account-service | administrative | all | email sms | K OCC-14 | K OCC-14
contact-center-1 | promotional-email | promotional | user | email | C CC1-1 | C CC1-1
contact-center-1 | informational-email | informational | user | email | C CC1-1 | C CC1-1
contact-center-1 | account-administration | administrative | user | email sms post | K CC1-2 | K CC1-2
opencontact | client-marketing | promotional | client prospect | email sms voice post | LI OC-1 | C OC-3
opencontact | candidate-contact | recruitment | candidate | email sms voice | LI OC-2 | LI OC-2
opencontact | contract-service | administrative | client | email voice post | K OC-9 | K OC-9
openscape | statement-changes | administrative | user | email | K UN-5 | K UN-5
openscape | support | administrative | user | email voice | K UN-1 | K UN-1
contact-centre-community | member-news | promotional | member | email | C TCC-1 | C TCC-1
contact-centre-community | event-invitations | informational | member | email | C TCC-1 | C TCC-1
contact-centre-community | membership | administrative | member | email | K TCC-5 | K TCC-5
"""

# controller | data use | default | basis | clause | audiences
DATA_USES = """
one-contact-center | email-tracking | off | C | OCC-3 | all
one-contact-center | profiling | on | LI | OCC-6 | all
one-contact-center | agency-sharing | on | LI | OCC-7 | all
one-contact-center | sales-crm-sharing | on | LI | OCC-9 | alumni
one-contact-center | alumni-directory | on | LI | OCC-10 | alumni
one-contact-center | event-recording | off | C | OCC-17 | all
contact-center-1 | targeted-advertising | prohibited | - | CC1-3 | all
contact-center-1 | sale | prohibited | - | CC1-11 | all
contact-center-1 | profiling | prohibited | - | CC1-3 | all
contact-center-1 | sensitive-data | off | C | CC1-13 | all
contact-center-1 | representative-sharing | off | C | CC1-11 | all
contact-centre-community | publish-requests | off | C | TCC-7 | all
"""

# controller | country | bare opt-out | clause of a refusal, of a refusal of recruitment
CONTROLLERS = """
one-contact-center | US | everything | OCC-2 | OCC-2
contact-center-1 | US | class | CC1-1 | CC1-1
opencontact | GB | everything | OC-1 | OC-2
openscape | DE | everything | UN-6 | UN-6
contact-centre-community | GB | everything | TCC-1 | TCC-1
"""

# controller | table | key | value
RESERVED = """
one-contact-center | rights | answered_within | P1M
one-contact-center | rights | extended_by | P2M
one-contact-center | retention | dormant_after | per_relationship
contact-center-1 | rights | answered_within | P45D
contact-center-1 | rights | answered_within_where_law_is_stricter | P15D
contact-center-1 | rights | extended_by | P45D
contact-center-1 | rights | minors_under_years | 16
contact-center-1 | retention | dormant_after | P6Y
contact-center-1 | region | states | CA CO CT DE IA MT NE NH NJ OR TX UT VA
opencontact | rights | answered_within | P28D
opencontact | rights | extended_by | -
opencontact | retention | dormant_after | per_relationship
opencontact | region | data_stays_in | EEA
openscape | rights | answered_within | P1M
openscape | rights | extended_by | P2M
openscape | rights | approved_by | organisation
contact-centre-community | rights | answered_within | P1M
contact-centre-community | rights | extended_by | P2M
contact-centre-community | retention | dormant_after | per_kind_of_data
"""

BASIS = {"LI": Basis.LEGITIMATE_INTERESTS, "C": Basis.CONSENT, "K": Basis.CONTRACT, "-": None}
CAPS = dict.fromkeys(("member-news", "event-invitations"), Cap(count=4, days=30, clause="TCC-2"))
PROMISED_CLAUSES = {"OCC": 20, "CC1": 13, "OC": 12, "UN": 7, "TCC": 7, "HOUSE": 1}


def rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]


@pytest.fixture(scope="module")
def policies() -> dict[str, LoadedPolicy]:
    return dict(load_policies(ROOT / "fixtures" / "policies", known_clauses=known_clauses(clauses_file())))


def purpose_of_row(cells: list[str]) -> dict[str, object]:
    _, purpose, purpose_class, audiences, channels, business, personal = cells
    stated = {AddressClass.BUSINESS: business.split(), AddressClass.PERSONAL: personal.split()}
    return {
        "id": purpose,
        "purpose_class": PurposeClass(purpose_class),
        "audiences": frozenset(audiences.split()),
        "channels": frozenset(Channel(channel) for channel in channels.split()),
        "basis": {whose: BASIS[basis] for whose, (basis, _) in stated.items()},
        "clause": {whose: clause for whose, (_, clause) in stated.items()},
        "succeeds": frozenset(),
        "cap": CAPS.get(purpose),
    }


def facts_of(entry: Purpose | DataUse, names: dict[str, object]) -> dict[str, object]:
    return {name: getattr(entry, name) for name in names}


@pytest.mark.parametrize("cells", rows(PURPOSES), ids=lambda cells: f"{cells[0]} {cells[1]}")
def test_a_purpose_is_as_promised(cells: list[str], policies: dict[str, LoadedPolicy]) -> None:
    promised = purpose_of_row(cells)
    assert facts_of(policies[cells[0]].purpose_by_id[cells[1]], promised) == promised


@pytest.mark.parametrize("cells", rows(DATA_USES), ids=lambda cells: f"{cells[0]} {cells[1]}")
def test_a_data_use_is_as_promised(cells: list[str], policies: dict[str, LoadedPolicy]) -> None:
    controller, data_use, default, basis, clause, audiences = cells
    promised: dict[str, object] = {
        "id": data_use,
        "basis": BASIS[basis],
        "clause": clause,
        "audiences": frozenset(audiences.split()),
    }
    assert facts_of(policies[controller].data_use_by_id[data_use], promised) == promised
    stated = {table["id"]: table["default"] for table in policies[controller].tables["data_use"]}
    assert stated[data_use] == default


def test_there_is_nothing_but_what_was_promised(policies: dict[str, LoadedPolicy]) -> None:
    assert list(policies) == sorted(cells[0] for cells in rows(CONTROLLERS))
    purposes = {(policy.controller, purpose.id) for policy in policies.values() for purpose in policy.purposes}
    assert purposes == {(cells[0], cells[1]) for cells in rows(PURPOSES)}
    data_uses = {(policy.controller, data_use.id) for policy in policies.values() for data_use in policy.data_uses}
    assert data_uses == {(cells[0], cells[1]) for cells in rows(DATA_USES)}


@pytest.mark.parametrize("cells", rows(CONTROLLERS), ids=lambda cells: cells[0])
def test_a_controller_refuses_as_promised(cells: list[str], policies: dict[str, LoadedPolicy]) -> None:
    controller, country, bare_opt_out, clause, recruitment_clause = cells
    policy = policies[controller]
    assert (policy.country, policy.bare_opt_out) == (country, bare_opt_out)
    assert (policy.unknown_class, policy.decision_ttl_hours) == (AddressClass.PERSONAL, 24)
    assert set(policy.refusal_clauses) == set(RefusalReason)
    for reason in (RefusalReason.OPTED_OUT, RefusalReason.COMPLAINED, RefusalReason.ERASED):
        assert policy.refusal_clauses[reason].for_class(None) == clause
        assert policy.refusal_clauses[reason].for_class(PurposeClass.RECRUITMENT) == recruitment_clause


def test_reasons_with_a_promise_of_their_own_cite_it(policies: dict[str, LoadedPolicy]) -> None:
    assert policies["contact-center-1"].refusal_clause(RefusalReason.MINOR, None) == "CC1-9"
    assert policies["contact-centre-community"].refusal_clause(RefusalReason.RESTRICTED, None) == "TCC-7"


@pytest.mark.parametrize("cells", rows(RESERVED), ids=lambda cells: " ".join(cells[:3]))
def test_rights_retention_and_region_are_as_promised(cells: list[str], policies: dict[str, LoadedPolicy]) -> None:
    controller, table, key, promised = cells
    stated = policies[controller].tables[table].get(key, "-")
    assert (" ".join(stated) if isinstance(stated, list) else str(stated)) == promised


def test_the_register_lists_every_promise_once() -> None:
    promised = {f"{prefix}-{number}" for prefix, last in PROMISED_CLAUSES.items() for number in range(1, last + 1)}
    assert known_clauses(clauses_file()) == promised


def cited_by(policy: Policy) -> set[str]:
    purposes = {clause for purpose in policy.purposes for clause in purpose.clause.values()}
    by_reason = policy.refusal_clauses.values()
    reasons = {clause for reason in by_reason for clause in (reason.default, *reason.by_class.values())}
    return purposes | reasons | {data_use.clause for data_use in policy.data_uses}


def test_a_controller_cites_its_own_promises_and_the_house_rule_only(policies: dict[str, LoadedPolicy]) -> None:
    prefixes = {
        controller: {re.sub(r"-\d+$", "", clause) for clause in cited_by(policy)} - {"HOUSE"}
        for controller, policy in policies.items()
    }
    assert prefixes == {
        "one-contact-center": {"OCC"},
        "contact-center-1": {"CC1"},
        "opencontact": {"OC"},
        "openscape": {"UN"},
        "contact-centre-community": {"TCC"},
    }
