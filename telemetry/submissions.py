"""Readings that name their vehicle or meter themselves: resolved, taken in, answered one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from fleet.selectors import resolve_meters, resolve_vehicles
from telemetry import ingest
from telemetry.adapters.decoded import Adapter, Addressed, RefusedItem
from telemetry.adapters.http_v1 import Judged
from telemetry.envelope import Envelope, Kind, Speaker
from telemetry.normalise import reading_id
from telemetry.refusals import Source
from telemetry.streams import partition_of
from telemetry.validate import Refusal, RefusalCode
from tenants.errors import DomainError

RETRY_AFTER_S: Final = 2
_LOOKUP_MS: Final = 500
"""How long finding what is stored already may take; after that everything counts as new."""
_LOOKUP_SPAN_US: Final = 7 * 86_400 * 1_000_000
"""Readings further apart than this are not looked up: each day is a chunk to search."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Caller(NamedTuple):
    """Who submits: an integration (`device_id` None), or a device for its own subject."""

    tenant_id: int
    device_id: int | None
    subject: tuple[Kind, int] | None


class Identified(NamedTuple):
    """A reading with its place in the submission and its identity."""

    place: int
    reading: Addressed
    subject_id: int
    reading_id: int

    @property
    def identity(self) -> tuple[Kind, int, int, int]:
        return self.reading.kind, self.subject_id, self.reading.time_us, self.reading_id


Result = dict[str, Any]


async def submit(
    caller: Caller, adapter: Adapter, judged: Sequence[Judged], raw_items: Callable[[], list[bytes]]
) -> list[Result]:
    """Answer for every item, after all that is accepted is durable and all refused recorded.

    `raw_items` gives the items as they came, aligned with `judged`.
    Raises DomainError `unavailable` (503) where that cannot be had now: to be sent again.
    """
    door = ingest.door()
    received_us = time.time_ns() // 1000
    try:
        identified, unknown, stored = await database_sync_to_async(_look_up)(caller, judged)
    except DatabaseError as error:
        raise unavailable("References cannot be resolved now.") from error
    results: list[Result] = [{} for _ in judged]
    refused: list[RefusedItem] = []
    for index, answer in enumerate(judged):
        if answer.refused is not None:
            refused.append(answer.refused)
            results[index] = _refusal(index, answer.refused.refusal)
    for index, refusal in unknown:
        refused.append(RefusedItem.of(refusal, raw_items()[index]))
        results[index] = _refusal(index, refusal)
    seen = set(stored)
    batches: dict[int, list[bytes]] = {}
    envelopes: dict[tuple[Kind, int], Envelope] = {}
    for item in identified:
        duplicate = item.identity in seen
        results[item.place] = {
            "index": item.place,
            "status": "duplicate" if duplicate else "accepted",
        }
        if duplicate:
            continue
        seen.add(item.identity)
        subject = item.reading.kind, item.subject_id
        envelope = envelopes.get(subject)
        if envelope is None:
            speaker = Speaker(caller.tenant_id, caller.device_id, *subject)
            envelope = envelopes[subject] = Envelope(speaker, adapter.protocol)
        record = envelope.record(
            item.reading.time_us, received_us, item.reading_id, item.reading.content
        )
        batches.setdefault(partition_of(*subject), []).append(record)
    if any(door.lanes[partition].full for partition in batches):
        raise unavailable("The ingress log takes nothing now.")
    if refused and door.quarantine_lane.full:
        raise unavailable("Refusals cannot be recorded now.")
    tickets = [door.accept(partition, records) for partition, records in batches.items()]
    if refused:
        source = Source(caller.tenant_id, caller.device_id, adapter)
        tickets.append(door.refuse(source, refused, received_us))
    if not await door.durable(tickets, settings.TELEMETRY_HTTP_TIMEOUT_S):
        raise unavailable("The readings could not be made durable in time.")
    return results


def unavailable(detail: str) -> DomainError:
    """Temporary: nothing has been acknowledged, and sending it all again stores nothing twice."""
    return DomainError("unavailable", 503, f"{detail} Send them again.", retry_after=RETRY_AFTER_S)


def _refusal(index: int, refusal: Refusal) -> Result:
    return {
        "index": index,
        "status": "refused",
        "code": refusal.code,
        "field": refusal.field,
        "detail": refusal.detail,
    }


_UNKNOWN: Final = {
    "v": (RefusalCode.UNKNOWN_VEHICLE, "no such vehicle"),
    "m": (RefusalCode.UNKNOWN_METER, "no such meter"),
}


def _look_up(
    caller: Caller, judged: Sequence[Judged]
) -> tuple[list[Identified], list[tuple[int, Refusal]], list[tuple[Kind, int, int, int]]]:
    """What each reading is about, which name nothing of the caller's, and what is stored."""
    named: dict[Kind, set[str]] = {"v": set(), "m": set()}
    for answer in judged:
        if answer.reading is not None:
            named[answer.reading.kind].add(answer.reading.reference)
    found = {
        "v": resolve_vehicles(caller.tenant_id, named["v"]) if named["v"] else {},
        "m": resolve_meters(caller.tenant_id, named["m"]) if named["m"] else {},
    }
    identified: list[Identified] = []
    unknown: list[tuple[int, Refusal]] = []
    for index, answer in enumerate(judged):
        reading = answer.reading
        if reading is None:
            continue
        subject_id = found[reading.kind].get(reading.reference)
        foreign = caller.device_id is not None and (reading.kind, subject_id) != caller.subject
        if subject_id is None or foreign:
            code, detail = _UNKNOWN[reading.kind]
            unknown.append((index, Refusal(code, reading.name, detail)))
        else:
            identified.append(Identified(index, reading, subject_id, reading_id(reading.content)))
    return identified, unknown, _stored(identified)


def _stored(identified: Sequence[Identified]) -> list[tuple[Kind, int, int, int]]:
    """Which of these identities history has already: one indexed query for each kind.

    Only to tell the caller: storage knows a reading again by itself. So where the answer is
    not to be had in time, nothing counts as stored.
    """
    stored: list[tuple[Kind, int, int, int]] = []
    for kind, noun in (("v", "vehicle"), ("m", "meter")):
        items = [item for item in identified if item.reading.kind == kind]
        if not items:
            continue
        times = [item.reading.time_us for item in items]
        if max(times) - min(times) > _LOOKUP_SPAN_US:
            continue
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {_LOOKUP_MS}")
                cursor.execute(
                    f"""
                    SELECT k.at FROM unnest(%s::bigint[], %s::timestamptz[], %s::int[])
                        WITH ORDINALITY AS k(subject, time, reading_id, at)
                    WHERE EXISTS (
                        SELECT FROM telemetry_{noun}_reading r
                        WHERE r.{noun}_id = k.subject AND r.time = k.time
                          AND r.reading_id = k.reading_id AND r.time BETWEEN %s AND %s)
                    """,  # noqa: S608  (nouns from above)
                    [
                        [item.subject_id for item in items],
                        [_datetime(us) for us in times],
                        [item.reading_id for item in items],
                        _datetime(min(times)),
                        _datetime(max(times)),
                    ],
                )
                stored += [items[at - 1].identity for (at,) in cursor.fetchall()]
        except DatabaseError:
            continue
    return stored


def _datetime(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_us)
