"""Which columns a scrub can work with: each of addresses once, and none that is called as those it adds."""

from __future__ import annotations

from jobs.lists import ContactList
from jobs.lists.columns import labels
from jobs.lists.faults import list_fault
from jobs.scrub.links import LINK_HEADINGS
from jobs.scrub.plan import ScrubPlan
from jobs.scrub.rows import ADDED_HEADINGS, reason_heading, told_apart
from prefcenter.domain.address.blanks import stripped


def require_separate_columns(plan: ScrubPlan, contacts: ContactList) -> None:
    """Raise InvalidList where no output could be made of a list that says clearly what may be sent where.

    A cell is kept or blank as a whole, so it cannot be for two channels: it would be blank for one and its row kept for
    the other. A heading that stands twice lets readers differ about which of the two columns counts.
    """
    _require_named_once(contacts)
    _require_new_headings(plan, contacts)


def _require_named_once(contacts: ContactList) -> None:
    indexes = [column.index for column in contacts.found.addresses]
    repeated = sorted({index for index in indexes if indexes.count(index) > 1})
    if repeated:
        message = f"{labels(repeated, None)} is asked about more than once; scrub once for each channel of a column"
        raise list_fault(contacts.name, 1, "--address", message)


def _require_new_headings(plan: ScrubPlan, contacts: ContactList) -> None:
    added = {*ADDED_HEADINGS, *map(reason_heading, told_apart(contacts.found))}
    if plan.links:
        added.update(LINK_HEADINGS)
    taken = added.intersection(map(stripped, contacts.names))
    if taken:
        raise list_fault(contacts.name, 1, "header", f"has a column {min(taken)} already; drop it first")
