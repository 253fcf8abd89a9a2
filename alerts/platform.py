"""The platform watches itself: ingest lag, told to its staff.

Staff are the members of an organisation of their own, so that their inbox, channels and
escalation are those everybody has.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from alerts.engine import schedule
from alerts.engine.machine import Moment, Timing, in_order
from alerts.engine.state import CLEARING, OPEN, RuleState, SubjectState
from alerts.evaluation import commit, load_memory, save_memory
from alerts.kinds import ingest_lag
from alerts.recording import Happening
from alerts.rulebook import Address, RuleBook, Watching
from alerts.silence import heard_until
from telemetry.clock import to_us

SUBJECT = ("p", 0)
SECOND = 1_000_000


def measure_lag(now: datetime) -> float:
    """Seconds that the oldest acknowledged reading has been waiting to be stored."""
    return (now - heard_until(now)).total_seconds()


@transaction.atomic
def watch_lag(book: RuleBook, *, now: datetime, lag_s: float) -> None:
    """Hold the lag against the staff's rules."""
    state = load_memory([SUBJECT]).get(SUBJECT, SubjectState())
    states: dict[int, RuleState] = {}
    happenings = []
    moment = Moment(to_us(now), 0, to_us(now))
    for rule in book.of_kind("ingest_lag"):
        before = state.rules.get(rule.rule_id)
        is_open = before is not None and before.phase in (OPEN, CLEARING)
        holds = ingest_lag.holds(rule.spec, lag_s, is_open=is_open)
        after, transitions = in_order(_timing(book, rule), before, holds, moment)
        if after is not None:
            states[rule.rule_id] = after
        for transition in transitions:
            transition.values["ingest_lag_s"] = round(lag_s, 1)
            address = Address(rule.tenant_id, None, "platform", "Ingestion", frozenset())
            happenings.append(Happening(SUBJECT, address, transition))
    if states != state.rules:
        save_memory({SUBJECT: SubjectState(rules=states)})
    if happenings:
        commit(happenings, book, now=timezone.now())


def _timing(book: RuleBook, rule: Watching) -> Timing:
    spec = rule.spec
    return Timing(
        rule_id=rule.rule_id,
        duration=spec.duration_s * SECOND,
        clear_duration=spec.clear_duration_s * SECOND,
        cooldown=spec.cooldown_s * SECOND,
        lateness=spec.lateness_s * SECOND,
        max_gap=0,
        allows=schedule.gate(spec.schedule, book.zone_of(rule.tenant_id)),
        on_edge=False,
    )
