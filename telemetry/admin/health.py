"""Device health: why is my vehicle dark?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from redis.exceptions import RedisError

from fleet.models import Device
from telemetry.admin.recent import last_readings, table
from telemetry.inspection.shown import ShownFrame, shown
from telemetry.inspection.watches import look
from telemetry.models import DeviceHealth, QuarantinedFrame
from telemetry.storage.subjects import METERS, VEHICLES
from tenants.admin_base import TenantAdmin

LAST = 20
"""Refused frames shown of a device."""


class Silent(admin.SimpleListFilter):
    """By how long nothing has come."""

    title = "silent for"
    parameter_name = "silent"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("5", "over 5 minutes"), ("60", "over an hour"), ("1440", "over a day")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value not in {"5", "60", "1440"}:
            return queryset
        since = timezone.now() - timedelta(minutes=int(value))
        return queryset.filter(Q(last_seen__lt=since) | Q(last_seen__isnull=True))


@admin.register(DeviceHealth)
class DeviceHealthAdmin(TenantAdmin):
    list_display = (
        "device",
        "speaks_for",
        "last_seen",
        "silence",
        "lag",
        "skew",
        "accepted",
        "duplicates",
        "late",
        "refused",
        "last_refusal_code",
    )
    list_filter = (Silent, ("last_refusal_code", admin.AllValuesFieldListFilter))
    search_fields = ("device_id__exact",)
    search_help_text = "A device's, vehicle's or meter's reference"
    ordering = ("last_seen",)
    readonly_fields = (
        "device",
        "speaks_for",
        "last_frames",
        "last_readings",
        "last_refused_frames",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        mine = Device.unscoped.filter(pk=OuterRef("device_id"))
        about = Coalesce("vehicle__reference", "meter__reference")
        queryset: QuerySet[Any] = super().get_queryset(request)
        queryset = queryset.annotate(
            _device=Subquery(mine.values("reference")[:1]),
            _about=Subquery(mine.values(about=about)[:1]),
        )
        return queryset

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip().replace("\0", "")
        if not term:
            return queryset, False
        devices = Device.unscoped.filter(
            Q(reference__iexact=term)
            | Q(vehicle__reference__iexact=term)
            | Q(meter__reference__iexact=term)
        )
        return queryset.filter(device_id__in=devices.values("pk")), False

    @admin.display(description="device", ordering="_device")
    def device(self, health: Any) -> str:
        return health._device or f"#{health.device_id}"

    @admin.display(description="speaks for", ordering="_about")
    def speaks_for(self, health: Any) -> str:
        return health._about or "—"

    @admin.display(description="silent for", ordering="last_seen")
    def silence(self, health: DeviceHealth) -> str:
        return timesince(health.last_seen) if health.last_seen else "never heard"

    @admin.display(description="lag", ordering="lag_ms")
    def lag(self, health: DeviceHealth) -> str:
        return _seconds(health.lag_ms)

    @admin.display(description="clock skew", ordering="skew_ms")
    def skew(self, health: DeviceHealth) -> str:
        return _seconds(health.skew_ms)

    @admin.display(description="frames as they come in")
    def last_frames(self, health: DeviceHealth) -> SafeString | str:
        """Whoever opens the page looks: frames are kept from then on, for a minute."""
        device = Device.unscoped.filter(pk=health.device_id).first()
        if device is None:
            return "The device is gone."
        try:
            seen = look(device)
        except (RedisError, OSError):
            return "Redis does not answer."
        if not seen.watched:
            return "Too many devices are being looked at just now."
        note = "Kept only while somebody looks: load the page again within a minute."
        rows = table(
            (each.at, f"{each.format}: {each.fate}", _told(each))
            for each in shown(seen.frames, health.tenant_id)
        )
        return format_html("<p>{}</p>{}", note, rows)

    @admin.display(description="last readings")
    def last_readings(self, health: DeviceHealth) -> SafeString | str:
        device = Device.unscoped.filter(pk=health.device_id).first()
        if device is not None and device.vehicle_id is not None:
            return last_readings(VEHICLES, device.vehicle_id)
        if device is not None and device.meter_id is not None:
            return last_readings(METERS, device.meter_id)
        return "The device speaks for nothing now."

    @admin.display(description=f"last {LAST} refused frames")
    def last_refused_frames(self, health: DeviceHealth) -> SafeString | str:
        frames = QuarantinedFrame.objects.filter(device_id=health.device_id)
        return table(
            (frame.received_at, f"{frame.code} {frame.field}".strip(), frame.detail)
            for frame in frames.order_by("-received_at")[:LAST]
        )


def _told(frame: ShownFrame) -> str:
    """What was refused of it and why, then the bytes."""
    reasons = [each for each in (frame.problem, *frame.refusals) if each is not None]
    why = "; ".join(f"{each.reason} {each.field} {each.detail}" for each in reasons)
    return f"{why} — {frame.text}" if why else frame.text


def _seconds(milliseconds: int | None) -> str:
    return "—" if milliseconds is None else f"{milliseconds / 1000:,.1f} s"
