"""Whether one policy may follow another: a policy change never reopens what a person refused (promise 4 of the design).

A refusal binds what it names: a purpose, a class of purposes, a channel, a data use, or everything but administrative
messages. So a purpose may leave only into a successor that inherits its refusals, inheritance once begun goes on, a
purpose keeps its class, and nothing becomes administrative, which is what an opt-out does not stop.

Data uses are free to come, go and change: a refusal of one binds its id for good, and an unknown one is refused.
So is `bare_opt_out`: an opt-out's scope was settled when it was made.
"""

from __future__ import annotations

from collections.abc import Iterator

from prefcenter.domain.errors import Fault
from prefcenter.domain.policy import Policy, Purpose


def succession_faults(last: Policy, new: Policy, file: str) -> tuple[Fault, ...]:
    """Everything in `new` that could turn a refusal given under `last` into a permission, in a stable order."""
    if new.controller != last.controller:
        return (Fault(file, "controller.id", f"`{last.controller}`, as in the policy in force"),)
    return (*_country_faults(last, new, file), *_removal_faults(last, new, file), *_purpose_faults(last, new, file))


def _country_faults(last: Policy, new: Policy, file: str) -> Iterator[Fault]:
    # A number or postcode written without its country would become another address, which nobody refused.
    if new.country != last.country:
        yield Fault(file, "controller.country", f"`{last.country}`, as in the policy in force")


def _removal_faults(last: Policy, new: Policy, file: str) -> Iterator[Fault]:
    inherited = frozenset[str]().union(*(purpose.succeeds for purpose in new.purposes))
    for purpose in last.purposes:
        if purpose.id not in new.purpose_by_id and purpose.id not in inherited:
            yield Fault(file, f"purpose[{purpose.id}]", "still a purpose, or named in what another purpose succeeds")
    # Another purpose inherited its refusals and must go on doing so, while its old grants would come to life again.
    removed_before = frozenset[str]().union(*(purpose.succeeds for purpose in last.purposes))
    for purpose in new.purposes:
        if purpose.id in removed_before:
            yield Fault(file, f"purpose[{purpose.id}].id", "an id that no removed purpose had")


def _purpose_faults(last: Policy, new: Policy, file: str) -> Iterator[Fault]:
    for purpose in new.purposes:
        for predecessor in _predecessors(last, purpose):
            yield from _inheritance_faults(predecessor, purpose, file)
            yield from _class_faults(predecessor, purpose, file)


def _predecessors(last: Policy, purpose: Purpose) -> Iterator[Purpose]:
    """The purposes of `last` that this one is or succeeds."""
    return (candidate for candidate in last.purposes if candidate.id in {purpose.id, *purpose.succeeds})


def _inheritance_faults(predecessor: Purpose, purpose: Purpose, file: str) -> Iterator[Fault]:
    for lost in sorted(predecessor.succeeds - purpose.succeeds):
        yield Fault(file, f"purpose[{purpose.id}].succeeds", f"`{lost}` too, for `{predecessor.id}` succeeded it")


def _class_faults(predecessor: Purpose, purpose: Purpose, file: str) -> Iterator[Fault]:
    # An opt-out never covered the administrative one, so whatever follows it is only stopped by more.
    if purpose.purpose_class is not predecessor.purpose_class and not predecessor.is_administrative:
        expected = f"`{predecessor.purpose_class}`, the class of `{predecessor.id}` in the policy in force"
        yield Fault(file, f"purpose[{purpose.id}].class", expected)
