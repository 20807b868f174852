"""What an erasure takes: the contact, its plaintext and every record of the person, but none of anybody else's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import UnknownContact
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import Channel, RefusalReason
from prefcenter.services.acts import Outcome
from prefcenter.services.targets import Addressee, ContactId
from tests.factories import DAY, NOW
from tests.running_home import RunningHome
from tests.unit.services.asking import (
    CONTROLLER,
    HOME,
    OFFICE,
    OTHER,
    a_consent,
    held_by,
    reason,
    record_of_contact,
    recording_of,
    records_of,
    target_of,
    upsert,
)

CRM = ContactId("crm-1")
ERASED = RefusalReason.ERASED


def erase(home: RunningHome, whom: Addressee) -> Outcome:
    return home.run(recording_of(home).suppress(whom, ERASED, EVERYTHING, "request"))


def sealed_of(home: RunningHome, *subjects: Digest) -> int:
    return len(home.run(home.services.store.load_sealed(CONTROLLER, subjects)))


def send_capped(home: RunningHome, *addresses: str) -> None:
    """Send one message to each, of a purpose that may send no second one."""
    text = (home.settings.policies / f"{CONTROLLER}.toml").read_text("utf-8")
    marker = 'id = "client-marketing"\n'
    assert text.count(marker) == 1
    capped = text.replace(marker, marker + 'cap = { count = 1, days = 30, clause = "OC-1" }\n')
    home.adopt(CONTROLLER, capped)
    home.run(home.of(CONTROLLER).sending.record("client-marketing", Channel.EMAIL, "spring", addresses))


def sends_to(home: RunningHome, *addresses: str) -> Mapping[Digest, Sequence[int]]:
    subjects = [subject for address in addresses for subject in target_of(home, address).records_of]
    return home.run(home.services.store.sends(CONTROLLER, "client-marketing", subjects, 0))


@pytest.mark.parametrize("whom", [HOME, "pat+x@home.example", CRM])
def test_an_erasure_takes_the_contact_and_all_its_addresses(home: RunningHome, whom: Addressee) -> None:
    upsert(home, HOME, OFFICE)
    for address in (HOME, OFFICE):
        home.run(recording_of(home).record_consent(address, a_consent()))
    contact = record_of_contact(home)
    assert sealed_of(home, contact.subject) == 1
    assert erase(home, whom) is Outcome.RECORDED
    for record in (*records_of(home, HOME), *records_of(home, OFFICE), record_of_contact(home)):
        assert [refusal.reason for refusal in record.refusals] == [ERASED]
        assert (record.grants, record.holders, record.description) == ((), (), None)
    assert sealed_of(home, contact.subject) == 0
    assert home.run(home.of(CONTROLLER).contacts.get("crm-1")) is None
    assert {reason(home, HOME), reason(home, OFFICE)} == {"erased"}
    assert home.audit_findings() == []


def test_the_feed_shows_neither_bodies_nor_the_id_of_an_erased_contact(home: RunningHome) -> None:
    upsert(home, HOME)
    erase(home, CRM)
    page = home.run(home.of(CONTROLLER).feed.page(None, 100))
    assert {event.contact_id for event in page.events} == {None}
    assert [event.event for event in page.events if event.version == 1] == [None, None]


def test_a_contact_that_shares_an_address_goes_on_without_it(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    upsert(home, "pat+x@office.example", OTHER, contact_id="crm-2")
    erase(home, CRM)
    assert held_by(home, "crm-2") == [OTHER]
    assert [len(record.holders) for record in records_of(home, OFFICE)] == [0]
    assert (reason(home, OFFICE), reason(home, OTHER)) == ("erased", "permitted")
    home.run(recording_of(home).opt_out(ContactId("crm-2"), EVERYTHING, "page"))
    assert reason(home, OTHER) == "opted_out"
    assert home.audit_findings() == []


def test_an_erasure_of_an_address_that_two_contacts_hold_takes_it_from_both(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    upsert(home, HOME, OTHER, contact_id="crm-2")
    erase(home, HOME)
    assert (held_by(home), held_by(home, "crm-2")) == ([OFFICE], [OTHER])
    assert [reason(home, address) for address in (HOME, OFFICE, OTHER)] == ["erased", "permitted", "permitted"]


def test_an_erasure_by_contact_reaches_what_its_addresses_did_under_every_key(home: RunningHome) -> None:
    home.run(recording_of(home).record_consent(OFFICE, a_consent()))
    home.rotate_keys()
    upsert(home, HOME, OFFICE)
    home.rotate_keys()
    home.run(recording_of(home).record_consent(OFFICE, a_consent()))
    erase(home, CRM)
    records = records_of(home, OFFICE)
    assert len(records) == 3
    assert all((record.grants, record.holders) == ((), ()) for record in records)
    assert home.audit_findings() == []


def test_a_contact_that_shared_an_address_forgets_it_across_a_rotation_of_keys(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    upsert(home, OFFICE, OTHER, contact_id="crm-2")
    home.rotate_keys()
    erase(home, CRM)
    assert held_by(home, "crm-2") == [OTHER]
    upsert(home, contact_id="crm-2")
    assert [record.holders for record in records_of(home, OTHER)] == [()]
    assert home.audit_findings() == []


def test_a_contact_that_was_erased_is_made_anew_under_the_same_id_and_takes_the_erasure_over(home: RunningHome) -> None:
    upsert(home, HOME)
    erase(home, CRM)
    home.now_ms = NOW + DAY
    assert upsert(home, OFFICE) is Outcome.RECORDED
    assert held_by(home) == [OFFICE]
    assert reason(home, OFFICE) == "erased"
    assert reason(home, OFFICE, "contract-service") == "permitted"


def test_administrative_messages_go_to_an_erased_address_once_a_later_contact_holds_it(home: RunningHome) -> None:
    upsert(home, HOME)
    erase(home, HOME)
    assert reason(home, HOME, "contract-service") == "erased"
    home.now_ms = NOW + DAY
    upsert(home, HOME, contact_id="crm-2")
    assert (reason(home, HOME, "contract-service"), reason(home, HOME)) == ("permitted", "erased")


def test_an_erased_contact_is_not_erased_again(home: RunningHome) -> None:
    upsert(home, HOME)
    erase(home, CRM)
    with pytest.raises(UnknownContact):
        erase(home, CRM)


def test_what_only_an_administrator_lifts_stays_at_every_address(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    home.run(recording_of(home).suppress(CRM, RefusalReason.MINOR, EVERYTHING, "parent"))
    home.run(recording_of(home).suppress(OFFICE, RefusalReason.BOUNCED, EVERYTHING, "mail-server"))
    erase(home, HOME)
    assert {reason(home, HOME), reason(home, OFFICE)} == {"minor"}
    assert RefusalReason.BOUNCED in {refusal.reason for refusal in records_of(home, OFFICE)[0].refusals}


def test_an_erasure_takes_the_sends_of_every_address(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    send_capped(home, HOME, OFFICE)
    assert {reason(home, HOME), reason(home, OFFICE)} == {"frequency_cap"}
    erase(home, CRM)
    assert sends_to(home, HOME, OFFICE) == {}


@pytest.mark.parametrize("whom", [OFFICE, CRM])
def test_an_erasure_takes_sends_that_were_noted_under_a_key_of_which_the_person_has_no_record(
    home: RunningHome, whom: Addressee
) -> None:
    send_capped(home, HOME, OFFICE, OTHER)
    home.rotate_keys()
    upsert(home, HOME, OFFICE)
    assert {reason(home, address) for address in (HOME, OFFICE, OTHER)} == {"frequency_cap"}
    erase(home, whom)
    assert sends_to(home, HOME, OFFICE) == {}
    assert len(sends_to(home, OTHER)) == 1
