"""The page of a device: how it is doing, what it sends, why it is silent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from redis.exceptions import RedisError

from fleet.models import Device, DeviceCredential, Vehicle
from fleet.protocols import protocol_named
from telemetry.dark import explain, is_silent
from telemetry.evidence import evidence_about
from telemetry.fields import METER_FIELDS, VEHICLE_FIELDS
from telemetry.frames import readable, reason
from telemetry.inspection.shown import shown
from telemetry.inspection.watches import look
from telemetry.models import (
    DeviceHealth,
    MeterHour,
    MeterLatest,
    QuarantinedFrame,
    VehicleHour,
    VehicleLatest,
)
from tenants.models import Scope
from tenants.pages import MemberPage
from tenants.preferences import zone_of

FRAMES = 10


class DeviceBase(MemberPage):
    page = "devices"

    @property
    def device(self) -> Device:
        return self.find(Device, "tenant", "vehicle", "meter", reference=self.kwargs["device_id"])


def looked_at(device: Device, since: datetime | None = None) -> dict[str, Any]:
    """What pages show of the device's last frames; their device is watched from now on."""
    try:
        found = look(device)
    except (RedisError, OSError):
        # A page about a device must come up while Redis is away.
        return {"looking": "away", "messages": []}
    messages = shown(found.frames, device.tenant_id)
    return {
        "looking": "yes" if found.watched else "full",
        "messages": [each for each in messages if since is None or each.at >= since],
    }


class Messages(DeviceBase):
    """What the device sends, as it comes in. Asking is looking: from the first time on its
    frames are kept, until nobody has asked for a minute."""

    scopes = {"GET": Scope.FLEET_READ}
    template_name = "things/messages.html"

    def get(self, request: HttpRequest, device_id: str) -> HttpResponse:
        device = self.device
        response = self.show({"device": device, **looked_at(device)})
        response["Cache-Control"] = "private, no-store"
        return response


class DevicePage(DeviceBase):
    scopes = {"GET": Scope.FLEET_READ}
    template_name = "things/device.html"

    def get(self, request: HttpRequest, device_id: str) -> HttpResponse:
        device = self.device
        health = DeviceHealth.objects.filter(pk=device.pk).first()
        evidence = evidence_about(device)
        hours = _hours_of(device)
        frames = list(
            QuarantinedFrame.objects.filter(device_id=device.pk).order_by("-received_at")[:FRAMES]
        )
        credential = (
            DeviceCredential.objects.for_tenant(self.tenant)
            .filter(device=device)
            .order_by("revoked_at", "-created_at")
            .last()
        )
        return self.show(
            {
                "device": device,
                "health": health,
                "silent": is_silent(evidence),
                "findings": explain(evidence),
                "refusals": _refusals(health),
                "frames": [
                    {"row": row, "reason": reason(row.code), "text": readable(row.raw)}
                    for row in frames
                ],
                "hours": hours,
                "gaps": sum(not hour["n"] for hour in hours),
                "values": values_of(device),
                "credential": credential,
                "live_credential": credential is not None and credential.revoked_at is None,
                "protocol": protocol_named(device.protocol),
            }
        )


class WhyDark(MemberPage):
    """Why is this vehicle dark? The causes, ranked; a part of the page for htmx, else all of it."""

    page = "vehicles"
    scopes = {"GET": Scope.FLEET_READ}
    template_name = "things/dark.html"

    def get(self, request: HttpRequest, vehicle_id: str) -> HttpResponse:
        vehicle = self.find(Vehicle, "fleet", reference=vehicle_id)
        evidence = evidence_about(vehicle)
        devices = Device.objects.for_tenant(self.tenant).filter(vehicle=vehicle)
        context = {
            "vehicle": vehicle,
            "silent": is_silent(evidence),
            "last_seen": evidence.last_seen,
            "findings": explain(evidence),
            "devices": devices.order_by("archived_at", "name")[:20],
        }
        if self.is_fragment:
            return self.show(context, template="things/findings.html")
        return self.show(context)


def values_of(device: Device) -> list[tuple[str, str, Any]]:
    """What the device's subject last reported: label, unit, value."""
    if device.vehicle_id:
        state: Any = VehicleLatest.objects.filter(pk=device.vehicle_id).first()
        fields = VEHICLE_FIELDS
    elif device.meter_id:
        state = MeterLatest.objects.filter(pk=device.meter_id).first()
        fields = METER_FIELDS
    else:
        return []
    if state is None:
        return []
    pairs = ((field, getattr(state, field.name)) for field in fields.values())
    return [(field.label, field.unit, value) for field, value in pairs if value is not None]


def _hours_of(device: Device) -> list[dict[str, Any]]:
    """How many readings of the device's subject each of the last 24 hours holds; the oldest
    first, the hour that is not over last. Empty where nothing is heard of it at all."""
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    since = now - timedelta(hours=23)
    counted: dict[datetime, int] = {}
    if device.vehicle_id:
        rows: Any = VehicleHour.objects.filter(vehicle_id=device.vehicle_id, hour__gte=since)
        counted = dict(rows.values_list("hour", "readings"))
    elif device.meter_id:
        rows = MeterHour.objects.filter(meter_id=device.meter_id, hour__gte=since)
        counted = dict(rows.values_list("hour", "readings"))
    most = max(counted.values(), default=0)
    if not most:
        return []
    zone = zone_of(device.tenant)
    hours = [since + timedelta(hours=n) for n in range(24)]
    return [
        {
            "label": f"{at.astimezone(zone):%H:%M}",
            "n": counted.get(at, 0),
            "share": max(100 * counted.get(at, 0) / most, 4),
        }
        for at in hours
    ]


def _refusals(health: DeviceHealth | None) -> list[tuple[Any, int]]:
    counts = health.refusals if health else {}
    return [(reason(code), n) for code, n in sorted(counts.items(), key=lambda item: -item[1])]
