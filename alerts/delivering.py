"""Deliveries go out: claimed, attempted, logged, tried again, or given up.

A worker claims a delivery by a conditional update before it sends, and writes down the
outcome after. One that dies in between leaves a claim that runs out; the next worker sends
again, with the same key. So nothing is lost, and a repetition can be recognised.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from time import monotonic
from zoneinfo import ZoneInfo

import msgspec
import structlog
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from alerts.engine.schedule import covers
from alerts.engine.spec import Period
from alerts.models import Channel, Delivery, DeliveryAttempt, DeliveryEvent, DeliveryStatus
from alerts.notifiers import NOTIFIERS
from alerts.notifiers.notifier import Outcome
from alerts.notify import in_use
from alerts.telling import message_of
from tenants.crypto import Undecipherable

log = structlog.get_logger(__name__)

CLAIM = timedelta(seconds=60)
"""Longer than any attempt may take."""
CLAIMED_AT_ONCE = 4
MOST_ATTEMPTS = 12
"""About a day and a half of trying, see `backoff`."""
BREAKS_AFTER = 5
LONGEST_PAUSE = timedelta(hours=1)

# In one statement, so that two workers never hold the same row. A channel whose endpoint is
# being tried out after a pause gets one message at a time, not all that have piled up.
_CLAIM = """
UPDATE alerts_delivery d SET status = 'sending', claimed_until = %(until)s, attempts = attempts + 1
FROM (
  SELECT id FROM (
    SELECT q.id, q.due_at, row_number() OVER (PARTITION BY q.channel_id ORDER BY q.due_at) AS nth,
           c.failures
    FROM alerts_delivery q JOIN alerts_channel c ON c.id = q.channel_id
    WHERE q.status IN ('queued', 'sending') AND q.due_at <= %(now)s
      AND (q.status = 'queued' OR q.claimed_until < %(now)s)
      AND (c.paused_until IS NULL OR c.paused_until <= %(now)s)
      AND NOT (c.failures >= %(breaks_after)s AND EXISTS (
        SELECT 1 FROM alerts_delivery o WHERE o.channel_id = c.id AND o.status = 'sending'
        AND o.claimed_until >= %(now)s))
  ) due
  WHERE failures < %(breaks_after)s OR nth = 1
  ORDER BY due_at LIMIT %(limit)s
) mine
WHERE d.id = mine.id AND d.status IN ('queued', 'sending')
  AND (d.status = 'queued' OR d.claimed_until < %(now)s)
RETURNING d.id
"""


def claim(*, now: datetime, limit: int = CLAIMED_AT_ONCE) -> list[Delivery]:
    """Take due deliveries, so that no other worker does."""
    arguments: dict[str, datetime | int] = {
        "now": now,
        "until": now + CLAIM,
        "limit": limit,
        "breaks_after": BREAKS_AFTER,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, arguments)
        ids = [row[0] for row in cursor.fetchall()]
    return list(
        Delivery.unscoped.filter(pk__in=ids)
        .select_related("channel", "channel__tenant")
        .order_by("due_at", "pk")
    )


def deliver_all_due(*, for_seconds: float) -> int:
    """Claim and send until nothing is due. Returns how many attempts were made."""
    until, attempts = monotonic() + for_seconds, 0
    while monotonic() < until:
        claimed = claim(now=timezone.now())
        if not claimed:
            break
        for delivery in claimed:
            attempts += deliver(delivery, now=timezone.now())
    return attempts


def deliver(delivery: Delivery, *, now: datetime) -> bool:
    """Attempt a claimed delivery; False where it was put off or dropped instead."""
    channel = delivery.channel
    if not in_use(Channel.unscoped.filter(pk=channel.pk)).exists():
        _finish(delivery, status=DeliveryStatus.CANCELLED)
        return False
    quiet_until = end_of_quiet_hours(channel, now)
    if quiet_until is not None and _may_wait(delivery):
        _finish(delivery, due_at=quiet_until, attempts=delivery.attempts - 1)
        return False
    began, outcome = monotonic(), _attempt(delivery)
    duration_ms = round((monotonic() - began) * 1000)
    with transaction.atomic():
        _log_attempt(delivery, outcome, now, duration_ms)
        _note_on_channel(channel, outcome, now)
        if outcome.succeeded:
            _finish(delivery, status=DeliveryStatus.SENT, sent_at=timezone.now())
        elif outcome.hopeless or delivery.attempts >= MOST_ATTEMPTS:
            _finish(delivery, status=DeliveryStatus.DEAD)
            log.warning("delivery_given_up", delivery=str(delivery.key), failure=outcome.failure)
        else:
            _finish(delivery, due_at=now + backoff(delivery.attempts))
    return True


def _attempt(delivery: Delivery) -> Outcome:
    try:
        return NOTIFIERS[delivery.channel.kind].send(message_of(delivery))
    except Undecipherable:
        return Outcome(False, hopeless=True, failure="The channel's secret cannot be decrypted.")
    except Exception as error:
        # A bug in one notifier is a failed attempt with its reason, not a lost delivery.
        log.exception("notifier_failed", delivery=str(delivery.key), kind=delivery.channel.kind)
        return Outcome(False, failure=f"{type(error).__name__}: {error}"[:300])


def backoff(attempts: int) -> timedelta:
    """10 s, 30 s, 90 s … up to four hours, give or take half of it."""
    seconds = min(10 * 3 ** (attempts - 1), 4 * 3600)
    return timedelta(seconds=seconds * random.uniform(0.5, 1.5))  # noqa: S311  (not a secret)


def _finish(delivery: Delivery, **fields: object) -> None:
    """End the claim. Only the claim's own: one that ran out may be somebody else's by now."""
    fields.setdefault("status", DeliveryStatus.QUEUED)
    Delivery.unscoped.filter(
        pk=delivery.pk, status=DeliveryStatus.SENDING, attempts=delivery.attempts
    ).update(claimed_until=None, **fields)


def _log_attempt(delivery: Delivery, outcome: Outcome, now: datetime, duration_ms: int) -> None:
    DeliveryAttempt.unscoped.create(
        tenant_id=delivery.tenant_id,
        delivery=delivery,
        at=now,
        duration_ms=duration_ms,
        succeeded=outcome.succeeded,
        request=outcome.request.replace("\0", "")[:8000],
        response_status=outcome.status,
        response=outcome.response.replace("\0", "")[:2000],
        failure=outcome.failure.replace("\0", "")[:300],
    )


def _note_on_channel(channel: Channel, outcome: Outcome, now: datetime) -> None:
    """The breaker. Its state is in the row, so that all workers share it."""
    mine = Channel.unscoped.filter(pk=channel.pk)
    if outcome.succeeded:
        mine.exclude(failures=0, paused_until=None).update(failures=0, paused_until=None)
        return
    if outcome.hopeless:
        return  # says something about the message or the address, nothing about the endpoint
    mine.update(failures=F("failures") + 1)
    failures = mine.values_list("failures", flat=True).get()
    if failures >= BREAKS_AFTER:
        pause = min(timedelta(seconds=30 * 2 ** min(failures - BREAKS_AFTER, 12)), LONGEST_PAUSE)
        mine.update(paused_until=now + pause)


def _may_wait(delivery: Delivery) -> bool:
    if delivery.event == DeliveryEvent.TEST:
        return False
    return bool(delivery.payload["data"].get("severity") != "critical")


def end_of_quiet_hours(channel: Channel, now: datetime) -> datetime | None:
    """When the quiet hours that reign now will be over; None: none do. Looks a week ahead."""
    periods = msgspec.convert(channel.quiet_hours, tuple[Period, ...])
    if not periods:
        return None
    zone = ZoneInfo(channel.tenant.time_zone)
    if not covers(periods, now.astimezone(zone)):
        return None
    minute = now.replace(second=0, microsecond=0)
    for step in range(1, 7 * 24 * 12 + 1):
        later = minute + timedelta(minutes=5 * step)
        if not covers(periods, later.astimezone(zone)):
            return later
    return now + timedelta(days=7)
