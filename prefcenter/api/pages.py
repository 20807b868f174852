"""What every Relay connection has: page information, and a page size with a limit."""

from __future__ import annotations

import strawberry

from prefcenter.domain.errors import InvalidInput

PAGE_DEFAULT = 100
PAGE_MAX = 500


@strawberry.type(description="Where a page lies in its list (Relay Cursor Connections).")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there is more after this page.")
    has_previous_page: bool = strawberry.field(description="Whether there is something before it.")
    start_cursor: str | None = strawberry.field(description="The place of its first entry.")
    end_cursor: str | None = strawberry.field(description="Where to go on: the next `after`.")


def page_size(first: int) -> int:
    """The number itself. Raises InvalidInput for one that no page has."""
    if not 1 <= first <= PAGE_MAX:
        raise InvalidInput(f"first: between 1 and {PAGE_MAX}")
    return first
