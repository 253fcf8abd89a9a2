"""The quarantine: from its log into its table, and back through the door once a cause is fixed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec
import structlog
from django.db import connection, transaction
from django.utils import timezone
from redis.exceptions import RedisError, ResponseError

from fleet.models import Device
from fleet.selectors import resolve_meters, resolve_vehicles
from telemetry.adapters import ADAPTERS
from telemetry.adapters.decoded import RAW_LIMIT, Addressed
from telemetry.clock import from_us, to_us
from telemetry.envelope import Envelope, Kind, Speaker, array_header
from telemetry.limits import limits_of
from telemetry.models import QuarantinedFrame
from telemetry.models.quarantine import ACCEPTED, SENT
from telemetry.normalise import reading_id
from telemetry.records import Reading, VehicleReading
from telemetry.refusals import RefusedFrame, decode_refused
from telemetry.storage.health import RefusalSeen, count_refusals
from telemetry.storage.unstorable import ADAPTER as RECORD
from telemetry.streams import (
    INGRESS,
    QUARANTINE,
    Append,
    Entry,
    append_many,
    decode_readings,
    encode_readings,
    partition_of,
)
from telemetry.validate import Refusal, RefusalCode
from tenants.errors import DomainError
from tenants.models import Organisation

__all__ = ["ACCEPTED", "GROUP", "drain", "replay"]

log = structlog.get_logger(__name__)

GROUP: Final = "quarantine"


# --- From the log into the table ---------------------------------------------------------
def drain(*, entries: int = 64) -> int:
    """Write what the quarantine log holds into its table; returns how many refusals.

    Called again and again by the writer's loop. Rows are known by their place in the log, so
    that a crash between the commit and the acknowledgement adds none. Raises RedisError or
    DatabaseError; nothing is lost then.
    """
    try:
        found = _next(entries)
    except ResponseError as error:
        if not str(error).startswith("NOGROUP"):
            raise
        QUARANTINE.ensure_group(0, GROUP)
        found = _next(entries)
    if not found:
        return 0
    rows = [row for entry in found for row in _rows_of(entry)]
    with transaction.atomic():
        known = set(
            QuarantinedFrame.objects.filter(log_id__in=[row.log_id for row in rows]).values_list(
                "log_id", flat=True
            )
        )
        new = [row for row in rows if row.log_id not in known]
        QuarantinedFrame.objects.bulk_create(new, ignore_conflicts=True, batch_size=500)
        with connection.cursor() as cursor:
            count_refusals(
                cursor,
                [
                    RefusalSeen(row.device_id, row.tenant_id, row.code, row.received_at)
                    for row in new
                    if row.device_id is not None and row.tenant_id is not None
                ],
            )
    QUARANTINE.ack(0, GROUP, found)
    return len(rows)


def _next(entries: int) -> list[Entry]:
    """What was delivered and not acknowledged first: a crash's remains."""
    pending = QUARANTINE.read_pending(0, GROUP, count=entries)
    return pending or QUARANTINE.read(0, GROUP, count=entries, block_ms=1)


def _rows_of(entry: Entry) -> list[QuarantinedFrame]:
    try:
        refused = decode_refused(entry.payload)
    except (msgspec.DecodeError, ValueError) as error:
        # Never written by us: kept as it is rather than lost, or in the way for ever.
        log.warning("quarantine_entry_undecodable", log_id=entry.id, error=str(error))
        return [
            QuarantinedFrame(
                log_id=entry.id,
                adapter="",
                adapter_version=0,
                code=RefusalCode.MALFORMED,
                detail=f"an entry of the quarantine log that cannot be decoded: {error}"[:400],
                raw=entry.payload[:RAW_LIMIT],
                raw_size=len(entry.payload),
                received_at=timezone.now(),
            )
        ]
    return [_row(f"{entry.id}:{at}", frame) for at, frame in enumerate(refused)]


def _row(log_id: str, frame: RefusedFrame) -> QuarantinedFrame:
    return QuarantinedFrame(
        log_id=log_id,
        tenant_id=frame.tenant_id,
        device_id=frame.device_id,
        adapter=frame.adapter,
        adapter_version=frame.adapter_version,
        code=frame.code,
        field=frame.field,
        detail=frame.detail,
        seq=frame.seq,
        raw=frame.raw,
        raw_size=frame.raw_size,
        received_at=from_us(frame.received_at),
    )


# --- And back through the door -----------------------------------------------------------
def replay(frames: Iterable[QuarantinedFrame], *, now: datetime | None = None) -> Counter[str]:
    """Judge recorded bytes again, by the rules and the fleet of today; returns outcomes.

    What is good now goes to the ingress log as any reading does. A frame that was accepted
    once is not sent again, and a reading has an identity anyway: repeating a replay stores
    nothing twice. A time in the future is judged as of when the frame came: waiting makes no
    clock right; whether it is too old, as of today: retention would take it away again.
    Raises DomainError `unavailable` where the log takes nothing now; run it again then.
    """
    moment = now or timezone.now()
    outcomes: Counter[str] = Counter()
    devices: dict[int, Device | None] = {}
    refused: list[QuarantinedFrame] = []
    sent: list[int] = []
    appends: list[Append] = []
    for frame in frames:
        if frame.replay_outcome == ACCEPTED:
            outcomes["already accepted"] += 1
            continue
        judged = _judge_again(frame, devices, moment)
        if isinstance(judged, list):
            appends += judged
            sent.append(frame.pk)
            outcomes[ACCEPTED] += 1
        else:
            frame.replay_outcome, frame.replayed_at = judged[:200], moment
            refused.append(frame)
            outcomes[frame.replay_outcome] += 1
    _send(sent, appends, moment)
    QuarantinedFrame.objects.bulk_update(refused, ["replayed_at", "replay_outcome"], batch_size=500)
    return outcomes


def _send(frames: Sequence[int], appends: Sequence[Append], moment: datetime) -> None:
    """Append, and note it around the append: the writer may be quicker than we are, and may
    have found by then that a reading still cannot be stored."""
    mine = QuarantinedFrame.objects.filter(pk__in=frames)
    mine.update(replay_outcome=SENT, replayed_at=moment)
    try:
        _append(appends)
    except DomainError:
        mine.filter(replay_outcome=SENT).update(replay_outcome="", replayed_at=None)
        raise
    mine.filter(replay_outcome=SENT).update(replay_outcome=ACCEPTED)


def _judge_again(
    frame: QuarantinedFrame, devices: dict[int, Device | None], now: datetime
) -> list[Append] | str:
    """What to append for a frame, or why it is still refused."""
    if frame.raw_size > len(frame.raw):
        return f"only {len(frame.raw)} of its {frame.raw_size} bytes were kept"
    if frame.adapter == RECORD:
        return _records_again(bytes(frame.raw))
    adapter = ADAPTERS.get(frame.adapter)
    if adapter is None:
        return f"no adapter {frame.adapter!r} any more"
    if frame.tenant_id is None:
        return "its organisation is not known"
    device = None
    if frame.device_id is not None:
        if frame.device_id not in devices:
            devices[frame.device_id] = (
                Device.objects.for_tenant(frame.tenant_id)
                .filter(pk=frame.device_id, archived_at__isnull=True)
                .first()
            )
        device = devices[frame.device_id]
        if device is None:
            return "the device is gone or archived"
    received_us = to_us(frame.received_at)
    limits = limits_of(
        Organisation.objects.values_list("retention_days", flat=True).get(pk=frame.tenant_id)
    )
    earliest_us, _ = limits.span(to_us(now))
    _, latest_us = limits.span(received_us)
    answer = adapter.read(bytes(frame.raw), _kind_of(device), (earliest_us, latest_us))
    if isinstance(answer, Refusal):
        return f"{answer.code}: {answer.field} {answer.detail}"
    subject_id = _subject(answer, frame.tenant_id, device)
    if subject_id is None:
        return f"unknown {'vehicle' if answer.kind == 'v' else 'meter'} {answer.reference}"
    speaker = Speaker(frame.tenant_id, frame.device_id, answer.kind, subject_id)
    record = Envelope(speaker, adapter.protocol).record(
        answer.time_us, received_us, reading_id(answer.content), answer.content
    )
    partition = partition_of(answer.kind, subject_id)
    return [Append(INGRESS, partition, array_header(1) + record, 1)]


def _records_again(raw: bytes) -> list[Append] | str:
    """Readings that had been accepted and could not be stored: nothing about them is judged
    again but whether they can be read. What still cannot be stored comes back."""
    try:
        readings = decode_readings(raw)
    except (msgspec.DecodeError, ValueError) as error:
        return f"not a list of readings: {error}"
    by_partition: dict[int, list[Reading]] = {}
    for reading in readings:
        vehicle = isinstance(reading, VehicleReading)
        subject_id = reading.vehicle_id if isinstance(reading, VehicleReading) else reading.meter_id
        partition = partition_of("v" if vehicle else "m", subject_id)
        by_partition.setdefault(partition, []).append(reading)
    return [
        Append(INGRESS, partition, encode_readings(found), len(found))
        for partition, found in by_partition.items()
    ] or "it holds no reading"


def _kind_of(device: Device | None) -> Kind | None:
    if device is None:
        return None
    return "v" if device.vehicle_id is not None else "m" if device.meter_id is not None else None


def _subject(reading: Addressed, tenant_id: int, device: Device | None) -> int | None:
    """The vehicle or meter the reading is about, as things stand today."""
    if not reading.reference:
        assert device is not None  # noqa: S101  (the adapter was told the kind of a device)
        return device.vehicle_id if reading.kind == "v" else device.meter_id
    resolve = resolve_vehicles if reading.kind == "v" else resolve_meters
    subject_id = resolve(tenant_id, [reading.reference]).get(reading.reference)
    if device is not None and subject_id not in (device.vehicle_id, device.meter_id):
        return None
    return subject_id


def _append(appends: Sequence[Append]) -> None:
    try:
        outcomes = append_many(appends) if appends else []
    except (RedisError, OSError) as error:
        raise _unavailable() from error
    if not all(isinstance(outcome, str) for outcome in outcomes):
        raise _unavailable()


def _unavailable() -> DomainError:
    return DomainError(
        "unavailable", 503, "The ingress log takes nothing now; replay again in a while."
    )
