"""Options and argument types that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

import click

from prefcenter.bootstrap import system_clock
from prefcenter.domain.errors import InvalidTime
from prefcenter.domain.terms import AddressClass, Channel, PurposeClass, RefusalReason
from prefcenter.domain.time import parse_time

ADDRESS_CHARACTERS_MAX = 4096
LATEST_MS = parse_time("9998-12-31", end_of_day=True)
"""A question about a later time would have an answer that is valid beyond the last year that RFC 3339 can write."""
Word = TypeVar("Word", bound=StrEnum)
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class TimeType(click.ParamType[int]):
    """RFC 3339 with a zone, or a date: its start for a grant or a question, its end for a refusal."""

    name = "time"

    def __init__(self, *, end_of_day: bool) -> None:
        self._end_of_day = end_of_day

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_time(value, end_of_day=self._end_of_day, now_ms=system_clock())
        except InvalidTime as error:
            self.fail(str(error), param, ctx)


class WordType(click.Choice[Any]):
    """One of the words of a closed list."""

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__([word.value for word in words])
        self._words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> StrEnum:
        return value if isinstance(value, self._words) else self._words(super().convert(value, param, ctx))


class AddressType(click.ParamType[str]):
    """An address, or `-` to read it from standard input, where no process list can show it."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value != "-":
            return str(value)
        text = self._standard_input(param, ctx)
        if len(text) > ADDRESS_CHARACTERS_MAX:
            self.fail(f"more than {ADDRESS_CHARACTERS_MAX} characters on standard input", param, ctx)
        return text.strip("\r\n")

    def _standard_input(self, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if sys.stdin is None:
            self.fail("standard input is closed", param, ctx)
        try:
            return sys.stdin.read(ADDRESS_CHARACTERS_MAX + 1)
        except UnicodeDecodeError:
            self.fail("standard input is not text in this terminal's encoding", param, ctx)


address_argument = click.argument("address", type=AddressType())
controller_option = click.option("--controller", required=True, metavar="ID", help="Whose policy answers.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def purpose_option(*, required: bool = False, purpose_help: str = "The kind of message.") -> Decorator:
    """`--purpose`."""
    return click.option("--purpose", required=required, metavar="ID", help=purpose_help)


def channel_option(*, required: bool = False, channel_help: str = "The way of reaching the person.") -> Decorator:
    """`--channel`."""
    return click.option("--channel", type=WordType(Channel), required=required, help=channel_help)


def class_option(class_help: str) -> Decorator:
    """`--class`, of purposes."""
    return click.option("--class", "purpose_class", type=WordType(PurposeClass), help=class_help)


def reason_option(*, required: bool = False, reason_help: str) -> Decorator:
    """`--reason`. There are too many for one line of the help, so its text lists them."""
    reason = WordType(RefusalReason)
    return click.option("--reason", type=reason, metavar="REASON", required=required, help=reason_help)


def address_class_option() -> Decorator:
    """`--address-class`."""
    return click.option(
        "--address-class",
        type=WordType(AddressClass),
        help="Whose address it is; a free-mail address is personal whatever is said here.",
    )


def data_use_option() -> Decorator:
    """`--data-use`."""
    return click.option("--data-use", metavar="ID", help="A use of data that is not a message.")


def at_option(*, end_of_day: bool, at_help: str) -> Decorator:
    """`--at`."""
    time_type = TimeType(end_of_day=end_of_day)
    return click.option("--at", "at_ms", type=time_type, metavar="TIME", help=at_help, callback=_not_after_latest)


def _not_after_latest(_ctx: click.Context, _param: click.Parameter, at_ms: int | None) -> int | None:
    if at_ms is not None and at_ms > LATEST_MS:
        raise click.BadParameter("the latest time is the end of 9998")
    return at_ms
