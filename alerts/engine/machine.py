"""The life of one rule for one subject: pure, one verdict at a time.

Two functions, because two questions differ. `in_order` is asked about the newest reading:
what is true now? `out_of_order` about one older than what is already known: was something
true that we did not see? The second corrects the record and never undoes the present.

Lateness is `received_at - time`, both of them in the reading, so that the answer does not
depend on when, or how often, or in which batches the engine is run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from alerts.engine.state import (
    CLEAR,
    CLEARING,
    HELD_BACK,
    OPEN,
    PENDING,
    Change,
    Past,
    RuleState,
    Transition,
)

replace = msgspec.structs.replace


class Timing(NamedTuple):
    """The part of a rule that is the same for every kind. Microseconds."""

    rule_id: int
    duration: int
    clear_duration: int
    cooldown: int
    lateness: int
    max_gap: int
    """0: none."""
    allows: Callable[[int], bool] | None
    """The schedule; None: always."""
    on_edge: bool
    """The condition must have been seen not to hold before it may open."""


class Moment(NamedTuple):
    """The identity of the reading a verdict is about."""

    time: int
    reading_id: int
    received_at: int


_NEVER = RuleState()


def in_order(
    timing: Timing, state: RuleState | None, holds: bool, moment: Moment
) -> tuple[RuleState | None, list[Transition]]:
    """One verdict about the newest reading. Returns the same state object if nothing moved."""
    now = moment.time
    phase = CLEAR if state is None else state.phase
    if phase in (OPEN, CLEARING):
        assert state is not None  # noqa: S101  (for the type checker)
        return _while_open(timing, state, holds, moment)
    if not holds:
        if phase == CLEAR:
            return (RuleState() if timing.on_edge and state is None else state), []
        assert state is not None  # noqa: S101
        return _settled(timing, replace(state, phase=CLEAR, since=0, seen=0)), []
    if phase == HELD_BACK or (state is None and timing.on_edge):
        return (state or RuleState(phase=HELD_BACK)), []
    if phase == PENDING:
        assert state is not None  # noqa: S101
        broken = timing.max_gap and now - state.seen > timing.max_gap
        state = replace(state, since=now if broken else state.since, seen=now)
    else:
        state = replace(state or _NEVER, phase=PENDING, since=now, seen=now)
    if not _may_open(timing, state, now):
        return state, []
    late = _is_late(timing, moment)
    opened = replace(state, phase=OPEN, seen=0, late=late, noted=False)
    return opened, [_transition("opened", timing, state.since, moment, late)]


def _while_open(
    timing: Timing, state: RuleState, holds: bool, moment: Moment
) -> tuple[RuleState | None, list[Transition]]:
    if holds:
        transitions = []
        if state.late and not _is_late(timing, moment):
            # Found by late readings, and still so now: this is worth somebody's attention.
            transitions.append(_transition("confirmed", timing, state.since, moment, False))
            state = replace(state, late=False)
        if state.phase == CLEARING:
            state = replace(state, phase=OPEN, clear_since=0)
        return state, transitions
    if state.phase == OPEN:
        state = replace(state, phase=CLEARING, clear_since=moment.time)
    if moment.time - state.clear_since < timing.clear_duration:
        return state, []
    resolved = _transition("resolved", timing, state.since, moment, state.late)
    return RuleState(closed_at=moment.time, past=state.past), [resolved]


def out_of_order(
    timing: Timing, state: RuleState | None, holds: bool, moment: Moment, newest: int
) -> tuple[RuleState | None, list[Transition]]:
    """One verdict about a reading older than `newest`, the newest one known."""
    phase = CLEAR if state is None else state.phase
    if state is not None and phase != CLEAR and phase != HELD_BACK and moment.time >= state.since:
        return _within_episode(timing, state, holds, moment, newest)
    return _before_episode(timing, state or _NEVER, holds, moment)


def _within_episode(
    timing: Timing, state: RuleState, holds: bool, moment: Moment, newest: int
) -> tuple[RuleState, list[Transition]]:
    if holds:
        return state, []
    if state.phase == PENDING:
        # What held between this reading and the newest is not known any more: count anew.
        return replace(state, since=newest), []
    if state.noted or (state.phase == CLEARING and moment.time >= state.clear_since):
        return state, []
    note = _transition("annotated", timing, state.since, moment, True, "contradicted")
    return replace(state, noted=True), [note]


def _before_episode(
    timing: Timing, state: RuleState, holds: bool, moment: Moment
) -> tuple[RuleState | None, list[Transition]]:
    past = state.past
    if not holds:
        if past is None:
            return _settled(timing, state), []
        return _settled(timing, replace(state, past=None)), _end_of(timing, past, moment)
    if past is not None and past.last <= moment.time and _adjacent(timing, past.last, moment.time):
        transitions: list[Transition] = []
        past = Past(past.since, moment.time, past.recorded)
    else:
        transitions = [] if past is None else _end_of(timing, past, moment)
        past = Past(moment.time, moment.time, False)
    proven = past.last - past.since >= timing.duration
    if not past.recorded and proven and _is_permitted(timing, moment.time):
        late = _is_late(timing, moment) or _within_cooldown(timing, state, past.since)
        transitions.append(_transition("recorded", timing, past.since, moment, late))
        past = Past(past.since, past.last, True)
    return replace(state, past=past), transitions


def _end_of(timing: Timing, past: Past, moment: Moment) -> list[Transition]:
    """A recorded run turned out to have lasted until its last reading."""
    if not past.recorded:
        return []
    last = Moment(past.last, moment.reading_id, moment.received_at)
    return [_transition("annotated", timing, past.since, last, True, "lasted_until")]


def _may_open(timing: Timing, state: RuleState, now: int) -> bool:
    return (
        now - state.since >= timing.duration
        and not _within_cooldown(timing, state, now)
        and _is_permitted(timing, now)
    )


def _within_cooldown(timing: Timing, state: RuleState, now: int) -> bool:
    return state.closed_at != 0 and state.closed_at <= now < state.closed_at + timing.cooldown


def _is_permitted(timing: Timing, now: int) -> bool:
    return timing.allows is None or timing.allows(now)


def _is_late(timing: Timing, moment: Moment) -> bool:
    return moment.received_at - moment.time > timing.lateness


def _adjacent(timing: Timing, earlier: int, later: int) -> bool:
    return not timing.max_gap or later - earlier <= timing.max_gap


def _settled(timing: Timing, state: RuleState) -> RuleState | None:
    """Forget a state that says nothing, so that quiet vehicles cost no memory."""
    return None if state == _NEVER and not timing.on_edge else state


def _transition(
    change: Change, timing: Timing, started: int, moment: Moment, late: bool, cause: str = ""
) -> Transition:
    return Transition(
        change=change,
        rule_id=timing.rule_id,
        started=started,
        at=moment.time,
        reading_id=moment.reading_id,
        received_at=moment.received_at,
        late=late,
        cause=cause,
    )
