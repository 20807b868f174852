"""The people on the demo's lists: all of them made up, every one with a fate that the story plays and the lists expect.

Business addresses are at domains that RFC 2606 and RFC 6761 reserve. Private ones are at providers that exist, because
the rules are about those, and each has `madeup` and a number in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from jobs.demo.chance import Chance
from jobs.demo.names import WESTERN, WORLD, Name, NamePool, draw_name
from prefcenter.domain.terms import Reason

CAMPAIGN_PEOPLE = 1_920
ALUMNI_PEOPLE = 944
OWN_DOMAIN_PER_CENT = 12

IDN_DOMAIN = "xn--mller-shne-kcb9d.example"
IDN_DOMAIN_AS_WRITTEN = "müller-söhne.example"
WHOLE_DOMAIN = "quietwater.example"
COMPANIES = {
    "Acme Tools": "acme.example",
    "Kestrel & Sons": "kestrel-sons.example",
    "Larkfield Dairies": "larkfield.example",
    "Tidewater Freight": "tidewater.example",
    "Müller Söhne": IDN_DOMAIN,
    "Quietwater Mills": f"office.{WHOLE_DOMAIN}",
    "Brambling Optics": "brambling.example",
    "Oakhollow Press": "oakhollow.example",
    "Saltmarsh Energy": "saltmarsh.example",
    "Copperbeech Legal": "copperbeech.example",
    "Example Commerce": "example.com",
    "Example Networks": "example.net",
}
WORKPLACES = (
    *COMPANIES,
    *(company for company, domain in COMPANIES.items() if not domain.endswith(WHOLE_DOMAIN)),
)
"""Where people work; the company that refuses for everybody is half as large as the others."""

FREE_MAIL = (
    "gmail.com", "gmail.com", "gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "yahoo.com", "yahoo.co.uk",
    "icloud.com", "gmx.de", "web.de", "orange.fr", "libero.it", "proton.me",
)  # fmt: skip
OWN_DOMAIN = "example.org"
GMAIL = frozenset({"gmail.com", "googlemail.com"})
YAHOO = frozenset({"yahoo.com", "yahoo.co.uk"})


class Fate(StrEnum):
    """What happened between a person and the controller before the list is scrubbed."""

    NOTHING = "nothing"
    OPTED_OUT = "opted_out"
    OPTED_OUT_AS_ALIAS = "opted_out_as_alias"
    OPTED_OUT_OF_PURPOSE = "opted_out_of_purpose"
    OPTED_OUT_OF_CHANNEL = "opted_out_of_channel"
    OPTED_OUT_OF_CLASS = "opted_out_of_class"
    OPTED_OUT_OF_ANOTHER_PURPOSE = "opted_out_of_another_purpose"
    OPTED_OUT_ELSEWHERE = "opted_out_elsewhere"
    OPTED_OUT_LONG_AGO = "opted_out_long_ago"
    CONSENTED = "consented"
    CONSENTED_ON_PAPER = "consented_on_paper"
    CONSENT_EXPIRED = "consent_expired"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    CONSENT_ARRIVED_LATE = "consent_arrived_late"
    CONSENT_AFTER_OPT_OUT = "consent_after_opt_out"
    CONSENT_AFTER_OPT_OUT_ENDED = "consent_after_opt_out_ended"
    BOUNCED = "bounced"
    BOUNCE_DISPROVED = "bounce_disproved"
    COMPLAINED = "complained"
    ON_REGISTRY = "on_registry"
    ON_REGISTRY_WITH_CONSENT = "on_registry_with_consent"
    SUPPRESSED_BY_HAND = "suppressed_by_hand"
    WHOLE_DOMAIN = "whole_domain"
    MINOR = "minor"
    RESTRICTED = "restricted"
    LEGAL = "legal"
    ERASED = "erased"


REFUSED_AS: Mapping[Fate, Reason] = {
    Fate.OPTED_OUT: Reason.OPTED_OUT,
    Fate.OPTED_OUT_AS_ALIAS: Reason.OPTED_OUT,
    Fate.OPTED_OUT_OF_PURPOSE: Reason.OPTED_OUT,
    Fate.OPTED_OUT_OF_CHANNEL: Reason.OPTED_OUT,
    Fate.OPTED_OUT_OF_CLASS: Reason.OPTED_OUT,
    Fate.OPTED_OUT_LONG_AGO: Reason.OPTED_OUT,
    Fate.CONSENT_WITHDRAWN: Reason.OPTED_OUT,
    Fate.CONSENT_ARRIVED_LATE: Reason.OPTED_OUT,
    Fate.CONSENT_AFTER_OPT_OUT: Reason.OPTED_OUT,
    Fate.CONSENT_AFTER_OPT_OUT_ENDED: Reason.OPTED_OUT,
    Fate.BOUNCED: Reason.BOUNCED,
    Fate.COMPLAINED: Reason.COMPLAINED,
    Fate.ON_REGISTRY: Reason.ON_REGISTRY,
    Fate.ON_REGISTRY_WITH_CONSENT: Reason.ON_REGISTRY,
    Fate.SUPPRESSED_BY_HAND: Reason.MANUAL,
    Fate.WHOLE_DOMAIN: Reason.MANUAL,
    Fate.MINOR: Reason.MINOR,
    Fate.RESTRICTED: Reason.RESTRICTED,
    Fate.LEGAL: Reason.LEGAL,
    Fate.ERASED: Reason.ERASED,
}
"""Fates that leave a refusal standing for every spelling of the mailbox."""

OPEN_TO_EXACT_ADDRESS = frozenset(
    {Fate.CONSENTED, Fate.CONSENTED_ON_PAPER, Fate.CONSENT_AFTER_OPT_OUT, Fate.ON_REGISTRY_WITH_CONSENT}
)
"""Fates with a consent in force, which counts for the one spelling that gave it."""


@dataclass(frozen=True, slots=True)
class Person:
    """One made-up person; `company` is empty for a private address."""

    number: int
    name: Name
    address: str
    company: str = ""
    fate: Fate = Fate.NOTHING

    @property
    def is_business(self) -> bool:
        return bool(self.company)

    @property
    def local_part(self) -> str:
        return self.address.partition("@")[0]

    @property
    def domain(self) -> str:
        return self.address.partition("@")[2]


Suits = Callable[[Person], bool]


@dataclass(frozen=True, slots=True)
class Share:
    """How many people of a list have a fate, and who may have it."""

    of_campaign: int
    of_alumni: int
    suits: Suits


def anybody(_: Person) -> bool:
    return True


def business(person: Person) -> bool:
    return person.is_business


def private(person: Person) -> bool:
    return not person.is_business


def at_gmail(person: Person) -> bool:
    return person.domain in GMAIL


SHARES: Mapping[Fate, Share] = {
    Fate.OPTED_OUT_AS_ALIAS: Share(12, 10, at_gmail),
    Fate.OPTED_OUT: Share(80, 40, anybody),
    Fate.OPTED_OUT_OF_PURPOSE: Share(14, 8, anybody),
    Fate.OPTED_OUT_OF_CHANNEL: Share(10, 6, anybody),
    Fate.OPTED_OUT_OF_CLASS: Share(8, 6, business),
    Fate.OPTED_OUT_OF_ANOTHER_PURPOSE: Share(10, 8, business),
    Fate.OPTED_OUT_ELSEWHERE: Share(6, 6, business),
    Fate.OPTED_OUT_LONG_AGO: Share(60, 30, anybody),
    Fate.CONSENTED: Share(24, 20, private),
    Fate.CONSENTED_ON_PAPER: Share(60, 120, private),
    Fate.CONSENT_EXPIRED: Share(18, 16, private),
    Fate.CONSENT_WITHDRAWN: Share(8, 8, private),
    Fate.CONSENT_ARRIVED_LATE: Share(6, 4, private),
    Fate.CONSENT_AFTER_OPT_OUT: Share(12, 10, at_gmail),
    Fate.CONSENT_AFTER_OPT_OUT_ENDED: Share(5, 5, private),
    Fate.BOUNCED: Share(20, 16, business),
    Fate.BOUNCE_DISPROVED: Share(5, 4, business),
    Fate.COMPLAINED: Share(9, 5, anybody),
    Fate.ON_REGISTRY: Share(25, 12, business),
    Fate.ON_REGISTRY_WITH_CONSENT: Share(4, 3, private),
    Fate.SUPPRESSED_BY_HAND: Share(5, 4, business),
    Fate.MINOR: Share(2, 2, private),
    Fate.RESTRICTED: Share(3, 2, anybody),
    Fate.LEGAL: Share(2, 2, business),
    Fate.ERASED: Share(6, 5, anybody),
}
"""The fates that are dealt out; `whole_domain` is that of everybody at one company, and the rest have none."""


@cache
def campaign_people() -> tuple[Person, ...]:
    """Clients and prospects, with names that Western Windows can write."""
    people = _made_up(_CAMPAIGN)
    return _with_fates(people, {fate: share.of_campaign for fate, share in SHARES.items()}, Chance("campaign fates"))


@cache
def alumni_people() -> tuple[Person, ...]:
    """Former employees, with names in many scripts and mostly private addresses."""
    people = _made_up(_ALUMNI)
    return _with_fates(people, {fate: share.of_alumni for fate, share in SHARES.items()}, Chance("alumni fates"))


@dataclass(frozen=True, slots=True)
class _Crowd:
    """How the people of one list are made up; neither numbers nor work addresses of two crowds ever meet."""

    seed: str
    numbers: range
    pools: tuple[NamePool, ...]
    business_per_cent: int
    work_local_part: Callable[[Name], str]


_CAMPAIGN = _Crowd(
    seed="campaign",
    numbers=range(1, CAMPAIGN_PEOPLE + 1),
    pools=WESTERN,
    business_per_cent=62,
    work_local_part=lambda name: f"{name.given_plain}.{name.family_plain}",
)
_ALUMNI = _Crowd(
    seed="alumni",
    numbers=range(5_001, ALUMNI_PEOPLE + 5_001),
    pools=WORLD,
    business_per_cent=34,
    work_local_part=lambda name: name.given_plain[0] + name.family_plain,
)


def _made_up(crowd: _Crowd) -> list[Person]:
    chance = Chance(crowd.seed)
    taken: Counter[str] = Counter()
    people = []
    for number in crowd.numbers:
        name = draw_name(chance, crowd.pools)
        if chance.below(100) < crowd.business_per_cent:
            people.append(_at_work(number, name, crowd.work_local_part(name), chance.pick(WORKPLACES), taken))
        else:
            people.append(_at_home(number, name, chance))
    return people


def _at_work(number: int, name: Name, local_part: str, company: str, taken: Counter[str]) -> Person:
    """The second of a name at a company gets a number, as system administrators do it."""
    address = f"{local_part}@{COMPANIES[company]}"
    taken[address] += 1
    if taken[address] > 1:
        address = f"{local_part}{taken[address]}@{COMPANIES[company]}"
    return Person(number, name, address, company)


def _at_home(number: int, name: Name, chance: Chance) -> Person:
    domain = OWN_DOMAIN if chance.below(100) < OWN_DOMAIN_PER_CENT else chance.pick(FREE_MAIL)
    return Person(number, name, f"{name.given_plain}.{name.family_plain}.madeup{number}@{domain}")


def _with_fates(people: Sequence[Person], counts: Mapping[Fate, int], chance: Chance) -> tuple[Person, ...]:
    fates = {person.number: Fate.WHOLE_DOMAIN for person in people if person.domain.endswith(WHOLE_DOMAIN)}
    order = chance.shuffled(people)
    for fate, count in counts.items():
        suited = (person.number for person in order if person.number not in fates and SHARES[fate].suits(person))
        fates |= dict.fromkeys([number for number, _ in zip(suited, range(count), strict=False)], fate)
    return tuple(replace(person, fate=fates.get(person.number, Fate.NOTHING)) for person in people)
