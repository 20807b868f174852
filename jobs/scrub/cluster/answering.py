"""What a cluster's Python workers do: read addresses by the parsers, and ask `decide` where a number does not tell.

Nothing here knows Spark. Every function takes and gives one row; the frames call it for batches of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jobs.scrub.cluster.exported import decoded_record
from jobs.scrub.fast.answers import STATED, Asked
from jobs.scrub.tally import Outcome, outcome_of
from prefcenter.domain.address import Address, parse, read_address_class
from prefcenter.domain.address.blanks import stripped
from prefcenter.domain.decision import Request, decide
from prefcenter.domain.digest import HASH_KINDS, HASH_RULES, SUBJECT_KIND, Digest, DigestKind
from prefcenter.domain.errors import InvalidAddress
from prefcenter.domain.policy import Policy
from prefcenter.domain.terms import KIND_OF_CHANNEL
from prefcenter.security.digests import vendors_hash

REMEMBERED_CELLS = 1 << 12
EMPTY, INVALID, ADDRESS = range(3)


@dataclass(frozen=True, slots=True)
class AddressReader:
    """Reads the cells of one list."""

    asked: Asked
    country: str
    with_hashes: bool

    def read(self, text: str | None, class_word: str | None) -> Mapping[str, Any]:
        """What a cell holds, the class that is stated of it, and the forms that its records may stand under."""
        stated = 0 if class_word is None else _stated(class_word)
        if text is None or not stripped(text):
            return {"holds": EMPTY, "stated": stated, "may_be_business": False, "forms": []}
        address = self.address(text)
        if address is None:
            return {"holds": INVALID, "stated": stated, "may_be_business": False, "forms": []}
        forms = [
            {"kind": int(kind), "rules": rules, "form": _tagged(kind, form), "exact": exact}
            for kind, rules, form, exact in _forms(address, with_hashes=self.with_hashes)
        ]
        return {"holds": ADDRESS, "stated": stated, "may_be_business": address.may_be_business, "forms": forms}

    def address(self, text: str) -> Address | None:
        try:
            return parse(text, KIND_OF_CHANNEL[self.asked.channel], country=self.country)
        except InvalidAddress:
            return None


@dataclass(frozen=True, slots=True)
class RowAsker:
    """Asks `decide` of single rows, with all that is on record about each."""

    reader: AddressReader
    policy: Policy

    def ask(
        self,
        text: str,
        stated: int,
        exacts: Sequence[Mapping[str, Any]],
        records: Sequence[bytes],
        sends_ms: Sequence[int],
    ) -> tuple[Outcome, int]:
        """The outcome of a row, and the earliest moment at which the clock alone changes it."""
        asked = self.reader.asked
        request = Request(
            self.reader.address(text),
            frozenset(
                Digest(DigestKind.EXACT, exact["key"], exact["rules"], exact["exact_digest"]) for exact in exacts
            ),
            asked.purpose,
            asked.channel,
            address_class=STATED[stated],
            audience=asked.audience,
            sends_ms=tuple(sends_ms),
        )
        decision = decide(self.policy, [decoded_record(record) for record in records], request, asked.at_ms)
        return outcome_of(decision), decision.valid_until_ms


@lru_cache(REMEMBERED_CELLS)
def _stated(class_word: str) -> int:
    return STATED.index(read_address_class(class_word))


def _forms(address: Address, *, with_hashes: bool) -> Iterator[tuple[DigestKind, int, str, bytes | None]]:
    """Kind, rules version and form of every digest that a record about the address may stand under.

    Its own come with the exact form, whose digest a consent would be by.
    """
    for forms in address.forms:
        yield SUBJECT_KIND[address.kind], forms.rules, forms.mailbox, _tagged(DigestKind.EXACT, forms.exact)
        for domain in forms.domains:
            yield DigestKind.DOMAIN, forms.rules, domain, None
    if with_hashes:
        for text in address.hashed:
            for kind in HASH_KINDS:
                yield kind, HASH_RULES, vendors_hash(kind, text), None


def _tagged(kind: DigestKind, form: str) -> bytes:
    """What is digested: the kind's byte, and the form."""
    return bytes((kind,)) + form.encode()
