"""The links of kept rows, made of the digests that compiled code computes for plain addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.lists import OpenList
from jobs.scrub.fast.cells import Cells
from jobs.scrub.fast.emails import read_plain
from prefcenter.domain.address import RULES_VERSIONS
from prefcenter.security.digests import Digester
from prefcenter.services.links import Stamps


@dataclass(frozen=True, slots=True)
class FastStamps:
    """Stamps links on columns of email addresses, all of which may be used."""

    stamps: Stamps
    digester: Digester

    def of(self, addresses: Sequence[str]) -> Sequence[tuple[str, str]]:
        """The URLs of both links of each address."""
        site = self.stamps.site
        tokens = self._tokens(Cells.of(addresses))
        return [(site.unsubscribe_url(first), site.page_url(second)) for first, second in tokens]

    def appended(self, cells: Cells, contacts: OpenList) -> list[bytes]:
        """What is added to the record of each cell, in the dialect and encoding of its list."""
        tokens = self._tokens(cells)
        if not tokens:
            return []
        before, between, behind = self._around(contacts, *tokens[0])
        encode = contacts.encoding.encode_added
        return [encode(f"{before}{first}{between}{second}{behind}") for first, second in tokens]

    def _around(self, contacts: OpenList, first: str, second: str) -> Sequence[str]:
        """What stands before, between and behind any two tokens: they hold nothing that a dialect would quote."""
        site = self.stamps.site
        added = contacts.dialect.appended((site.unsubscribe_url(first), site.page_url(second)))
        before, _, rest = added.partition(first)
        between, _, behind = rest.partition(second)
        return before, between, behind

    def _tokens(self, cells: Cells) -> list[tuple[str, str]]:
        return self.stamps.tokens(self._digests(cells))

    def _digests(self, cells: Cells) -> list[tuple[bytes, bytes]]:
        """Subject and exact digest of each address, as new acts would be written under."""
        plain, rules = read_plain(cells, RULES_VERSIONS), RULES_VERSIONS[0]
        key = next(iter(self.digester.vector_keys().values()))
        pairs = zip(key.digests(plain.mailboxes[rules]).values(), key.digests(plain.exacts).values(), strict=True)
        of_row = dict(zip(plain.rows.tolist(), pairs, strict=True))
        of_row |= {row: self.stamps.digests(cells.text(row)) for row in plain.others.tolist()}
        return [of_row[row] for row in range(len(cells))]
