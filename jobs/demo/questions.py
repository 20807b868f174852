"""Questions about people of the demo's lists whose answers differ, each for a reason that is worth telling."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from jobs.demo import alumni_list, campaign_list
from jobs.demo.people import Fate, Person, alumni_people, at_gmail, campaign_people
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.services.decisions import Question


@dataclass(frozen=True, slots=True)
class Sample:
    """One question, whom it is put to, and in one line what its answer shows."""

    controller: str
    question: Question
    shows: str


def sample_questions() -> tuple[Sample, ...]:
    """For the summary, to be asked after the story; every address in them is on a list."""
    return (*_about_the_campaign(), *_about_the_alumni())


def _about_the_campaign() -> Iterable[Sample]:
    people = campaign_people()
    untouched = next(person for person in people if person.is_business and person.fate is Fate.NOTHING)
    free_mail = next(person for person in people if at_gmail(person) and person.fate is Fate.NOTHING)
    opted_out = _first(people, Fate.OPTED_OUT_AS_ALIAS)
    returned = _first(people, Fate.CONSENT_AFTER_OPT_OUT)
    for person, purpose, shows in (
        (untouched, campaign_list.PURPOSE, "a business address that nobody refused for"),
        (free_mail, campaign_list.PURPOSE, "the list calls it business, but free mail is personal and must consent"),
        (opted_out, campaign_list.PURPOSE, "opted out under another spelling of the mailbox, which binds them all"),
        (opted_out, "candidate-contact", "the same person: a bare opt-out covers every non-administrative purpose"),
        (opted_out, "contract-service", "the same person: what the contract needs goes on"),
        (returned, campaign_list.PURPOSE, "opted out, and consented to this purpose afterwards"),
    ):
        yield Sample(campaign_list.CONTROLLER, _question(person.address, purpose), shows)
    tagged = returned.address.replace("@", "+offers@")
    yield Sample(
        campaign_list.CONTROLLER,
        _question(tagged, campaign_list.PURPOSE),
        "the same mailbox in a spelling that did not consent",
    )


def _about_the_alumni() -> Iterable[Sample]:
    bounced = _first(alumni_people(), Fate.BOUNCED)
    yield Sample(
        alumni_list.CONTROLLER,
        _question(bounced.address, "account-service"),
        "a mailbox that is gone: nothing is sent there, not even what the account needs",
    )


def _first(people: tuple[Person, ...], fate: Fate) -> Person:
    return next(person for person in people if person.fate is fate)


def _question(address: str, purpose: str) -> Question:
    return Question(address, purpose, Channel.EMAIL, address_class=AddressClass.BUSINESS)
