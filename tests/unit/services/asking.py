"""Short ways to act on and to ask the home of the services' tests."""

from __future__ import annotations

from prefcenter.domain.events import Cell
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.services.admission import Admission, Consent
from prefcenter.services.decisions import Question
from prefcenter.services.importing import Importing
from prefcenter.services.recording import Recording
from prefcenter.services.targets import Target, Targets
from tests.running_home import RunningHome

CONTROLLER = "opencontact"
BUSINESS = "pat@acme.example"
MARKETING = Cell("client-marketing", Channel.EMAIL)


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
