"""Gathers what `telemetry.dark` judges: a few queries, none of which grows with history."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import structlog
from django.conf import settings
from django.utils import timezone
from redis.exceptions import RedisError

from fleet.models import Device, DeviceCredential, Meter, Vehicle
from telemetry.connected import open_among
from telemetry.dark import DeviceEvidence, Evidence
from telemetry.knocks import Knock, last_knocks
from telemetry.models import DeviceHealth, MeterLatest, VehicleLatest
from telemetry.status import MOVING_FROM_KMH
from telemetry.streams import INGRESS
from telemetry.writer import GROUP

log = structlog.get_logger(__name__)

NEIGHBOURS_WITHIN: Final = timedelta(minutes=5)
MOST_DEVICES: Final = 20
DEVICE_SILENT_AFTER: Final = timedelta(minutes=5)


def evidence_about(subject: Vehicle | Meter | Device) -> Evidence:
    """Everything known of why a vehicle, a meter or a device may be silent."""
    now = timezone.now()
    devices = _devices_of(subject)
    seen, state = _last_seen(subject, devices)
    reporting, others = _neighbours(subject, {device.pk for device in devices}, now)
    return Evidence(
        now=now,
        silent_after=_silent_after(subject),
        archived=subject.archived_at is not None,
        last_seen=seen,
        was_moving=(state.speed_kmh or 0) >= MOVING_FROM_KMH if state is not None else None,
        ignition=state.ignition if state is not None else None,
        devices=_evidence_of(devices, subject),
        ingress_lag=ingress_lag(now),
        neighbours=others,
        neighbours_reporting=reporting,
    )


def ingress_lag(now: datetime) -> timedelta | None:
    """How long the oldest reading has been waiting to be stored; None: Redis does not tell."""
    oldest = []
    try:
        for partition in range(settings.TELEMETRY_PARTITIONS):
            waiting = INGRESS.lag(partition, GROUP)
            if waiting.oldest_ms is not None and waiting.entries:
                oldest.append(waiting.oldest_ms)
    except (RedisError, OSError):
        # A page that explains silence must come up while Redis is away; then nothing comes in.
        log.warning("ingress_lag_unknown", exc_info=True)
        return None
    if not oldest:
        return timedelta(0)
    return max(now - datetime.fromtimestamp(min(oldest) / 1000, UTC), timedelta(0))


def _devices_of(subject: Vehicle | Meter | Device) -> list[Device]:
    if isinstance(subject, Device):
        return [subject]
    rows = Device.objects.for_tenant(subject.tenant_id)
    rows = (
        rows.filter(vehicle=subject) if isinstance(subject, Vehicle) else rows.filter(meter=subject)
    )
    return list(rows.order_by("archived_at", "-created_at")[:MOST_DEVICES])


def _evidence_of(devices: list[Device], subject: Vehicle | Meter | Device) -> list[DeviceEvidence]:
    ids = [device.pk for device in devices]
    if not ids:
        return []
    connected, knocks = _at_the_door(ids)
    health = DeviceHealth.objects.in_bulk(ids)
    live = set(
        DeviceCredential.objects.for_tenant(devices[0].tenant_id)
        .filter(device_id__in=ids, revoked_at__isnull=True)
        .values_list("device_id", flat=True)
    )
    return [
        replace(
            _device_evidence(device, health.get(device.pk), device.pk in live),
            connected=device.pk in connected,
            knock=knocks.get(device.pk),
            # Of a vehicle or meter it is known already.
            speaks_for=_speaks_for(device) if device is subject else "",
        )
        for device in devices
    ]


def _at_the_door(device_ids: list[int]) -> tuple[set[int], dict[int, Knock]]:
    """Those with an open socket, and those that knocked in vain."""
    try:
        return open_among(device_ids), last_knocks(device_ids)
    except (RedisError, OSError):
        return set(), {}


def _speaks_for(device: Device) -> Literal["", "nothing", "archived"]:
    thing = device.vehicle or device.meter
    if thing is None:
        return "nothing"
    return "archived" if thing.archived_at is not None else ""


def _device_evidence(device: Device, health: DeviceHealth | None, live: bool) -> DeviceEvidence:
    skew = health.skew_ms if health is not None else None
    return DeviceEvidence(
        reference=device.reference,
        archived=device.archived_at is not None,
        has_credential=live,
        last_seen=health.last_seen if health else None,
        skew=timedelta(milliseconds=skew) if skew is not None else None,
        refused=health.refused if health else 0,
        last_refusal_at=health.last_refusal_at if health else None,
        last_refusal_code=health.last_refusal_code if health else "",
    )


def _last_seen(
    subject: Vehicle | Meter | Device, devices: list[Device]
) -> tuple[datetime | None, Any]:
    """When readings last came, and the vehicle's latest state."""
    vehicle_id = subject.pk if isinstance(subject, Vehicle) else None
    if isinstance(subject, Device):
        vehicle_id = subject.vehicle_id
    state = VehicleLatest.objects.filter(pk=vehicle_id).first() if vehicle_id else None
    if isinstance(subject, Device):
        health = DeviceHealth.objects.filter(pk=subject.pk).first()
        return (health.last_seen if health else None), state
    if isinstance(subject, Meter):
        reading = MeterLatest.objects.filter(pk=subject.pk).first()
        return (reading.received_at if reading else None), None
    # By whichever clock is older, as the vehicle's status has it.
    return (min(state.received_at, state.time) if state else None), state


def _neighbours(subject: Vehicle | Meter | Device, own: set[int], now: datetime) -> tuple[int, int]:
    """How many other devices of the organisation report, of how many that ever did."""
    others = DeviceHealth.objects.filter(tenant_id=subject.tenant_id).exclude(pk__in=own)
    lately = others.filter(last_seen__gte=now - timedelta(days=1)).count()
    reporting = others.filter(last_seen__gte=now - NEIGHBOURS_WITHIN).count()
    return reporting, lately


def _silent_after(subject: Vehicle | Meter | Device) -> timedelta:
    if not isinstance(subject, Device):
        return timedelta(seconds=subject.silent_after_s)
    thing = subject.vehicle or subject.meter
    return timedelta(seconds=thing.silent_after_s) if thing else DEVICE_SILENT_AFTER
