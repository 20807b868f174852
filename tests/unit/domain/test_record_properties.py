"""Laws of the fold: it forgets nothing that matters, order of arrival is no matter, and only named acts open a cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from prefcenter.domain.decision import decide
from prefcenter.domain.events import Annulled, Cell, Delisted, Delivered, Event, Granted, Lifted, Paused, Refused
from prefcenter.domain.record import Record, fold, fold_all
from prefcenter.domain.terms import AddressClass
from tests.factories import DAY, HOUR, MINUTE, NOW, POLICY, a_holder, a_request_for
from tests.unit.domain.every_act_model import Question, reason_of
from tests.unit.domain.random_logs import (
    CELLS,
    NARROW,
    NEAR,
    OURS,
    SUBJECTS,
    Log,
    clock_times,
    grants,
    logs,
    refusals,
)

HELD_SINCE = (None, NOW - DAY, NOW + HOUR, NOW + 30 * DAY)
EXACTS = frozenset(OURS)


def many(times: int) -> settings:
    """So many times the examples of the profile in use."""
    return settings(max_examples=times * settings().max_examples)


def decided(
    records: Sequence[Record], cell: Cell, address_class: AddressClass, now_ms: int, held_since_ms: int | None = None
) -> str:
    holders = () if held_since_ms is None else (a_holder(since_ms=held_since_ms),)
    records = [replace(record, holders=holders) for record in records]
    request = replace(a_request_for(cell, address_class), exacts=EXACTS)
    return decide(POLICY, records, request, now_ms).reason.value


def all_answers(records: Sequence[Record], times_ms: Sequence[int]) -> list[str]:
    """Every cell, for both classes of address, at each time."""
    return [decided(records, cell, each, time) for cell, each, time in product(CELLS, AddressClass, times_ms)]


def assert_as_if_every_act_had_been_kept(log: Log, cells: Sequence[Cell], held_since_ms: int | None = None) -> None:
    for cell, address_class, now_ms in product(cells, AddressClass, clock_times(log)):
        question = Question(cell, EXACTS, address_class, held_since_ms)
        expected = reason_of(log.acts, POLICY, question, now_ms)
        assert decided(log.records, cell, address_class, now_ms, held_since_ms) == expected


@given(logs(), st.sampled_from(HELD_SINCE))
def test_a_record_answers_as_if_every_act_had_been_kept(log: Log, held_since_ms: int | None) -> None:
    assert_as_if_every_act_had_been_kept(log, CELLS, held_since_ms)


@many(4)
@given(logs(acts_max=7, keys=(0,), palette=NARROW))
def test_acts_that_all_meet_each_other_are_answered_so_too(log: Log) -> None:
    assert_as_if_every_act_had_been_kept(log, CELLS[:1])


@many(2)
@given(logs(acts_max=6, keys=(0, 1), palette=NARROW))
def test_acts_that_meet_across_two_records_are_answered_so_too(log: Log) -> None:
    assert_as_if_every_act_had_been_kept(log, CELLS[:1])


@st.composite
def stated_events(draw: st.DrawFn) -> list[Event]:
    times = [draw(st.sampled_from(NEAR)) + NOW for _ in range(draw(st.integers(1, 6)))]
    return [draw(refusals(NOW + HOUR, time, 0) | grants(NOW + HOUR, time, 0)) for time in times]


@st.composite
def live_events(draw: st.DrawFn) -> list[Event]:
    steps = draw(st.lists(st.sampled_from((0, 1, 60_000, 60_001)), max_size=4))
    times = [NOW + sum(steps[:count]) for count in range(len(steps))]
    return [draw(refusals(time, None, 0) | grants(time, None, 0)) for time in times]


@st.composite
def two_orders(draw: st.DrawFn) -> tuple[list[Event], list[Event]]:
    """Two arrivals of the same events, in which the live ones keep their order."""
    stated, live = draw(stated_events()), draw(live_events())
    slots = ["stated"] * len(stated) + ["live"] * len(live)

    def arrival() -> Iterator[Event]:
        queues = {"stated": iter(draw(st.permutations(stated))), "live": iter(live)}
        return (next(queues[slot]) for slot in draw(st.permutations(slots)))

    return list(arrival()), list(arrival())


PROBES = (NOW, NOW + MINUTE + 1, NOW + HOUR - 1, NOW + HOUR + MINUTE + 1)


@given(two_orders())
def test_acts_with_a_stated_time_may_arrive_in_any_order(orders: tuple[list[Event], list[Event]]) -> None:
    one, other = (fold_all(SUBJECTS[0], events) for events in orders)
    assert all_answers([one], PROBES) == all_answers([other], PROBES)


@given(two_orders(), st.data())
def test_a_stated_act_sent_again_changes_nothing(orders: tuple[list[Event], list[Event]], data: st.DataObject) -> None:
    record = fold_all(SUBJECTS[0], orders[0])
    stated = [event for event in orders[0] if isinstance(event, Refused | Granted) and event.stated_ms is not None]
    again = fold(record, replace(data.draw(st.sampled_from(stated)), received_ms=NOW + 2 * HOUR))
    assert again.has_same_choices(record)
    assert all_answers([again], PROBES) == all_answers([record], PROBES)


@given(logs(keys=(0,)), st.data())
def test_an_old_act_sent_again_opens_nothing(log: Log, data: st.DataObject) -> None:
    """Not even after lifts, verified deliveries and erasures: a retry never turns a refusal into a permission."""
    event = data.draw(st.sampled_from([act.event for act in log.acts]))
    if isinstance(event, Refused | Granted):
        event = replace(event, stated_ms=event.received_ms if event.stated_ms is None else event.stated_ms)
        assert_opens_nothing(log.records, fold(log.records[0], replace(event, received_ms=log.received_ms)), log)


def assert_opens_nothing(before: Sequence[Record], after: Record, log: Log) -> None:
    times = clock_times(log)
    changes = zip(all_answers(before, times), all_answers([after, *before[1:]], times), strict=True)
    assert [change for change in changes if change[0] != "permitted" and change[1] == "permitted"] == []


def may_open(event: Event, cell: Cell) -> bool:
    """The acts that CONTRACTS lists, and the end of a pause."""
    if isinstance(event, Granted):
        return event.cell == cell and event.exact in EXACTS
    return isinstance(event, Annulled | Lifted | Delivered | Delisted | Paused)


@given(logs())
def test_only_a_named_act_opens_a_cell_at_the_time_it_arrives(log: Log) -> None:
    records = [Record(subject) for subject in SUBJECTS]
    for act in log.acts:
        before = list(records)
        records[act.record] = fold(records[act.record], act.event)
        for cell, address_class in product(CELLS, AddressClass):
            was, now = (decided(each, cell, address_class, act.event.received_ms) for each in (before, records))
            if was != "permitted" and now == "permitted":
                assert may_open(act.event, cell)
