"""Readings that name their vehicle or meter themselves: resolved, taken in, answered one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError

from fleet.selectors import resolve_meters, resolve_vehicles
from telemetry import ingest
from telemetry.adapters.decoded import Adapter, Addressed, RefusedItem
from telemetry.adapters.http_v1 import Judged
from telemetry.envelope import Envelope, Kind, Speaker
from telemetry.normalise import reading_id
from telemetry.refusals import Source
from telemetry.storage.known import Identity, stored_among
from telemetry.streams import partition_of
from telemetry.validate import Limits, Refusal, RefusalCode
from tenants.errors import DomainError

RETRY_AFTER_S: Final = 2


class Caller(NamedTuple):
    """Who submits: an integration (`device_id` None), or a device for its own subject."""

    tenant_id: int
    device_id: int | None
    subject: tuple[Kind, int] | None
    limits: Limits


Identified = tuple[int, Addressed, Identity]
"""A reading with its place in the submission and its identity. A plain tuple, as are the
identities: there are a thousand of them in a request."""

Result = dict[str, Any]


async def submit(
    caller: Caller,
    adapter: Adapter,
    judged: Sequence[Judged],
    raw_items: Callable[[], list[bytes]],
    received_us: int,
) -> list[Result]:
    """Answer for every item, after all that is accepted is durable and all refused recorded.

    `raw_items` gives the items as they came, aligned with `judged`.
    Raises DomainError `unavailable` (503) where that cannot be had now: to be sent again.
    """
    door = ingest.door()
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
    tickets: set[ingest.Ticket] = set()
    batches: dict[int, dict[Identity, bytes]] = {}
    for place, reading, identity in identified:
        envelope, partition = _route(caller.tenant_id, caller.device_id, *identity[:2], adapter)
        batch = batches.setdefault(partition, {})
        ticket = door.recent.ticket_of(identity)
        if ticket is not None:
            tickets.add(ticket)
        if ticket is not None or identity in stored or identity in batch:
            results[place] = {"index": place, "status": "duplicate"}
            continue
        results[place] = {"index": place, "status": "accepted"}
        batch[identity] = envelope.record(identity[2], received_us, identity[3], reading.content)
    if any(door.lanes[partition].full for partition, batch in batches.items() if batch):
        raise unavailable("The ingress log takes nothing now.")
    if refused and door.quarantine_lane.full:
        raise unavailable("Refusals cannot be recorded now.")
    for partition, batch in batches.items():
        if batch:
            ticket = door.accept(partition, list(batch.values()))
            door.recent.note(batch, ticket)
            tickets.add(ticket)
    if refused:
        source = Source(caller.tenant_id, caller.device_id, adapter)
        tickets.add(door.refuse(source, refused, received_us))
    if not await door.durable(tickets, settings.TELEMETRY_HTTP_TIMEOUT_S):
        raise unavailable("The readings could not be made durable in time.")
    return results


def records_of(
    caller: Caller,
    adapter: Adapter,
    judged: Sequence[Judged],
    results: Sequence[Result],
    received_us: int,
) -> list[bytes]:
    """What of a device's submission was not refused, as records of the log."""
    if caller.subject is None:
        return []
    speaker = Speaker(caller.tenant_id, caller.device_id, *caller.subject)
    envelope = Envelope(speaker, adapter.protocol)
    return [
        envelope.record(reading.time_us, received_us, reading_id(reading.content), reading.content)
        for (reading, _), result in zip(judged, results, strict=True)
        if reading is not None and result["status"] != "refused"
    ]


@lru_cache(maxsize=50_000)
def _route(
    tenant_id: int, device_id: int | None, kind: Kind, subject_id: int, adapter: Adapter
) -> tuple[Envelope, int]:
    """What encloses the records of a subject, and the partition they go to."""
    speaker = Speaker(tenant_id, device_id, kind, subject_id)
    return Envelope(speaker, adapter.protocol), partition_of(kind, subject_id)


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
) -> tuple[list[Identified], list[tuple[int, Refusal]], set[Identity]]:
    """What each reading is about, which name nothing of the caller's, and what is stored."""
    named: dict[Kind, set[str]] = {"v": set(), "m": set()}
    for reading, _ in judged:
        if reading is not None:
            named[reading.kind].add(reading.reference)
    found = {
        "v": resolve_vehicles(caller.tenant_id, named["v"]) if named["v"] else {},
        "m": resolve_meters(caller.tenant_id, named["m"]) if named["m"] else {},
    }
    identified: list[Identified] = []
    unknown: list[tuple[int, Refusal]] = []
    for index, (reading, _) in enumerate(judged):
        if reading is None:
            continue
        kind, reference, name, time_us, content = reading
        subject_id = found[kind].get(reference)
        foreign = caller.device_id is not None and (kind, subject_id) != caller.subject
        if subject_id is None or foreign:
            code, detail = _UNKNOWN[kind]
            unknown.append((index, Refusal(code, name, detail)))
        else:
            identity = kind, subject_id, time_us, reading_id(content)
            identified.append((index, reading, identity))
    return identified, unknown, stored_among([identity for _, _, identity in identified])
