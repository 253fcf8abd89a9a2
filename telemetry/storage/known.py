"""Which readings history has already, asked before they are taken in.

Only to tell the caller: storage knows a reading again by itself. So where the answer is not to
be had in time, a reading counts as new.

Latest state is the newest of history. A reading ahead of it is new, and one probe of a small
table per subject says so; only what comes late is looked for in history, a day (that is, a
chunk) at a time, by its primary key.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final

from django.db import DatabaseError, connection, transaction

from telemetry.clock import from_us
from telemetry.envelope import Kind
from telemetry.storage.subjects import SUBJECTS, Subject

LOOKUP_S: Final = 0.5
"""How long the search in history may take, all days together."""

Identity = tuple[Kind, int, int, int]
"""Kind and id of the subject, time in microseconds, reading id."""

_DAY_US: Final = 86_400_000_000


def stored_among(identities: Sequence[Identity]) -> set[Identity]:
    """Those of these readings that history has."""
    stored: set[Identity] = set()
    deadline = time.monotonic() + LOOKUP_S
    for subject in SUBJECTS:
        mine = [identity for identity in identities if identity[0] == subject.kind]
        if mine:
            stored |= _found(subject, _late(subject, mine), deadline)
    return stored


def _late(subject: Subject, identities: Sequence[Identity]) -> list[Identity]:
    """Those not ahead of what their subject has reported already."""
    earliest: dict[int, int] = {}
    for _, subject_id, time_us, _ in identities:
        held = earliest.get(subject_id)
        if held is None or time_us < held:
            earliest[subject_id] = time_us
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT k.id, (extract(epoch FROM latest.time) * 1000000)::bigint
            FROM unnest(%s::bigint[], %s::bigint[]) AS k(id, time_us)
            JOIN {subject.latest_table} latest ON latest.{subject.key} = k.id
            WHERE latest.time >= 'epoch'::timestamptz + k.time_us * interval '1 microsecond'
            """,  # noqa: S608
            [_array(earliest), _array(earliest.values())],
        )
        newest: dict[int, int] = dict(cursor.fetchall())
    if not newest:
        return []
    return [identity for identity in identities if identity[2] <= newest.get(identity[1], -1)]


def _found(subject: Subject, late: Sequence[Identity], deadline: float) -> set[Identity]:
    """Those of these readings that are in history, as far as that can be told in time."""
    days: dict[int, list[Identity]] = {}
    for identity in late:
        days.setdefault(identity[2] // _DAY_US, []).append(identity)
    found: set[Identity] = set()
    for day, identities in sorted(days.items(), reverse=True):
        left_ms = int((deadline - time.monotonic()) * 1000)
        if left_ms <= 0:
            break
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {left_ms}")
                found.update(_found_on(cursor, subject, day, identities))
        except DatabaseError:
            break
    return found


def _found_on(
    cursor: Any, subject: Subject, day: int, identities: Sequence[Identity]
) -> list[Identity]:
    start = from_us(day * _DAY_US)
    cursor.execute(
        f"""
        SELECT k.at FROM unnest(%s::bigint[], %s::bigint[], %s::int[])
            WITH ORDINALITY AS k(id, time_us, reading_id, at)
        JOIN {subject.history_table} r
            ON r.{subject.key} = k.id AND r.reading_id = k.reading_id
            AND r.time = 'epoch'::timestamptz + k.time_us * interval '1 microsecond'
        WHERE r.time >= %s AND r.time < %s
        """,  # noqa: S608
        [
            _array(identity[1] for identity in identities),
            _array(identity[2] for identity in identities),
            _array(identity[3] for identity in identities),
            start,
            start + timedelta(days=1),
        ],
    )
    return [identities[at - 1] for (at,) in cursor.fetchall()]


def _array(numbers: Iterable[int]) -> str:
    """An array as PostgreSQL writes it: built by the driver it costs ten times as much."""
    return f"{{{','.join(map(str, numbers))}}}"
