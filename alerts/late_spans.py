"""Which stretches of time late readings have touched, to be corrected once they settle."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import connection

from alerts.engine.state import RuleState, SubjectState, Transition
from alerts.models import LateSpan
from telemetry.clock import from_us

SETTLES = timedelta(seconds=20)
"""A backlog that is still coming is waited for …"""
WAITS = timedelta(minutes=5)
"""… but no longer than this."""

_NOTE = """
INSERT INTO alerts_latespan AS s
  (kind, subject_id, since, until, noted_at, due_at, additions)
SELECT kind, subject_id, since, until, %(now)s, %(now)s + %(settles)s, 0
FROM unnest(%(kinds)s::text[], %(ids)s::bigint[], %(since)s::timestamptz[],
            %(until)s::timestamptz[]) AS u(kind, subject_id, since, until)
ON CONFLICT (kind, subject_id) DO UPDATE SET
  since = least(s.since, excluded.since),
  until = greatest(s.until, excluded.until),
  due_at = least(s.noted_at + %(waits)s, excluded.due_at),
  additions = s.additions + 1,
  going_on = NULL
"""


class GoingOn(msgspec.Struct):
    """What history shows to be still so after the newest reading of a vehicle or meter, which
    the evaluation, fed out of order, could not tell."""

    mark: tuple[int, int]
    """Time and id of that reading: with a newer one it is no longer true."""
    opened: list[Transition]
    rules: dict[int, RuleState]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(GoingOn)


def note_late_spans(states: Mapping[tuple[str, int], SubjectState], *, now: datetime) -> None:
    """Note what the engine judged out of its order, in one statement; mostly nothing."""
    spans = sorted(
        (kind, pk, from_us(state.out_of_order[0]), from_us(state.out_of_order[1]))
        for (kind, pk), state in states.items()
        if state.out_of_order is not None
    )
    if not spans:
        return
    kinds, ids, since, until = zip(*spans, strict=True)
    arguments: dict[str, Any] = {
        "now": now,
        "settles": SETTLES,
        "waits": WAITS,
        "kinds": list(kinds),
        "ids": list(ids),
        "since": list(since),
        "until": list(until),
    }
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, arguments)


def hand_over(span: LateSpan, going_on: GoingOn | None) -> None:
    """The span is corrected. What goes on is left to the evaluation; where more has come
    meanwhile the span stays, to be corrected again."""
    mine = LateSpan.objects.filter(pk=span.pk, additions=span.additions)
    if going_on is None:
        mine.delete()
    else:
        mine.update(going_on=_encoder.encode(going_on))


def handed_over(partition: int) -> dict[tuple[str, int], GoingOn]:
    """What the evaluation of a partition is to take over, by subject."""
    rows = LateSpan.objects.filter(going_on__isnull=False)
    return {
        (row.kind, row.subject_id): _decoder.decode(bytes(row.going_on or b""))
        for row in rows
        if row.partition == partition
    }


def taken_over(subject: tuple[str, int], *, now: datetime, overtaken: bool) -> None:
    """It is dealt with; where newer readings have overtaken it, it is corrected again."""
    kind, subject_id = subject
    mine = LateSpan.objects.filter(kind=kind, subject_id=subject_id, going_on__isnull=False)
    if overtaken:
        mine.update(going_on=None, due_at=now + SETTLES)
    else:
        mine.delete()
