"""Drawn worlds and lists that are a little smaller, and the smallest of them in which engines still differ.

What is drawn comes out of a `Random`, of which Hypothesis can make nothing smaller; so what failed is taken apart here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from prefcenter.domain.errors import PrefcenterError
from tests.jobs.scrub.fast.drawn_acts import Act
from tests.jobs.scrub.fast.drawn_lists import DrawnList
from tests.jobs.scrub.fast.drawn_worlds import Stage, World

Item = TypeVar("Item")
Drawn = TypeVar("Drawn")
Result = TypeVar("Result")


def checked(check: Callable[[Drawn], Result], drawn: Drawn, smaller: Callable[[Drawn], Iterator[Drawn]]) -> Result:
    """What the check gives. Where it fails, it fails of the smallest drawing that it fails of, which stands beside."""
    try:
        return check(drawn)
    except AssertionError:
        smallest = reduced(drawn, smaller, lambda other: _fails(check, other))
        try:
            check(smallest)
        except AssertionError as error:
            error.add_note(f"smallest:\n{shown(smallest)}")
            raise error from None
        raise


def reduced(drawn: Drawn, smaller: Callable[[Drawn], Iterator[Drawn]], fails: Callable[[Drawn], bool]) -> Drawn:
    """Something that fails, and of which nothing smaller does."""
    while (found := next(filter(fails, smaller(drawn)), None)) is not None:
        drawn = found
    return drawn


def shown(drawn: object) -> str:
    """What was drawn, line by line; of a policy what can be left out of it."""
    if isinstance(drawn, tuple):
        return "\n".join(map(shown, drawn))
    if not isinstance(drawn, World):
        return repr(drawn)
    of_policy = (*drawn.policy.purposes, *drawn.policy.data_uses)
    return "\n".join(map(repr, (*drawn.stages, *of_policy, *drawn.people, drawn.at_ms, drawn.audience)))


def _fails(check: Callable[[Drawn], object], drawn: Drawn) -> bool:
    """Whether it fails in the same way: what cannot be asked any more, as of a purpose that is gone, does not."""
    try:
        check(drawn)
    except AssertionError:
        return True
    except (PrefcenterError, LookupError, ArithmeticError):
        return False
    return False


def smaller_worlds(world: World) -> Iterator[World]:
    """Without some of its stages, acts, people, purposes or uses of data, or with a simpler stage or act."""
    yield from (replace(world, stages=stages) for stages in _shorter(world.stages))
    yield from (replace(world, stages=stages) for stages in _with_one(world.stages, _smaller_stages))
    for purposes in filter(None, _shorter(world.policy.purposes)):
        yield replace(world, policy=replace(world.policy, purposes=purposes))
    for data_uses in _shorter(world.policy.data_uses):
        yield replace(world, policy=replace(world.policy, data_uses=data_uses))
    yield from (replace(world, people=people) for people in _shorter(world.people))
    if world.audience is not None:
        yield replace(world, audience=None)


def smaller_lists(drawn: tuple[World, DrawnList]) -> Iterator[tuple[World, DrawnList]]:
    """A list with fewer rows or asked for less, or the same in a smaller world."""
    world, contacts = drawn
    yield from ((world, replace(contacts, rows=rows)) for rows in _shorter(contacts.rows))
    simpler: dict[str, object] = dict.fromkeys(("other", "stated", "campaign"))
    simpler |= dict.fromkeys(("has_class", "has_audience", "dedupe", "has_links"), False)
    simpler |= {"employers": "", "suffix": ".csv", "encoding": "utf-8"}
    for name, value in simpler.items():
        if getattr(contacts, name) != value:
            yield world, replace(contacts, **{name: value})  # type: ignore[arg-type]
    yield from ((other, contacts) for other in smaller_worlds(world))


def _smaller_stages(stage: Stage) -> Iterator[Stage]:
    yield from (replace(stage, acts=acts) for acts in _shorter(stage.acts))
    yield from (replace(stage, acts=acts) for acts in _with_one(stage.acts, _simpler_acts))
    if stage.is_rotated_before:
        yield replace(stage, is_rotated_before=False)
    if stage.is_snapshot_taken:
        yield replace(stage, is_snapshot_taken=False)


def _simpler_acts(act: Act) -> Iterator[Act]:
    if act.at_ms is not None:
        yield replace(act, at_ms=None)
    if act.ends_ms is not None:
        yield replace(act, ends_ms=None)


def _shorter(items: tuple[Item, ...]) -> Iterator[tuple[Item, ...]]:
    """Without a half, a quarter and so on, and without one."""
    sizes = [len(items) >> halvings for halvings in range(1, len(items).bit_length())]
    for size in sizes or [1] * len(items):
        yield from (items[:start] + items[start + size :] for start in range(0, len(items), size))


def _with_one(items: tuple[Item, ...], smaller: Callable[[Item], Iterator[Item]]) -> Iterator[tuple[Item, ...]]:
    """With one of them made smaller."""
    for place, item in enumerate(items):
        yield from ((*items[:place], other, *items[place + 1 :]) for other in smaller(item))
