"""Random histories of an address whose mailbox has a record under an old key and one under a new key.

Their times crowd around each other at the distances that matter: none, a millisecond, and a minute give or take one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from prefcenter.domain.digest import DigestKind
from prefcenter.domain.events import (
    EVERYTHING,
    Annulled,
    Cell,
    Delisted,
    Delivered,
    Described,
    Erased,
    Event,
    Granted,
    Held,
    Lifted,
    Paused,
    Proposed,
    Refused,
    Released,
    Scope,
)
from prefcenter.domain.record import PAGE_SOURCE, Record, alike_among, erasure_survivors, fold
from prefcenter.domain.terms import Channel, PurposeClass, RefusalReason
from tests.factories import CONTACT, DAY, HOUR, MINUTE, NOW, a_digest
from tests.unit.domain.every_act_model import Act

SUBJECTS = (a_digest(key=1), a_digest(key=2))
OURS = tuple(a_digest("exact", DigestKind.EXACT, key) for key in (1, 2))
THEIRS = tuple(a_digest("another exact form", DigestKind.EXACT, key) for key in (1, 2))

CELLS = (
    Cell("offers", Channel.EMAIL),
    Cell("offers", Channel.SMS),
    Cell("tips", Channel.EMAIL),
    Cell("jobs", Channel.EMAIL),
    Cell("service", Channel.EMAIL),
    Cell(None, None, "profiling"),
    Cell(None, None, "tracking"),
)
GRANTED_CELLS = (*CELLS[:3], Cell("old-tips", Channel.EMAIL), *CELLS[5:])
SCOPES = (
    EVERYTHING,
    Scope(channel=Channel.EMAIL),
    Scope("offers"),
    Scope("offers", channel=Channel.EMAIL),
    Scope(purpose_class=PurposeClass.PROMOTIONAL),
    Scope("old-tips"),
    Scope(data_use="profiling"),
)
NEAR = (-MINUTE - 1, -MINUTE, -MINUTE + 1, -1, 0, 0, 1, MINUTE - 1, MINUTE, MINUTE + 1)
STEPS = (0, 0, 1, MINUTE - 1, MINUTE, MINUTE + 1, 10 * MINUTE, HOUR)
REASONS = tuple(reason for reason in RefusalReason if reason is not RefusalReason.ERASED)


@dataclass(frozen=True)
class Palette:
    """What acts are drawn from. Where one stands in it more often, it is drawn more often."""

    reasons: tuple[RefusalReason, ...]
    scopes: tuple[Scope, ...]
    cells: tuple[Cell, ...]


# Half of all refusals are opt-outs, because those are what consents are weighed against.
WIDE = Palette((*REASONS, *[RefusalReason.OPTED_OUT] * len(REASONS)), SCOPES, GRANTED_CELLS)
# Few scopes and one cell, so that nearly every act meets every other one.
NARROW = Palette(
    (RefusalReason.OPTED_OUT, RefusalReason.OPTED_OUT, RefusalReason.BOUNCED, RefusalReason.ON_REGISTRY),
    (EVERYTHING, SCOPES[3]),
    CELLS[:1],
)


@dataclass(frozen=True)
class Log:
    """Acts in the order of their receipt, and the records that they fold into."""

    acts: tuple[Act, ...]
    records: tuple[Record, ...]
    received_ms: int


@st.composite
def refusals(draw: st.DrawFn, received_ms: int, stated_ms: int | None, record: int, palette: Palette = WIDE) -> Refused:
    reason, scope = draw(st.sampled_from(palette.reasons)), draw(st.sampled_from(palette.scopes))
    source, ends = "tps", None
    if reason is RefusalReason.BOUNCED:
        ends = draw(st.sampled_from((OURS[record], OURS[record], THEIRS[record], None)))
    if reason is RefusalReason.ON_REGISTRY:
        source = draw(st.sampled_from(("tps", "ctps")))
    if reason is RefusalReason.OPTED_OUT:
        source = draw(st.sampled_from(("tps", PAGE_SOURCE)))
    return Refused(received_ms, stated_ms, reason, scope, source, ends)


@st.composite
def grants(draw: st.DrawFn, received_ms: int, stated_ms: int | None, record: int, palette: Palette = WIDE) -> Granted:
    exact = draw(st.sampled_from((OURS[record], OURS[record], OURS[record], THEIRS[record])))
    cell = draw(st.sampled_from(palette.cells))
    given_ms = received_ms if stated_ms is None else stated_ms
    lasts_ms = draw(st.sampled_from((None, 1, MINUTE, HOUR, HOUR + 1, DAY)))
    expires_ms = None if lasts_ms is None else given_ms + lasts_ms
    wording = draw(st.sampled_from(("wording-1", "wording-2")))
    return Granted(received_ms, stated_ms, exact, cell, wording, "form", "person", expires_ms)


@st.composite
def other_acts(draw: st.DrawFn, received_ms: int, record: Record) -> Event:
    channel = draw(st.sampled_from((Channel.EMAIL, Channel.SMS)))
    lift = Lifted(
        received_ms,
        draw(st.sampled_from(tuple(RefusalReason))),
        "mistake",
        draw(st.sampled_from((None, None, "offers"))),
        draw(st.sampled_from((None, None, channel))),
    )
    pause = Paused(received_ms, draw(st.sampled_from((None, received_ms + MINUTE, received_ms + HOUR))))
    delisted = Delisted(
        received_ms,
        draw(st.sampled_from(("tps", "ctps"))),
        draw(st.sampled_from((EVERYTHING, Scope(channel=channel), Scope("offers")))),
        draw(st.sampled_from((None, received_ms, received_ms - MINUTE))),
    )
    erased = Erased(received_ms, "request", erasure_survivors(record))
    acts: tuple[Event, ...] = (lift, Delivered(received_ms, channel, "link"), delisted, pause, erased)
    return draw(st.sampled_from(acts) | acts_that_open_nothing(received_ms))


@st.composite
def acts_that_open_nothing(draw: st.DrawFn, received_ms: int) -> Event:
    """What is put on record beside choices, and what the second opinion therefore knows nothing of."""
    exact, cell = draw(st.sampled_from(OURS)), draw(st.sampled_from(GRANTED_CELLS))
    given_ms = draw(st.sampled_from((None, received_ms, received_ms - HOUR)))
    proposed = Proposed(received_ms, given_ms, exact, cell, "wording-1", "crm", "crm", None)
    released, described = Released(received_ms, CONTACT), Described(received_ms, ("client",), "crm", None, SUBJECTS)
    acts: tuple[Event, ...] = (
        proposed,
        released,
        described,
        Held(received_ms, CONTACT, None),
        Released(received_ms, CONTACT),
    )
    return draw(st.sampled_from(acts))


@st.composite
def logs(draw: st.DrawFn, acts_max: int = 12, keys: Sequence[int] = (0, 0, 1), palette: Palette = WIDE) -> Log:
    """A history of up to `acts_max` acts, with the records it leaves."""
    records = [Record(subject) for subject in SUBJECTS]
    versions = [[record] for record in records]
    acts: list[Act] = []
    received_ms = NOW
    for _ in range(draw(st.integers(1, acts_max))):
        received_ms += draw(st.sampled_from(STEPS))
        which = draw(st.sampled_from(keys))
        event = draw(events(received_ms, [act.happened_ms for act in acts], which, records[which], palette))
        if records[which].refusals and draw(st.integers(0, 5)) == 0:
            event = draw(annulments(received_ms, versions[which]))
        records[which] = fold(records[which], event)
        versions[which].append(records[which])
        acts.append(Act(which, records[which].version, event))
    return Log(tuple(acts), tuple(records), received_ms)


@st.composite
def annulments(draw: st.DrawFn, received_ms: int, versions: Sequence[Record]) -> Annulled:
    """Somebody takes a standing refusal back, entitled to or not; `versions` are the record as it was at each."""
    refusal = draw(st.sampled_from(versions[-1].refusals))
    version = refusal.at.version
    return Annulled(received_ms, version, alike_among(versions[version - 1].refusals, refusal))


@st.composite
def events(
    draw: st.DrawFn, received_ms: int, earlier_ms: Sequence[int], which: int, record: Record, palette: Palette
) -> Event:
    stated_ms = draw(st.none() | stated_times(received_ms, earlier_ms))
    kind = draw(st.sampled_from("refusal refusal refusal grant grant grant other".split()))
    if kind == "refusal":
        return draw(refusals(received_ms, stated_ms, which, palette))
    if kind == "grant":
        return draw(grants(received_ms, stated_ms, which, palette))
    return draw(other_acts(received_ms, record))


@st.composite
def stated_times(draw: st.DrawFn, received_ms: int, earlier_ms: Sequence[int]) -> int:
    """A time close to that of an earlier act, but never after the receipt."""
    around = draw(st.sampled_from((*earlier_ms, received_ms)))
    return min(received_ms, around + draw(st.sampled_from(NEAR)))


def clock_times(log: Log) -> list[int]:
    """The receipt of the last act, and both sides of every later moment at which the clock ends something."""
    ends = [log.received_ms + DAY]
    for act in log.acts:
        event = act.event
        if isinstance(event, Granted):
            ends.append(event.expires_ms or 0)
        if isinstance(event, Paused):
            ends.append(event.until_ms or 0)
    around = {moment for end in ends for moment in (end - 1, end) if moment > log.received_ms}
    return [log.received_ms, *sorted(around)]
