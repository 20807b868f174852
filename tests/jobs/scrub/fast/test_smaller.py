"""What engines differ about is found in drawn worlds and lists, with little besides."""

from __future__ import annotations

from random import Random

import pytest

from prefcenter.domain.terms import RefusalReason
from tests.jobs.scrub.fast.drawn_lists import a_list
from tests.jobs.scrub.fast.drawn_worlds import World, a_world
from tests.jobs.scrub.fast.smaller import checked, reduced, smaller_lists, smaller_worlds


def refusals_in(world: World) -> int:
    acts = [act for stage in world.stages for act in stage.acts]
    return sum(act.kind == "refusal" and act.reason is not RefusalReason.LEGAL for act in acts)


@pytest.mark.parametrize("seed", range(10))
def test_a_world_is_reduced_to_the_acts_that_make_it_fail(seed: int) -> None:
    chance = Random(seed)
    world = next(world for world in iter(lambda: a_world(chance), None) if refusals_in(world) >= 2)
    smallest = reduced(world, smaller_worlds, lambda other: refusals_in(other) >= 2)
    assert [act.kind for stage in smallest.stages for act in stage.acts] == ["refusal", "refusal"]
    assert not any(stage.is_rotated_before or stage.is_snapshot_taken for stage in smallest.stages)
    assert (smallest.people, len(smallest.policy.purposes), smallest.audience) == ((), 1, None)


@pytest.mark.parametrize("seed", range(10))
def test_a_list_is_reduced_to_the_row_that_makes_it_fail(seed: int) -> None:
    chance = Random(seed)
    world = a_world(chance)
    contacts = a_list(chance, world)
    row = contacts.rows[-1]
    _, smallest = reduced((world, contacts), smaller_lists, lambda drawn: row in drawn[1].rows)
    assert smallest.rows == (row,)
    assert (smallest.suffix, smallest.other, smallest.dedupe, smallest.has_links) == (".csv", None, False, False)


def test_what_fails_otherwise_is_no_smaller_form_of_it() -> None:
    """A smaller world that cannot be asked about does not stand for one about which two engines differ."""
    chance = Random(1)
    world = next(world for world in iter(lambda: a_world(chance), None) if len(world.policy.purposes) > 1)
    kept = world.policy.purposes[0]

    def check(other: World) -> None:
        assert other.policy.purpose_by_id[kept.id] is not kept

    with pytest.raises(AssertionError) as failed:
        checked(check, world, smaller_worlds)
    assert failed.value.__notes__ == [f"smallest:\n{kept!r}\n{world.at_ms}\nNone"]
