"""What is kept of contacts: whole, encrypted, named by the CRM's own id, with audiences of the policy only."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing

import pytest

from prefcenter.domain.contact import Holder
from prefcenter.domain.errors import InvalidAddress, InvalidInput, StoreDamaged, UnknownContact
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import AddressClass, Channel, RefusalReason
from prefcenter.services.acts import Outcome
from prefcenter.services.contact_files import Contact, ContactAddress
from prefcenter.services.contacts import ADDRESSES_MAX, Contacts
from prefcenter.services.targets import ContactId
from tests.factories import DAY, NOW
from tests.plaintext_search import Searched
from tests.running_home import RunningHome
from tests.unit.services.asking import (
    CONTROLLER,
    HOME,
    OFFICE,
    OTHER,
    PHONE,
    a_contact,
    by_email,
    events_of,
    held_by,
    reason,
    record_of_contact,
    records_of,
    upsert,
)
from tests.unit.services.contested import contacts_on, overtaken_store, store_path

BUSINESS, PERSONAL = AddressClass.BUSINESS, AddressClass.PERSONAL


def contacts_of(home: RunningHome) -> Contacts:
    return home.of(CONTROLLER).contacts


def test_a_contact_is_read_back_as_it_was_given(home: RunningHome) -> None:
    address = ContactAddress(Channel.POST, "Pat Doe, 1 High Street, Leeds, LS1 4AP", PERSONAL)
    given = Contact("crm-1", (by_email("Pat+News@Office.example", BUSINESS), address), ("client",), "fair", "sales")
    assert home.run(contacts_of(home).upsert(given)) is Outcome.RECORDED
    found = home.run(contacts_of(home).get("crm-1"))
    assert found is not None
    assert found.contact == given
    assert found.subject == record_of_contact(home).subject


def test_a_contact_that_nobody_made_is_none(home: RunningHome) -> None:
    assert home.run(contacts_of(home).get("crm-1")) is None


def test_a_contact_of_one_controller_is_none_of_another(home: RunningHome) -> None:
    upsert(home, HOME)
    assert home.run(home.of("contact-center-1").contacts.get("crm-1")) is None


def test_an_upsert_replaces_the_whole_contact(home: RunningHome) -> None:
    home.run(contacts_of(home).upsert(a_contact(HOME, OFFICE, audiences=("client", "candidate"))))
    assert home.run(contacts_of(home).upsert(Contact("crm-1", (by_email(OTHER),), (), "form"))) is Outcome.RECORDED
    found = home.run(contacts_of(home).get("crm-1"))
    assert found is not None
    assert found.contact == Contact("crm-1", (by_email(OTHER),), (), "form", None)
    assert [record.holders for address in (HOME, OFFICE) for record in records_of(home, address)] == [(), ()]


def test_an_address_says_who_holds_it_since_when_and_as_what(home: RunningHome) -> None:
    upsert(home, by_email(HOME, PERSONAL))
    home.now_ms = NOW + DAY
    upsert(home, by_email(HOME, PERSONAL), OFFICE)
    subject = record_of_contact(home).subject
    assert records_of(home, HOME)[0].holders == (Holder(subject, PERSONAL, NOW),)
    assert records_of(home, OFFICE)[0].holders == (Holder(subject, None, NOW + DAY),)


@pytest.mark.parametrize("order", [(HOME, OFFICE), (OFFICE, HOME), (HOME, OFFICE, HOME)])
def test_the_same_contact_again_writes_nothing_in_whatever_order(home: RunningHome, order: Sequence[str]) -> None:
    first, again = ("candidate", "client"), ("client", "candidate", "client")
    home.run(contacts_of(home).upsert(a_contact(HOME, OFFICE, audiences=first)))
    before = events_of(home)
    assert home.run(contacts_of(home).upsert(a_contact(*order, audiences=again))) is Outcome.UNCHANGED
    assert events_of(home) == before


def test_an_upsert_writes_only_what_differs(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    before = events_of(home)
    home.run(contacts_of(home).upsert(a_contact(HOME, OFFICE, audiences=("client",))))
    assert events_of(home) == before + 1


def test_an_address_is_added_and_removed(home: RunningHome) -> None:
    contacts = contacts_of(home)
    upsert(home, HOME)
    assert home.run(contacts.add_address("crm-1", by_email(OFFICE))) is Outcome.RECORDED
    assert home.run(contacts.add_address("crm-1", by_email(OFFICE))) is Outcome.UNCHANGED
    assert held_by(home) == [HOME, OFFICE]
    assert home.run(contacts.remove_address("crm-1", by_email("PAT@home.example"))) is Outcome.RECORDED
    assert home.run(contacts.remove_address("crm-1", by_email(HOME))) is Outcome.ABSENT
    assert held_by(home) == [OFFICE]


def test_an_address_that_is_added_again_with_another_class_is_held_once(home: RunningHome) -> None:
    upsert(home, by_email(OFFICE, BUSINESS))
    assert home.run(contacts_of(home).add_address("crm-1", by_email(OFFICE, PERSONAL))) is Outcome.RECORDED
    found = home.run(contacts_of(home).get("crm-1"))
    assert found is not None
    assert found.contact.addresses == (by_email(OFFICE, PERSONAL),)


def test_a_number_may_be_held_for_messages_and_for_calls(home: RunningHome) -> None:
    contacts, texts, calls = contacts_of(home), ContactAddress(Channel.SMS, PHONE), ContactAddress(Channel.VOICE, PHONE)
    upsert(home, texts)
    home.run(contacts.add_address("crm-1", calls))
    found = home.run(contacts.get("crm-1"))
    assert found is not None
    assert found.contact.addresses == (texts, calls)
    home.run(contacts.remove_address("crm-1", texts))
    assert len(records_of(home, PHONE)[0].holders) == 1
    home.run(contacts.remove_address("crm-1", calls))
    assert records_of(home, PHONE)[0].holders == ()


def test_addresses_of_a_contact_that_is_not_there_are_an_error(home: RunningHome) -> None:
    for act in (contacts_of(home).add_address, contacts_of(home).remove_address):
        with pytest.raises(UnknownContact) as raised:
            home.run(act("crm-1", by_email(HOME)))
        assert raised.value.code == "unknown_contact"


def test_what_a_contact_let_go_of_keeps_its_refusals(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE)
    home.run(home.of(CONTROLLER).recording.opt_out(ContactId("crm-1"), EVERYTHING, "page"))
    upsert(home, OFFICE)
    assert reason(home, HOME) == "opted_out"


@pytest.mark.parametrize("classes", [(BUSINESS, PERSONAL), (PERSONAL, BUSINESS)])
def test_personal_wins_where_two_spellings_of_one_mailbox_differ(
    home: RunningHome, classes: tuple[AddressClass, AddressClass]
) -> None:
    upsert(home, by_email(OFFICE, classes[0]), by_email("pat+fair@office.example", classes[1]))
    assert [holder.address_class for holder in records_of(home, OFFICE)[0].holders] == [PERSONAL]
    assert reason(home, OFFICE) == "no_consent"


def test_personal_wins_where_two_contacts_differ(home: RunningHome) -> None:
    upsert(home, by_email(OFFICE, BUSINESS))
    assert reason(home, OFFICE) == "permitted"
    upsert(home, by_email(OFFICE, PERSONAL), contact_id="crm-2")
    assert reason(home, OFFICE) == "no_consent"


@pytest.mark.parametrize(
    "contact_id", ["", "pat@home.example", "+442079460018", "Pat Doe", "-1", "é", "x" * 129, "crm-1\n"]
)
def test_an_id_that_is_an_address_or_free_text_is_refused_and_not_quoted(home: RunningHome, contact_id: str) -> None:
    contacts = contacts_of(home)
    for act in (contacts.get(contact_id), contacts.upsert(a_contact(HOME, contact_id=contact_id))):
        with pytest.raises(InvalidInput, match=r"^contact: expected the CRM's own id") as raised:
            home.run(act)
        assert len(contact_id) < 3 or contact_id not in str(raised.value)


@pytest.mark.parametrize("contact_id", ["7", "0031T00001abcDEF", "6f9619ff-8b86-d011-b42d-00c04fc964ff", "x" * 128])
def test_ids_as_crms_have_them_are_taken(home: RunningHome, contact_id: str) -> None:
    upsert(home, HOME, contact_id=contact_id)
    assert held_by(home, contact_id) == [HOME]


@pytest.mark.parametrize("audience", ["clients", "all", "Client", ""])
def test_an_audience_that_the_policy_does_not_name_is_refused(home: RunningHome, audience: str) -> None:
    with pytest.raises(InvalidInput, match=r"^audiences: one is not of this policy"):
        home.run(contacts_of(home).upsert(a_contact(HOME, audiences=("client", audience))))
    assert events_of(home) == 0


def test_an_audience_that_a_later_policy_drops_hinders_no_address(home: RunningHome) -> None:
    home.run(contacts_of(home).upsert(a_contact(HOME, audiences=("prospect",))))
    text = (home.settings.policies / f"{CONTROLLER}.toml").read_text("utf-8")
    assert '"prospect"' in text
    home.adopt(CONTROLLER, text.replace('"client", "prospect"', '"client"'))
    assert home.run(contacts_of(home).add_address("crm-1", by_email(OFFICE))) is Outcome.RECORDED
    found = home.run(contacts_of(home).get("crm-1"))
    assert found is not None
    assert found.contact.audiences == ("prospect",)


@pytest.mark.parametrize(
    ("contact", "field"),
    [
        (Contact("crm-1", (), (), "Pat said so"), "source"),
        (Contact("crm-1", (), (), "fair", "pat@home.example"), "attested by"),
        (a_contact(*(f"pat{number}@home.example" for number in range(ADDRESSES_MAX + 1))), "addresses"),
    ],
)
def test_provenance_is_a_slug_and_addresses_are_limited(home: RunningHome, contact: Contact, field: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{field}: "):
        home.run(contacts_of(home).upsert(contact))
    assert events_of(home) == 0


def test_a_full_contact_takes_no_further_address(home: RunningHome) -> None:
    upsert(home, *(f"pat{number}@home.example" for number in range(ADDRESSES_MAX)))
    with pytest.raises(InvalidInput, match=f"^addresses: {ADDRESSES_MAX} at most"):
        home.run(contacts_of(home).add_address("crm-1", by_email(OFFICE)))


@pytest.mark.parametrize("address", ["pat at home", "", PHONE])
def test_an_address_that_does_not_parse_is_named_by_its_place_and_not_quoted(home: RunningHome, address: str) -> None:
    with pytest.raises(InvalidAddress, match=r"^addresses\[1\] ") as raised:
        upsert(home, HOME, address)
    assert not address or address not in str(raised.value)
    assert events_of(home) == 0


def test_no_contact_holds_a_whole_domain(home: RunningHome) -> None:
    with pytest.raises(InvalidAddress, match="whole domain"):
        upsert(home, "@office.example")


def test_a_contact_without_any_address_is_one_all_the_same(home: RunningHome) -> None:
    assert upsert(home) is Outcome.RECORDED
    assert held_by(home) == []


def test_nothing_of_a_contact_stands_in_plaintext_in_the_files_of_the_store(home: RunningHome) -> None:
    addresses = ("Wren.Hollowell@gmail.com", "Plover-Shingle@office.example")
    upsert(home, *addresses, ContactAddress(Channel.SMS, "+44 7700 900987"), contact_id="kestrel-4711-dunlin")
    files = list(store_path(home).parent.glob("store.sqlite3*"))
    content = b"".join(path.read_bytes() for path in files)
    assert len(content) > 10_000
    assert Searched([*addresses, "+44 7700 900987"]).found_in(content) == []
    assert b"kestrel-4711-dunlin" not in content


def test_a_contact_is_found_and_rewritten_after_a_rotation_of_keys(home: RunningHome) -> None:
    upsert(home, HOME)
    home.rotate_keys()
    assert held_by(home) == [HOME]
    assert upsert(home, HOME) is Outcome.UNCHANGED
    assert upsert(home, HOME, OFFICE) is Outcome.RECORDED
    assert held_by(home) == [HOME, OFFICE]
    newest, oldest = records_of(home, HOME)
    assert [len(record.holders) for record in (newest, oldest)] == [1, 1]
    assert upsert(home, OFFICE) is Outcome.RECORDED
    assert [record.holders for record in records_of(home, HOME)] == [(), ()]
    assert home.audit_findings() == []


def test_a_contact_that_is_rewritten_while_it_is_read_is_read_anew(home: RunningHome) -> None:
    upsert(home, HOME)
    store = overtaken_store(home)
    contacts = contacts_on(home, store)
    store.overtakers = [lambda: contacts_of(home).upsert(a_contact(OFFICE))]
    found = home.run(contacts.get("crm-1"))
    assert found is not None
    assert found.contact.addresses == (by_email(OFFICE),)
    store.overtakers = [lambda: contacts_of(home).upsert(a_contact(OFFICE, OTHER))]
    assert home.run(contacts.remove_address("crm-1", by_email(OFFICE))) is Outcome.RECORDED
    home.run(store.close())
    assert held_by(home) == [OTHER]


def test_a_contact_that_is_erased_while_it_is_read_is_none(home: RunningHome) -> None:
    upsert(home, HOME)
    store = overtaken_store(home)
    recording = home.of(CONTROLLER).recording
    erased = RefusalReason.ERASED
    store.overtakers = [lambda: recording.suppress(ContactId("crm-1"), erased, EVERYTHING, "request")]
    assert home.run(contacts_on(home, store).get("crm-1")) is None
    home.run(store.close())


def test_a_sealed_field_that_is_gone_is_damage_and_no_empty_contact(home: RunningHome) -> None:
    upsert(home, HOME)
    with home.closed(), closing(sqlite3.connect(store_path(home))) as connection, connection:
        connection.execute("DELETE FROM sealed")
    for act in (contacts_of(home).get("crm-1"), contacts_of(home).upsert(a_contact(OFFICE))):
        with pytest.raises(StoreDamaged, match="sealed field is missing"):
            home.run(act)
