"""The record is corrected from history, where readings came late and out of their order.

The engine judges a late reading by what it remembers, which is not enough to tell what it
changes. So once a backlog has settled, the stretch of history that it touched is run through
the same engine in the order of its own time, and the alerts on record are held against what
comes out: missing ones are added, marked late; late ones get the times and values that
history shows, and go where history does not bear them out.

Nobody is told of any of this. An alert that somebody was told of is never taken back: it
gets a note.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic

import structlog
from django.db import transaction
from django.db.models import Q

from alerts.amendment import Amendment
from alerts.announce import announce
from alerts.episodes import Episode, episodes_of
from alerts.history import touched_until
from alerts.kinds import KINDS
from alerts.late_spans import GoingOn, hand_over
from alerts.models import Alert, LateSpan
from alerts.recording import hold_record
from alerts.rulebook import RuleBook, Subject

log = structlog.get_logger(__name__)

LEAD = timedelta(hours=1)
"""History that is read before the late readings, beside what the rules' durations ask for."""
FURTHEST = timedelta(days=31)
AT_WORK = timedelta(minutes=5)
"""A correction that takes longer has died, and is begun anew."""


def correct_due(book: RuleBook, *, now: datetime, for_seconds: float) -> int:
    """Correct what has settled; returns how many vehicles and meters were looked at."""
    until, corrected = monotonic() + for_seconds, 0
    while monotonic() < until and (span := _claim(now)) is not None:
        try:
            going_on = _correct(span, book)
        except Exception:
            # One vehicle's must not keep the others waiting; it is tried again.
            log.exception("correction_failed", subject=f"{span.kind}{span.subject_id}")
            continue
        hand_over(span, going_on)
        corrected += 1
    return corrected


@transaction.atomic
def _claim(now: datetime) -> LateSpan | None:
    due = LateSpan.objects.filter(due_at__lte=now).order_by("due_at")
    span = due.select_for_update(skip_locked=True).first()
    if span is not None:
        LateSpan.objects.filter(pk=span.pk).update(due_at=now + AT_WORK)
    return span


def _correct(span: LateSpan, book: RuleBook) -> GoingOn | None:
    subject: Subject = (span.kind, span.subject_id)
    book.learn([subject])
    program, address = book.program_for(subject), book.address_of(subject)
    if program is None or address is None:
        return None
    begins = _beginning(subject, span, book)
    span.until = touched_until(program, *subject, span.until)
    history = episodes_of(program, subject, since=begins, past=span.until)
    if history is None:
        log.warning("correction_too_long", subject=f"{span.kind}{span.subject_id}")
        return None
    episodes = [
        one for one in history.episodes if one.started <= span.until and one.ended >= span.since
    ]
    with transaction.atomic():
        hold_record(span.partition)
        work = Amendment(book, subject, begins)
        on_record = _on_record(span, book, episodes)
        for rule_id in {rule.rule_id for rule in book.watching(subject)}:
            work.correct(
                [alert for alert in on_record if alert.rule_id == rule_id],
                [episode for episode in episodes if episode.opened.rule_id == rule_id],
                span,
            )
        announce(work.write())
    if not work.going_on:
        return None
    return GoingOn(
        (history.state.mark_time, history.state.mark_id),
        work.going_on,
        {one.rule_id: history.state.rules[one.rule_id] for one in work.going_on},
    )


def _beginning(subject: Subject, span: LateSpan, book: RuleBook) -> datetime:
    """Early enough to know what was already going on."""
    kind, subject_id = subject
    going_on = (
        Alert.unscoped.filter(
            Q(resolved_at=None) | Q(resolved_at__gte=span.since),
            kind=kind,
            subject_id=subject_id,
            started_at__lt=span.since,
            started_at__gte=span.since - FURTHEST,
        )
        .order_by("started_at")
        .values_list("started_at", flat=True)
        .first()
    )
    specs = [rule.spec for rule in book.watching(subject)]
    asked = max(
        one.duration_s + one.clear_duration_s + one.cooldown_s + KINDS[one.kind].looks_back_s(one)
        for one in specs
    )
    return (going_on or span.since) - LEAD - timedelta(seconds=asked)


def _on_record(span: LateSpan, book: RuleBook, episodes: Sequence[Episode]) -> list[Alert]:
    """Alerts of the time that the late readings and the episodes they touch take up."""
    first = min([span.since, *(one.started for one in episodes)])
    last = max([span.until, *(one.ended for one in episodes)])
    return list(
        Alert.unscoped.filter(
            Q(resolved_at=None) | Q(resolved_at__gte=first),
            kind=span.kind,
            subject_id=span.subject_id,
            started_at__lte=last,
            rule_id__in=[rule.rule_id for rule in book.watching((span.kind, span.subject_id))],
        )
        .select_for_update(of=("self",))
        .order_by("started_at")
    )
