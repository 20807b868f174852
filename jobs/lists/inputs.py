"""The lists that a job is given: files, patterns of names, or standard input; each opened by what its bytes are."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from jobs.lists.contacts import ContactList, Found, Sought
from jobs.lists.content import STANDARD_INPUT, Content, OctetStream, list_content, unreadable
from jobs.lists.faults import list_fault
from jobs.lists.ndjson import NDJSON_FORMAT, is_ndjson, open_ndjson, reopen_ndjson, require_no_other_json
from jobs.lists.opening import TEXT_FORMAT, OpenList, open_text, reopen_text
from jobs.lists.parquet import PARQUET_FORMAT, is_parquet, open_parquet, reopen_parquet
from jobs.lists.several import SeveralLists, require_alike
from jobs.lists.workbook import WORKBOOK_FORMAT, is_zip, open_workbook, reopen_workbook
from prefcenter.domain.errors import InvalidInput, InvalidList

PATTERN = "*?["
START_BYTES = 1 << 12


@contextmanager
def open_lists(
    paths: Sequence[Path], sought: Sought, standard_input: OctetStream | None = None, *, presume: bool = False
) -> Iterator[ContactList]:
    """Open lists to be read as one, in this order. Raises InvalidList for what cannot be read, or not as one.

    With `presume` only the beginnings of lists of text are looked at, where all of them are UTF-8; `surveyed` looks at
    the rest.
    """
    with ExitStack() as contents:
        lists = [
            _opened(contents.enter_context(list_content(path, standard_input)), sought, presume=presume)
            for path in expanded(paths)
        ]
        if not all(isinstance(contacts, OpenList) and contacts.is_presumed for contacts in lists):
            lists = [_surveyed(contacts, sought) for contacts in lists]
        yield _as_one(lists)


def _as_one(lists: Sequence[ContactList]) -> ContactList:
    require_alike(lists)
    return lists[0] if len(lists) == 1 else SeveralLists(lists)


def surveyed(contacts: ContactList, sought: Sought) -> ContactList:
    """A list as it is when all of it was looked at. Raises InvalidList as opening it does."""
    lists = contacts.lists if isinstance(contacts, SeveralLists) else [contacts]
    return _as_one([_surveyed(each, sought) for each in lists])


def _surveyed(contacts: ContactList, sought: Sought) -> ContactList:
    if isinstance(contacts, OpenList) and contacts.is_presumed:
        return open_text(contacts.content, sought)
    return contacts


@contextmanager
def reopen_list(path: Path, found: Found, described: Mapping[str, Any]) -> Iterator[ContactList]:
    """Open an output of a job, whose format and columns are known, though it may hold too little to tell them by."""
    with list_content(path) as content:
        yield REOPENERS[described["format"]](content, found, described)


def expanded(paths: Sequence[Path]) -> list[Path]:
    """Patterns that a shell left as they are become the files that they name, in the order of their names.

    Raises InvalidList for a pattern that names none, and InvalidInput for standard input named twice.
    """
    expanded: list[Path] = []
    for path in paths:
        is_pattern = any(mark in str(path) for mark in PATTERN) and not path.exists()
        found = [Path(name) for name in sorted(glob.glob(str(path)))] if is_pattern else [path]  # noqa: PTH207
        if not found:
            raise InvalidList(f"{path}: names no file")
        expanded += found
    if expanded.count(STANDARD_INPUT) > 1:
        raise InvalidInput("-: standard input can be read once")
    return expanded


def _opened(content: Content, sought: Sought, *, presume: bool) -> ContactList:
    try:
        with content.open() as file:
            start = file.read(START_BYTES)
    except OSError as error:
        raise unreadable(content.name, error) from None
    if sought.sheet is not None and not is_zip(start):
        raise list_fault(content.name, 1, "list", "has no sheets; --sheet goes with an Excel workbook")
    for is_one, opener in OPENERS:
        if is_one(start):
            return opener(content, sought)
    require_no_other_json(content.name, start)
    return open_text(content, sought, presume=presume)


OPENERS: Sequence[tuple[Callable[[bytes], bool], Callable[[Content, Sought], ContactList]]] = (
    (is_parquet, open_parquet),
    (is_zip, open_workbook),
    (is_ndjson, open_ndjson),
)
REOPENERS: Mapping[str, Callable[[Content, Found, Mapping[str, Any]], ContactList]] = {
    TEXT_FORMAT: reopen_text,
    NDJSON_FORMAT: reopen_ndjson,
    WORKBOOK_FORMAT: reopen_workbook,
    PARQUET_FORMAT: reopen_parquet,
}
