"""What goes wrong on the paths of people, said to them in their own language; programs get the one JSON shape."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from prefcenter.web.errors import HttpError
from prefcenter.web.page_words import word
from prefcenter.web.rendering import PAGE_FIELDS, page

PEOPLES_PATHS = frozenset({"u", "c", "p", "find"})
"""How the paths of links and pages begin; what is beneath them may also be half a link, which is no route."""

WORDS: Mapping[int, tuple[str, str]] = {
    404: (
        word("There is nothing here"),
        word("The link may be incomplete. Please copy the whole link from your message."),
    ),
    429: (
        word("Please wait a moment"),
        word("Too many requests came from your connection, so nothing was done. Please try again in a minute."),
    ),
}
NOT_READ = (
    word("We could not read that"),
    word("Nothing was changed. Please open the link from your message and try again."),
)
NO_ANSWER = (
    word("That did not work"),
    word("What you asked for may not be recorded. Please try again in a few minutes: your link goes on working."),
)


def is_for_people(request: web.BaseRequest) -> bool:
    """Whether a person with a browser is at the other end, or a mail program on a person's behalf."""
    return request.path.lstrip("/").partition("/")[0] in PEOPLES_PATHS


def problem_page(request: web.BaseRequest, error: HttpError, request_id: str) -> web.Response:
    """The page about an error, with the id under which the log has more."""
    title, text = WORDS.get(error.status, NO_ANSWER if error.status >= 500 else NOT_READ)
    return page(
        request,
        "problem.html",
        error.status,
        fields={**PAGE_FIELDS, **error.fields},
        problem=title,
        text=text,
        request_id=request_id,
        is_reading=request.method in ("GET", "HEAD"),
    )
