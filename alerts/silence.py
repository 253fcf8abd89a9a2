"""Silence, found through an indexed due time.

A vehicle's due time is not moved by its readings, which come many times a second, but only
looked at again when it has come: was anything heard since? Then it is set anew, from that.
So a vehicle that speaks costs one small row update per silence period, a silent one is found
within a sweep of its due time, and nothing is ever scanned.

While the writer is behind, what the database has not heard is no silence: the clock by which
vehicles are judged stops at the oldest reading that waits in the ingress log.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from alerts.engine import schedule
from alerts.engine.state import Change, Transition
from alerts.evaluation import commit
from alerts.kinds.silence import silent_after
from alerts.models import SilenceWatch
from alerts.recording import Happening
from alerts.rulebook import RuleBook, Subject, Watching
from telemetry.clock import to_us
from telemetry.streams import INGRESS

SWEEP_SIZE = 2000

_HEARD = """
SELECT w.id, w.rule_id, w.kind, w.subject_id, w.heard_at, w.due_at, greatest(
  w.heard_at,
  (SELECT received_at FROM telemetry_vehicle_latest l
   WHERE w.kind = 'v' AND l.vehicle_id = w.subject_id),
  (SELECT received_at FROM telemetry_meter_latest l
   WHERE w.kind = 'm' AND l.meter_id = w.subject_id),
  -- A device that sends an old backlog speaks, though it does not move the latest state.
  (SELECT max(h.last_seen) FROM fleet_device d
   JOIN telemetry_device_health h ON h.device_id = d.id
   WHERE w.kind = 'v' AND d.vehicle_id = w.subject_id),
  (SELECT max(h.last_seen) FROM fleet_device d
   JOIN telemetry_device_health h ON h.device_id = d.id
   WHERE w.kind = 'm' AND d.meter_id = w.subject_id)
) AS heard
FROM alerts_silencewatch w
"""
_DUE = (
    _HEARD
    + """
WHERE NOT w.is_open AND w.due_at <= %s ORDER BY w.due_at LIMIT %s FOR UPDATE OF w SKIP LOCKED
"""
)
_SPEAKING = f"""
SELECT * FROM ({_HEARD} WHERE w.is_open FOR UPDATE OF w SKIP LOCKED) open
WHERE heard > heard_at LIMIT %s
"""  # noqa: S608  (no value from outside)
_MOVE = """
UPDATE alerts_silencewatch w SET heard_at = m.heard_at, due_at = m.due_at, is_open = m.is_open
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::boolean[])
  AS m (id, heard_at, due_at, is_open)
WHERE w.id = m.id
"""
_KNOWN = {
    "v": "SELECT vehicle_id, received_at FROM telemetry_vehicle_latest WHERE tenant_id = %s",
    "m": "SELECT meter_id, received_at FROM telemetry_meter_latest WHERE tenant_id = %s",
}


class Watched(NamedTuple):
    """A watch, and when its subject was last heard."""

    pk: int
    rule_id: int
    kind: str
    subject_id: int
    heard_at: datetime
    due_at: datetime
    heard: datetime

    @property
    def subject(self) -> Subject:
        return (self.kind, self.subject_id)


def heard_until(now: datetime) -> datetime:
    """Up to when the database can have heard everything that was said."""
    waiting = [
        oldest
        for partition in range(INGRESS.partitions)
        if (oldest := INGRESS.depth(partition).oldest_ms) is not None
    ]
    if not waiting:
        return now
    return min(now, datetime.fromtimestamp(min(waiting) / 1000, UTC))


def sweep(book: RuleBook, *, now: datetime) -> int:
    """Open what has become due, resolve what speaks again. Returns how many alerts moved."""
    moved = 0
    while True:
        looked_at, changed = _sweep_due(book, now)
        moved += changed
        if looked_at < SWEEP_SIZE:
            break
    while True:
        speaking = _sweep_speaking(book)
        moved += speaking
        if speaking < SWEEP_SIZE:
            return moved


def _watched(sql: str, arguments: list[Any]) -> list[Watched]:
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        return [Watched(*row) for row in cursor.fetchall()]


@transaction.atomic
def _sweep_due(book: RuleBook, now: datetime) -> tuple[int, int]:
    until = heard_until(now)
    due = _watched(_DUE, [until, SWEEP_SIZE])
    book.learn({watch.subject for watch in due})
    spoke, silent, gone, happenings = [], [], [], []
    for watch in due:
        rule = book.rules.get(watch.rule_id)
        if rule is None or rule not in book.watching(watch.subject):
            gone.append(watch.pk)
            continue
        silent_at = watch.heard + timedelta(seconds=silent_after(rule.spec))
        # Put off by a schedule or a cooldown, it opens when that is over.
        opens_at = max(silent_at, watch.due_at)
        if silent_at > until:
            spoke.append(_moved(watch, silent_at))
        elif _may_open(book, rule, opens_at):
            silent.append(_moved(watch, opens_at, is_open=True))
            happenings.append(_happening(book, watch, "opened", watch.heard, opens_at))
        else:
            # Outside the schedule: asked again in a minute, not at every sweep.
            spoke.append(_moved(watch, until + timedelta(minutes=1)))
    _move([*spoke, *silent])
    SilenceWatch.unscoped.filter(pk__in=gone).delete()
    if happenings:
        commit(happenings, book, now=timezone.now())
    return len(due), len(silent)


def _may_open(book: RuleBook, rule: Watching, at: datetime) -> bool:
    allows = schedule.gate(rule.spec.schedule, book.zone_of(rule.tenant_id))
    return allows is None or allows(to_us(at))


@transaction.atomic
def _sweep_speaking(book: RuleBook) -> int:
    speaking = _watched(_SPEAKING, [SWEEP_SIZE])
    book.learn({watch.subject for watch in speaking})
    moved, happenings = [], []
    for watch in speaking:
        rule = book.rules.get(watch.rule_id)
        quiet_s = max(silent_after(rule.spec), rule.spec.cooldown_s) if rule else 0
        moved.append(_moved(watch, watch.heard + timedelta(seconds=quiet_s)))
        if rule is not None and book.address_of(watch.subject) is not None:
            happenings.append(_happening(book, watch, "resolved", watch.heard_at, watch.heard))
    _move(moved)
    if happenings:
        commit(happenings, book, now=timezone.now())
    return len(speaking)


class Move(NamedTuple):
    """What a watch shall say from now on."""

    pk: int
    heard_at: datetime
    due_at: datetime
    is_open: bool


def _moved(watch: Watched, due_at: datetime, *, is_open: bool = False) -> Move:
    return Move(watch.pk, watch.heard, due_at, is_open)


def _move(moves: list[Move]) -> None:
    """One statement for thousands: `bulk_update` would build a CASE with a branch for each."""
    if moves:
        with connection.cursor() as cursor:
            cursor.execute(_MOVE, [list(column) for column in zip(*moves, strict=True)])


def _happening(
    book: RuleBook, watch: Watched, change: Change, started: datetime, at: datetime
) -> Happening:
    address = book.address_of(watch.subject)
    assert address is not None  # noqa: S101  (what is not watched was left out before)
    transition = Transition(
        change=change, rule_id=watch.rule_id, started=to_us(started), at=to_us(at)
    )
    return Happening(watch.subject, address, transition)


def sync_watches(book: RuleBook) -> int:
    """Watch every vehicle and meter that a silence rule covers and that has ever spoken.
    Returns how many watches were added. Those not covered any more go when they are due."""
    added = 0
    for rule in book.of_kind("silence"):
        kind = rule.spec.subject
        with connection.cursor() as cursor:
            cursor.execute(_KNOWN[kind], [rule.tenant_id])
            known: dict[int, datetime] = dict(cursor.fetchall())
        have = set(
            SilenceWatch.unscoped.filter(rule_id=rule.rule_id, kind=kind).values_list(
                "subject_id", flat=True
            )
        )
        missing = [pk for pk in known if pk not in have]
        book.learn({(kind, pk) for pk in missing})
        after = timedelta(seconds=silent_after(rule.spec))
        watches = [
            SilenceWatch(
                tenant_id=rule.tenant_id,
                rule_id=rule.rule_id,
                kind=kind,
                subject_id=pk,
                heard_at=known[pk],
                due_at=known[pk] + after,
            )
            for pk in missing
            if rule in book.watching((kind, pk))
        ]
        SilenceWatch.unscoped.bulk_create(watches, batch_size=5000, ignore_conflicts=True)
        added += len(watches)
    return added
