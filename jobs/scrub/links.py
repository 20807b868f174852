"""The links of a message in each kept row: to refuse, and to manage one's choices (CC1-1, TCC-1, OC-1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.lists import Column, RowBatch
from jobs.lists.contacts import Found
from jobs.scrub.plan import ScrubPlan
from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.terms import Channel
from prefcenter.services.links import Links

LINK_HEADINGS = ("prefcenter_unsubscribe_url", "prefcenter_manage_url")
NO_LINKS = ("", "")


@dataclass(frozen=True, slots=True)
class RowLinks:
    """Makes the links of kept rows, for the addresses in their email column, which is at `place` of those asked about.

    `links` are as of the scrub's own time, so that the same scrub again writes the same.
    """

    links: Links
    purpose: str
    place: int
    column: Column

    def addresses(self, batch: RowBatch) -> Sequence[str | None]:
        return batch.cells(self.column)

    def of(self, address: str | None, blanked: Sequence[int]) -> tuple[str, str]:
        """The cells of a kept row; they are empty where its email address may not be used."""
        if address is None or self.place in blanked:
            return NO_LINKS
        made = self.links.of_message(address, self.purpose, Channel.EMAIL)
        return made.unsubscribe_url, made.manage_url


def row_links(plan: ScrubPlan, links: Links | None, found: Found, at_ms: int) -> RowLinks | None:
    """What makes the links that a plan asks for; None where it asks for none."""
    if not plan.links or links is None:
        return None
    (place,) = _email_places(plan)
    return RowLinks(links.as_of(at_ms), plan.purpose, place, found.addresses[place])


def require_linkable(plan: ScrubPlan, links: Links | None) -> None:
    """Raise where a plan asks for links that cannot be made.

    InvalidInput: there is not exactly one column of email addresses, or nothing to make links with. ActRefused: the
    purpose is administrative, and nobody can unsubscribe from it.
    """
    if not plan.links:
        return
    if links is None or len(_email_places(plan)) != 1:
        raise InvalidInput("--links: go with exactly one column of email addresses")
    links.of_messages((), plan.purpose, Channel.EMAIL)


def _email_places(plan: ScrubPlan) -> list[int]:
    return [place for place, choice in enumerate(plan.choices) if choice.channel is Channel.EMAIL]
