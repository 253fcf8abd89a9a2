"""Transitions of the engine become alerts, steps and deliveries: one transaction, in bulk.

Repeating a transition changes nothing: an alert is found by rule, subject and start, a step
by alert, change and reading. Must run inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q

from alerts.engine.state import Transition
from alerts.models import Alert, AlertState, AlertTransition, Delivery
from alerts.notify import deliveries_on_opening, deliveries_on_resolving
from alerts.rulebook import Address, RuleBook, Subject, Watching
from alerts.saying import condition_in_words
from telemetry.clock import from_us, to_us

RECORD_CLASS = 0x0A1E28
"""First key of the locks by which an evaluation and a correction take turns."""
MERGE_US = 600 * 1_000_000
"""An episode found late that touches one already recorded, within this, is part of it."""


@dataclass(frozen=True, slots=True)
class Happening:
    """A transition, and whom it is about."""

    subject: Subject
    address: Address
    transition: Transition


@dataclass(slots=True)
class Recorded:
    """What one call changed: for the live stream and for the workers that deliver."""

    events: list[tuple[str, Alert]] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    """Rules that failed, and why."""


def hold_record(partition: int) -> None:
    """Until the end of the transaction nobody else writes alerts of this partition's subjects."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [RECORD_CLASS, partition])


def record(happenings: Sequence[Happening], book: RuleBook, *, now: datetime) -> Recorded:
    """Write what the engine said. Call inside a transaction."""
    recording = _Recording(book, now, _existing(happenings))
    for happening in happenings:
        recording.take(happening)
    return recording.write()


def _existing(happenings: Iterable[Happening]) -> dict[tuple[int, Subject], list[Alert]]:
    """Alerts these transitions may be about: the open one, and those of the same time."""
    wanted = Q()
    by_rule: dict[tuple[int, str], list[Happening]] = {}
    for happening in happenings:
        key = (happening.transition.rule_id, happening.subject[0])
        by_rule.setdefault(key, []).append(happening)
    for (rule_id, kind), about in by_rule.items():
        earliest = from_us(min(h.transition.started for h in about) - MERGE_US)
        wanted |= Q(
            Q(resolved_at=None) | Q(resolved_at__gte=earliest),
            rule_id=rule_id,
            kind=kind,
            subject_id__in={h.subject[1] for h in about},
        )
    found: dict[tuple[int, Subject], list[Alert]] = {}
    if wanted:
        for alert in Alert.unscoped.filter(wanted).select_for_update().order_by("started_at"):
            found.setdefault((alert.rule_id, (alert.kind, alert.subject_id)), []).append(alert)
    return found


class _Recording:
    """Alerts as they will be, until `write`."""

    def __init__(
        self, book: RuleBook, now: datetime, existing: dict[tuple[int, Subject], list[Alert]]
    ) -> None:
        self.book = book
        self.now = now
        self.alerts = existing
        self.made: list[Alert] = []
        self.changed: dict[int, Alert] = {}
        self.steps: list[AlertTransition] = []
        self.opened: list[tuple[Alert, AlertTransition, Watching]] = []
        self.resolved: list[tuple[Alert, AlertTransition]] = []
        self.recorded = Recorded()

    def take(self, happening: Happening) -> None:
        transition = happening.transition
        if transition.change == "failed":
            self.recorded.failed[transition.rule_id] = transition.cause
            return
        rule = self.book.rules.get(transition.rule_id)
        if rule is None:
            return  # deleted meanwhile: its alerts were resolved with it
        getattr(self, f"_{transition.change}")(happening, rule)

    def _find(self, happening: Happening) -> Alert | None:
        started = from_us(happening.transition.started)
        alerts = self.alerts.get((happening.transition.rule_id, happening.subject), [])
        return next((alert for alert in alerts if alert.episode_at == started), None)

    def _opened(self, happening: Happening, rule: Watching) -> None:
        siblings = self.alerts.get((rule.rule_id, happening.subject), [])
        if self._find(happening) or any(a.state != AlertState.RESOLVED for a in siblings):
            return
        alert = self._new_alert(happening, rule)
        step = self._step(alert, happening.transition)
        if not alert.late:
            self.opened.append((alert, step, rule))
        self.recorded.events.append(("alert.opened", alert))

    def _confirmed(self, happening: Happening, rule: Watching) -> None:
        alert = self._find(happening)
        if alert is None or not alert.late or alert.state == AlertState.RESOLVED:
            return
        alert.late = False
        self._touch(alert)
        step = self._step(alert, happening.transition)
        self.opened.append((alert, step, rule))
        self.recorded.events.append(("alert.opened", alert))

    def _resolved(self, happening: Happening, rule: Watching) -> None:
        alert = self._find(happening)
        if alert is None or alert.state == AlertState.RESOLVED:
            return
        self._close(alert, happening.transition.at)
        step = self._step(alert, happening.transition)
        if not alert.late:
            self.resolved.append((alert, step))
        self.recorded.events.append(("alert.resolved", alert))

    def _recorded(self, happening: Happening, rule: Watching) -> None:
        """An episode found among readings that arrived out of order: over before it was known."""
        if self._find(happening) is not None:
            return
        neighbour = self._touching(happening)
        if neighbour is not None:
            if happening.transition.started < to_us(neighbour.started_at):
                self._step(neighbour, happening.transition, change="annotated")
            return
        alert = self._new_alert(happening, rule)
        self._close(alert, happening.transition.at)
        step = self._step(alert, happening.transition)
        if not alert.late:
            self.opened.append((alert, step, rule))
        self.recorded.events.append(("alert.resolved", alert))

    def _annotated(self, happening: Happening, rule: Watching) -> None:
        alert = self._find(happening)
        if alert is None:
            return
        transition = happening.transition
        if transition.cause == "lasted_until" and alert.resolved_at is not None:
            alert.resolved_at = max(alert.resolved_at, from_us(transition.at))
            self._touch(alert)
        self._step(alert, transition)

    def _touching(self, happening: Happening) -> Alert | None:
        transition = happening.transition
        for alert in self.alerts.get((transition.rule_id, happening.subject), []):
            ends = self.now if alert.resolved_at is None else alert.resolved_at
            if (
                to_us(alert.started_at) - MERGE_US <= transition.at
                and transition.started <= to_us(ends) + MERGE_US
            ):
                return alert
        return None

    def _new_alert(self, happening: Happening, rule: Watching) -> Alert:
        alert = new_alert(happening, rule, self.book)
        self.made.append(alert)
        self.alerts.setdefault((rule.rule_id, happening.subject), []).append(alert)
        return alert

    def _close(self, alert: Alert, at: int) -> None:
        alert.state = AlertState.RESOLVED
        alert.resolved_at = from_us(at)
        self._touch(alert)

    def _touch(self, alert: Alert) -> None:
        if alert.pk is not None:
            alert.updated_at = self.now
            self.changed[alert.pk] = alert

    def _step(
        self, alert: Alert, transition: Transition, *, change: str | None = None
    ) -> AlertTransition:
        step = new_step(alert, transition, change=change or transition.change, at=self.now)
        self.steps.append(step)
        return step

    def write(self) -> Recorded:
        Alert.unscoped.bulk_create(self.made, batch_size=500)
        Alert.unscoped.bulk_update(
            self.changed.values(), ["state", "late", "resolved_at", "updated_at"], batch_size=500
        )
        for step in self.steps:
            step.alert_id = step.alert.pk
        # Repeated by a redelivery: the step is there already.
        AlertTransition.unscoped.bulk_create(self.steps, batch_size=500, ignore_conflicts=True)
        deliveries = deliveries_on_opening(self.opened, now=self.now)
        deliveries += deliveries_on_resolving([a for a, _ in self.resolved], now=self.now)
        self.recorded.deliveries = deliveries
        return self.recorded


def new_alert(happening: Happening, rule: Watching, book: RuleBook) -> Alert:
    """The alert that a transition opens; not saved."""
    says = condition_in_words(rule.spec, book.fence_names)
    transition, address = happening.transition, happening.address
    kind, subject_id = happening.subject
    return Alert(
        tenant_id=rule.tenant_id,
        rule_id=rule.rule_id,
        rule_version_id=rule.version_id,
        kind=kind,
        subject_id=subject_id,
        subject_reference=address.reference,
        subject_label=address.label,
        fleet_id=address.fleet_id,
        title=f"{rule.name}: {says}"[:300],
        severity=rule.spec.severity,
        late=transition.late,
        started_at=from_us(transition.started),
        episode_at=from_us(transition.started),
        opened_at=from_us(transition.at),
        values=plain(transition.values),
    )


def new_step(alert: Alert, transition: Transition, *, change: str, at: datetime) -> AlertTransition:
    """The step that a transition is; not saved."""
    return AlertTransition(
        tenant_id=alert.tenant_id,
        alert=alert,
        change=change,
        at=at,
        reading_time=from_us(transition.at),
        reading_id=transition.reading_id,
        received_at=from_us(transition.received_at) if transition.received_at else None,
        late=transition.late,
        values=plain(transition.values),
        note=transition.cause,
    )


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """As JSON keeps it: decimals as numbers of their own digits would be, tuples as lists."""
    return {
        name: list(value)
        if isinstance(value, tuple | list)
        else value
        if isinstance(value, bool | int | float | str) or value is None
        else float(value)
        for name, value in values.items()
    }
