"""What a list says of people besides their address: phones that reach nobody, homes that are nowhere, notes."""

from __future__ import annotations

from jobs.demo.chance import Chance

STREETS = ("Heron Close", "Larch Lane", "Mill Row", "Saddlers Yard", "Tanners Hill", "Orchard Walk", "Cooper Street")
TOWNS = ("Little Sampling", "Market Exemplar", "Nether Mockham", "Upper Testing", "Fixture-on-Sea")
INTERESTS = ("sailing", "choirs", "chess", "gardens", "railways", "astronomy", "cycling", "pottery")
NOTES = (
    "", "", "", "", "met at the autumn fair", "asked for the price list", "prefers mornings", "moved desks in May",
    "renewal due in spring", "knows the old team", "wants the short version", "came by recommendation",
)  # fmt: skip


def british_phone(chance: Chance) -> str:
    """A number that Ofcom keeps for drama: mobile 07700 900xxx, London 020 7946 0xxx."""
    if chance.below(2):
        return f"07700 900{chance.below(1_000):03}"
    return f"+44 20 7946 0{chance.below(1_000):03}"


def american_phone(chance: Chance) -> str:
    """A number between 555-0100 and 555-0199, which the North American plan keeps for fiction."""
    area = chance.pick(("212", "312", "415", "617"))
    return f"+1 ({area}) 555-01{chance.below(100):02}"


def home_address(chance: Chance) -> str:
    """A made-up house in a made-up town; no postcode area is called ZZ."""
    house, street, town = 1 + chance.below(90), chance.pick(STREETS), chance.pick(TOWNS)
    return f"{house} {street}, {town}, ZZ{1 + chance.below(9)} {1 + chance.below(9)}AB"


def recent_date(chance: Chance) -> str:
    return f"{1 + chance.below(28):02}/{1 + chance.below(9):02}/2026"
