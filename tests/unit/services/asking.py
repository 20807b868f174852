"""Short ways to act on and to ask the home of the services' tests."""

from __future__ import annotations

from prefcenter.domain.events import Cell
from prefcenter.domain.record import Record
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.services.acts import Once, Outcome, once_of
from prefcenter.services.admission import Admission, Consent
from prefcenter.services.contact_files import Contact, ContactAddress
from prefcenter.services.decisions import Question
from prefcenter.services.importing import Importing
from prefcenter.services.recording import Recording
from prefcenter.services.targets import ContactId, Target, Targets
from tests.running_home import RunningHome

CONTROLLER = "opencontact"
BUSINESS = "pat@acme.example"
MARKETING = Cell("client-marketing", Channel.EMAIL)
HOME, OFFICE, OTHER = "pat@home.example", "pat@office.example", "pat@club.example"
PHONE = "020 7946 0018"


def recording_of(home: RunningHome, controller: str = CONTROLLER) -> Recording:
    return home.of(controller).recording


def admission_of(home: RunningHome, controller: str = CONTROLLER) -> Admission:
    return Admission(home.of(controller).policy, home.clock)


def target_of(home: RunningHome, address: str, controller: str = CONTROLLER) -> Target:
    services = home.of(controller)
    return Targets(services.policy.country, services.digester).of(address)


def importing_of(home: RunningHome, controller: str = CONTROLLER) -> Importing:
    return home.of(controller).importing


def a_consent(cell: Cell = MARKETING, given_ms: int | None = None, expires_ms: int | None = None) -> Consent:
    return Consent(cell, "newsletter-form@3", "form", "person", given_ms, expires_ms)


def reason(
    home: RunningHome,
    address: str = BUSINESS,
    purpose: str | None = "client-marketing",
    channel: Channel | None = Channel.EMAIL,
    data_use: str | None = None,
    controller: str = CONTROLLER,
) -> str:
    """Why a message may or may not go to an address that the caller calls a business one."""
    question = Question(address, purpose, channel, data_use, AddressClass.BUSINESS)
    (decision,) = home.answer(controller, [question])
    return decision.reason.value


def by_email(address: str, address_class: AddressClass | None = None) -> ContactAddress:
    return ContactAddress(Channel.EMAIL, address, address_class)


def a_contact(*addresses: str | ContactAddress, contact_id: str = "crm-1", audiences: tuple[str, ...] = ()) -> Contact:
    kept = tuple(by_email(address) if isinstance(address, str) else address for address in addresses)
    return Contact(contact_id, kept, audiences, "trade-fair", "sales")


def upsert(home: RunningHome, *addresses: str | ContactAddress, contact_id: str = "crm-1") -> Outcome:
    return home.run(home.of(CONTROLLER).contacts.upsert(a_contact(*addresses, contact_id=contact_id)))


def held_by(home: RunningHome, contact_id: str = "crm-1") -> list[str]:
    """The addresses of a contact as they are kept."""
    found = home.run(home.of(CONTROLLER).contacts.get(contact_id))
    assert found is not None
    return [address.address for address in found.contact.addresses]


def records_of(home: RunningHome, address: str) -> list[Record]:
    """What is on record of an address under every key, newest key first."""
    subjects = target_of(home, address).records_of
    found = {record.subject: record for record in home.run(home.services.store.load(CONTROLLER, subjects))}
    return [found[subject] for subject in subjects if subject in found]


def record_of_contact(home: RunningHome, contact_id: str = "crm-1") -> Record:
    services = home.of(CONTROLLER)
    subjects = Targets(services.policy.country, services.digester).of(ContactId(contact_id)).records_of
    (record,) = home.run(home.services.store.load(CONTROLLER, subjects))
    return record


def events_of(home: RunningHome, controller: str = CONTROLLER) -> int:
    """How many events the ledger holds."""
    return sum(head.position for head in home.run(home.services.store.heads(controller)))


def once(home: RunningHome, key: str = "key-1", content: bytes = b"{}", caller: str = "crm") -> Once:
    return once_of(home.of(CONTROLLER).sealer, caller, key, content)
