"""Drawn worlds: a policy, what happened under which keys and snapshots, and whom a list is about.

Few people, times and ends are drawn, so that acts concern the same address, times meet at their edges, and the rows of
a list find something on record. Choices are those of a `Random`, for drawn evenly all of them meet soonest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from jobs.scrub.snapshot.export import SnapshotKeeper
from prefcenter.domain.events import Cell
from prefcenter.domain.policy import Policy
from prefcenter.domain.terms import Channel, RefusalReason
from prefcenter.security.keyring import Keyring, new_keyring
from prefcenter.services.ports import Store
from tests.factories import DAY, HOUR, MINUTE, NOW
from tests.fakes import MemoryStore
from tests.jobs.scrub.fast.drawn_acts import KINDS, SHAPES, Act, DrawnHome
from tests.jobs.scrub.fast.drawn_people import DEFECTS, Person, reached_by
from tests.jobs.scrub.fast.drawn_policies import a_policy

OFTEN = (*("refusal", "consent", "send") * 3, "pause", "hold", "page", "hash")
OFTEN_SHAPES = (*SHAPES, *("everything", "purpose", "channel", "cell") * 2)
RECEIVED = (NOW - 40 * DAY, NOW - 3 * DAY, NOW - 2 * DAY, NOW - 2 * DAY + MINUTE, NOW - DAY, NOW - HOUR, NOW)
STATED = (None, None, NOW - 40 * DAY, NOW - 2 * DAY, NOW - 2 * DAY + MINUTE, NOW - DAY - MINUTE, NOW - 1, NOW)
EDGES = (-1, 0, 1)
ENDS = (None, -DAY, -HOUR, *EDGES, HOUR, *(DAY + edge for edge in EDGES), 9 * DAY)
"""When consents and pauses end, from the time of the question; decisions hold for a day."""

AT = (NOW, NOW, NOW, NOW - 2 * DAY, NOW + DAY)
ADDRESSED_AS = (None,) * 6 + ("client", "alumni", "nobody")


@dataclass(frozen=True)
class Stage:
    """What happens under one key. A snapshot is taken at its end, or what it left is there for the next to find.

    `take_in_from`: of how many records that were touched the snapshot is written anew.
    """

    acts: tuple[Act, ...]
    is_rotated_before: bool
    is_snapshot_taken: bool
    take_in_from: int


@dataclass(frozen=True)
class World:
    """A policy, what happened, and when and as whose list somebody asks about whom."""

    policy: Policy
    stages: tuple[Stage, ...]
    people: tuple[Person, ...]
    at_ms: int
    audience: str | None

    @property
    def cells(self) -> list[Cell]:
        """All that may be asked about somebody."""
        return [cell for cell in cells_of(self.policy) if self.reached_by(channel_of(cell))]

    def reached_by(self, channel: Channel) -> list[Person]:
        return [person for person in self.people if person in reached_by(channel)]

    def spellings(self, channel: Channel) -> list[str]:
        """What stands in a column of addresses: the people of the world that a channel reaches, and defects."""
        return [*(spelling for person in self.reached_by(channel) for spelling in person.spellings), *DEFECTS]

    def home(self, cache: Path, opened: Callable[[Keyring], Store] = MemoryStore) -> DrawnHome:
        """The home after all that happened, with the snapshots that were taken meanwhile."""
        keyring = new_keyring("2026-11-21T00:00:00Z")
        home = DrawnHome(self.policy, keyring, opened(keyring), opened)
        for stage in self.stages:
            home = home.rotated() if stage.is_rotated_before else home
            home.take(stage.acts)
            if stage.is_snapshot_taken:
                kept = (self.policy.controller, home.store, home.sealer, cache)
                asyncio.run(SnapshotKeeper(*kept, take_in_from=stage.take_in_from).current())
        return home


def a_world(chance: Random) -> World:
    """One in which a few kinds of acts happen: where all of them do, the strongest refusal hides the rest."""
    policy, at_ms = a_policy(chance), chance.choice(AT)
    asked = [chance.choice(cells_of(policy)) for _ in range(2)]
    concerned = [(cell, chance.choice(reached_by(channel_of(cell)))) for cell in asked]
    kinds = [*chance.choices(OFTEN, k=2), chance.choice(KINDS)]
    stages = tuple(
        Stage(
            tuple(_act(chance, policy, concerned, kinds, at_ms) for _ in range(chance.randint(1, 6))),
            chance.random() < 0.4,
            chance.random() < 0.6,
            chance.choice([1, 3, 1_000]),
        )
        for _ in range(chance.randint(1, 3))
    )
    people = [*(person for _, person in concerned), chance.choice(reached_by(Channel.EMAIL))]
    return World(policy, stages, tuple(dict.fromkeys(people)), at_ms, chance.choice(ADDRESSED_AS))


def _act(
    chance: Random, policy: Policy, concerned: Sequence[tuple[Cell, Person]], kinds: Sequence[str], at_ms: int
) -> Act:
    """An act of one of the kinds by, or about, somebody of whom a cell is asked; now and then about whole domains."""
    cell, person = chance.choice(concerned)
    kind = chance.choice(kinds)
    is_of_domain = kind in ("refusal", "lift", "pause") and person.domains and chance.random() < 0.3
    end = chance.choice(ENDS)
    return Act(
        kind,
        chance.choice(person.domains if is_of_domain else person.spellings),
        cell,
        chance.choice(list(RefusalReason)),
        chance.choice(OFTEN_SHAPES),
        chance.choice(RECEIVED),
        chance.choice(_sent(policy, cell, at_ms) if kind == "send" else STATED),
        None if end is None else at_ms + end,
        chance.randrange(12),
    )


def _sent(policy: Policy, cell: Cell, at_ms: int) -> Sequence[int]:
    """Around the edges of the window that a cap looks back on."""
    cap = policy.purpose_by_id[cell.purpose or ""].cap
    opened_ms = at_ms - (1 if cap is None else cap.days) * DAY
    return [*(opened_ms + edge for edge in (-HOUR, *EDGES, HOUR)), at_ms - HOUR, at_ms]


def cells_of(policy: Policy) -> list[Cell]:
    return [Cell(purpose.id, channel) for purpose in policy.purposes for channel in sorted(purpose.channels)]


def channel_of(cell: Cell) -> Channel:
    assert cell.channel is not None
    return cell.channel
