"""What Celery runs. Tasks hold no rows and no readings: they look for what is to be done."""

from __future__ import annotations

import structlog
from celery import shared_task
from django.conf import settings
from django.utils import timezone

from alerts import evaluation, platform, silence
from alerts.correction import correct_due
from alerts.delivering import deliver_all_due
from alerts.digest import send_digests
from alerts.dry_run import run_dry_run
from alerts.rulebook import RuleBook
from alerts.staff import ensure_staff
from alerts.starting import ensure_starting_rules_everywhere
from alerts.tidying import resolve_unwatched

log = structlog.get_logger(__name__)

EVALUATION_QUEUE = "evaluation"


_book: RuleBook | None = None


def _current_book() -> RuleBook:
    """The rules; loaded again only when they have changed."""
    global _book
    if _book is None or _book.is_outdated():
        _book = RuleBook()
    return _book


@shared_task(name="alerts.evaluate", queue=EVALUATION_QUEUE)
def evaluate() -> None:
    """Drain the partitions nobody else is draining, then leave the next stretch to a new
    task. The beat starts one every few seconds, in case the chain broke: it finds the
    partitions locked and ends at once."""
    if evaluation.evaluate(for_seconds=settings.ALERTS_EVALUATE_S):
        evaluate.apply_async(expires=60)


@shared_task(name="alerts.sweep")
def sweep() -> None:
    """Silence that has become due, and the platform's own lag."""
    now, book = timezone.now(), _current_book()
    if book.of_kind("silence"):
        silence.sweep(book, now=now)
    if book.of_kind("ingest_lag"):
        platform.watch_lag(book, now=now, lag_s=platform.measure_lag(now))


@shared_task(name="alerts.correct")
def correct() -> None:
    """Correct the record where late readings have settled."""
    correct_due(_current_book(), now=timezone.now(), for_seconds=8)


@shared_task(name="alerts.tidy")
def tidy() -> None:
    """New vehicles are watched for silence, alerts that nothing watches resolve, new
    organisations get their rules, new members of staff join their organisation."""
    ensure_staff()
    ensure_starting_rules_everywhere()
    book = _current_book()
    silence.sync_watches(book)
    resolve_unwatched(book)


@shared_task(name="alerts.deliver_due")
def deliver_due() -> None:
    """Send what is due."""
    deliver_all_due(for_seconds=30)


@shared_task(name="alerts.digests")
def digests() -> None:
    """Send the digests of the organisations whose morning it is."""
    send_digests(now=timezone.now())


@shared_task(name="alerts.dry_run")
def dry_run(dry_run_id: int) -> None:
    """Try a rule on history."""
    run_dry_run(dry_run_id)
