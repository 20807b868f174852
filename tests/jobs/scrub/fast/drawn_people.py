"""People who do things and stand on lists, each in many spellings; few of them, so that acts and rows meet."""

from __future__ import annotations

from dataclasses import dataclass

from prefcenter.domain.terms import KIND_OF_CHANNEL, AddressKind, Channel


@dataclass(frozen=True, slots=True)
class Person:
    """How one person's address is written, and the whole domains that it lies in."""

    kind: AddressKind
    spellings: tuple[str, ...]
    domains: tuple[str, ...] = ()


EMAIL, PHONE, POST, PUSH = AddressKind
PEOPLE = (
    Person(
        EMAIL,
        (
            "pat@acme.example",
            "PAT@ACME.EXAMPLE",
            "pat+news@acme.example",
            " Pat+Other@acme.example ",
            "Pat <pat@acme.example>",
            "mailto:pat@acme.example",
            '"pat"@acme.example',
            "\u200bpat@acme.example.",
        ),
        ("@acme.example",),
    ),
    Person(
        EMAIL,
        ("kim@sales.acme.example", "Kim+x@Sales.ACME.example", '"Kim"@sales.acme.example'),
        ("@sales.acme.example", "@acme.example"),
    ),
    Person(EMAIL, ("lee.o@gmail.com", "L.E.EO@gmail.com", "leeo+x@googlemail.com", "Lee <lee.o@googlemail.com>")),
    Person(EMAIL, ("pat@sam.fastmail.com", "sam@fastmail.com", "sam+pat@fastmail.com")),
    Person(EMAIL, ("jo@yahoo.com", "jo-x@yahoo.com", "JO-Y@YAHOO.COM")),
    Person(
        EMAIL,
        ("zo\u00eb@b\u00fccher.example", "ZO\u00cb@B\u00dcCHER.example", "zoe\u0308@xn--bcher-kva.example"),
        ("@b\u00fccher.example",),
    ),
    Person(
        EMAIL,
        ("max@b\u00fccher.example", "max@xn--bcher-kva.example", "MAX+1@XN--BCHER-KVA.example"),
        ("@xn--bcher-kva.example",),
    ),
    Person(EMAIL, ('"x y"@uk.b-2.example', '"X Y"@UK.b-2.example'), ("@uk.b-2.example", "@b-2.example")),
    Person(PHONE, ("+44 7700 900123", "07700 900123", "tel:+447700900123", "+44 (0)7700 900123")),
    Person(PHONE, ("020 7946 0018", "+442079460018;ext=7", "020 7946 0018 ext 8")),
    Person(
        POST,
        ("Pat Example, 10 High Street, London, SW1A 1AA", "Kim Example, 10 High St, London SW1A 1AA"),
    ),
    Person(POST, ("Pat Example, Flat 2, 10 High St, London, SW1A 1AA", "10 High Street Flat 2, London, SW1A 1AA")),
    Person(PUSH, ("push:abc123", " push:abc123")),
    Person(PUSH, ("push:ABC123",)),
)
DEFECTS = ("", "  ", "broken", "pat@acme.example, kim@acme.example")


def reached_by(channel: Channel) -> tuple[Person, ...]:
    return tuple(person for person in PEOPLE if person.kind is KIND_OF_CHANNEL[channel])
