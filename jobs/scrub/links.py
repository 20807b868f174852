"""The links of a message in each kept row: to refuse, and to manage one's choices (CC1-1, TCC-1, OC-1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from jobs.lists import Column, Placed, RowBatch
from jobs.lists.contacts import Found
from jobs.scrub.plan import ScrubPlan
from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.terms import Channel
from prefcenter.services.links import Links, Stamps

LINK_HEADINGS = ("prefcenter_unsubscribe_url", "prefcenter_manage_url")
NO_LINKS = ("", "")

LinksOf: TypeAlias = Callable[[Sequence[str]], Sequence[tuple[str, str]]]
"""The links of each address, in order; all of them are addresses that a message may be sent to."""


@dataclass(frozen=True, slots=True)
class RowLinks:
    """The links of kept rows, for the addresses in their email column."""

    links_of: LinksOf
    column: Column

    def added_to(self, kept: Sequence[Placed], batch: RowBatch) -> list[Placed]:
        """Kept rows of a batch with their links behind whatever else is added to them.

        They are empty where the row's email address may not be used, or it has none.
        """
        cells = batch.cells(self.column)
        usable = [index for index, row in enumerate(kept) if self.column not in row.blanked and cells[row.place]]
        made = self.links_of([cells[kept[index].place] or "" for index in usable])
        links = dict(zip(usable, made, strict=True))
        return [row._replace(added=(*row.added, *links.get(index, NO_LINKS))) for index, row in enumerate(kept)]


def one_by_one(stamps: Stamps) -> LinksOf:
    """Every address is read by its parser."""
    return lambda addresses: [stamps.of(address) for address in addresses]


def stamps_of(plan: ScrubPlan, links: Links | None, at_ms: int) -> Stamps | None:
    """What makes the links that a plan asks for; None where it asks for none.

    They are as of the scrub's own time, so that the same scrub again writes the same.

    Raises InvalidInput: there is not exactly one column of email addresses, nothing to make links with, a campaign's
    name that no link can have, or a campaign without links. ActRefused: the purpose is administrative, and nobody can
    unsubscribe from it.
    """
    if not plan.links:
        if plan.campaign is not None:
            raise InvalidInput("--campaign: is what links are of; it goes with --links")
        return None
    if links is None or len(_email_places(plan)) != 1:
        raise InvalidInput("--links: go with exactly one column of email addresses")
    return links.as_of(at_ms).stamps(plan.purpose, Channel.EMAIL, plan.campaign)


def row_links(plan: ScrubPlan, found: Found, links_of: LinksOf | None) -> RowLinks | None:
    """The links of a list's rows, of which one column holds email addresses."""
    if links_of is None:
        return None
    return RowLinks(links_of, found.addresses[email_place(plan)])


def email_place(plan: ScrubPlan) -> int:
    """Which of the columns of addresses is the one of email addresses, in a plan with links."""
    (place,) = _email_places(plan)
    return place


def _email_places(plan: ScrubPlan) -> list[int]:
    return [place for place, choice in enumerate(plan.choices) if choice.channel is Channel.EMAIL]
