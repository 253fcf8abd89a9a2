"""What the engine makes of a stretch of history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.utils import timezone

from alerts.engine.program import Program
from alerts.engine.run import advance
from alerts.engine.state import CLEAR, HELD_BACK, SubjectState, Transition
from alerts.history import pages, state_before
from telemetry.clock import from_us

MOST_READINGS = 1_000_000
NEVER = datetime.max.replace(tzinfo=UTC)


class Episode(NamedTuple):
    """From where a rule's condition began to where it was over, as history has it."""

    opened: Transition
    resolved: Transition | None

    @property
    def started(self) -> datetime:
        return from_us(self.opened.started)

    @property
    def ended(self) -> datetime:
        return NEVER if self.resolved is None else from_us(self.resolved.at)


class Past(NamedTuple):
    """Episodes, and what the engine remembers after the last reading."""

    episodes: list[Episode]
    state: SubjectState


def episodes_of(
    program: Program, subject: tuple[str, int], *, since: datetime, past: datetime
) -> Past | None:
    """Every episode since then, until all is clear after `past`. None: too much to read."""
    kind, subject_id = subject
    opened: dict[int, Transition] = {}
    found: list[Episode] = []
    state, seen = state_before(program, kind, subject_id, since), 0
    ends = timezone.now() + timedelta(days=1)
    for page in pages(kind, subject_id, since=since, until=ends):
        state, transitions = advance(program, state, page)
        for transition in transitions:
            if transition.change == "opened":
                opened[transition.rule_id] = transition
            elif transition.change == "resolved" and transition.rule_id in opened:
                found.append(Episode(opened.pop(transition.rule_id), transition))
        seen += len(page)
        if from_us(state.mark_time) > past and _is_quiet(state):
            break
        if seen >= MOST_READINGS:
            return None
    going_on = [Episode(transition, None) for transition in opened.values()]
    return Past(found + going_on, state)


def _is_quiet(state: SubjectState) -> bool:
    return all(one.phase in (CLEAR, HELD_BACK) for one in state.rules.values())
