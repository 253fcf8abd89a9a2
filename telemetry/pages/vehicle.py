"""A vehicle's page: any day or range, its charts and its way in step, its raw readings."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from fleet import services
from fleet.models import Device, Vehicle
from telemetry.clock import to_us
from telemetry.exports import WRITERS
from telemetry.ground import map_settings
from telemetry.journey import POWER
from telemetry.models import DeviceHealth, VehicleLatest, VehicleReadingRow
from telemetry.pages.period import NAMED, Period, day_of, moment_of, named, period_of
from telemetry.status import rule, status_of
from tenants.errors import DomainError
from tenants.models import Scope
from tenants.pages import MemberPage
from tenants.preferences import is_imperial, zone_of

SHOWN_AT_FIRST: Final = ("speed_kmh", "soc_pct", "battery_temp_c", POWER)


class VehiclePage(MemberPage):
    """What its pages have in common: the vehicle and the period they are about."""

    page = "vehicles"
    scopes = {"GET": Scope.TELEMETRY_READ}

    def vehicle_and_period(self, reference: str) -> tuple[Vehicle, Period]:
        vehicle = self.find(Vehicle, "fleet", reference=reference)
        now = timezone.now()
        asked = period_of(self.request.GET, now=now, zone=self.zone)
        if asked is None and (at := self._asked_moment()) is not None:
            asked = day_of(at.astimezone(self.zone).date(), now=now, zone=self.zone)
        return vehicle, asked or self._best_period(vehicle, now)

    @property
    def zone(self) -> ZoneInfo:
        return zone_of(self.tenant)

    def _asked_moment(self) -> datetime | None:
        return moment_of(self.request.GET.get("t", ""), self.zone)

    def _best_period(self, vehicle: Vehicle, now: datetime) -> Period:
        """Today; the last hour where it began to speak only then; where it has not spoken
        today, the day it last did."""
        today = day_of(now.astimezone(self.zone).date(), now=now, zone=self.zone)
        state = VehicleLatest.objects.filter(pk=vehicle.pk).only("time").first()
        if state is None:
            return today
        if state.time < today.start:
            return day_of(state.time.astimezone(self.zone).date(), now=now, zone=self.zone)
        hour = named("1h", now=now, zone=self.zone)
        before = VehicleReadingRow.objects.filter(
            vehicle_id=vehicle.pk, time__gte=today.start, time__lt=hour.start
        )
        return today if before.exists() else hour


class Overview(VehiclePage):
    """The page itself; what it draws comes from `Recording`."""

    template_name = "vehicle/page.html"

    def get(self, request: HttpRequest, vehicle_id: str) -> HttpResponse:
        vehicle, period = self.vehicle_and_period(vehicle_id)
        state = VehicleLatest.objects.filter(pk=vehicle.pk).first()
        return self.show(
            {
                **heading_of(vehicle, state, period, self.zone),
                "start": self._start(vehicle, period),
                "devices": _devices(vehicle),
            }
        )

    def _start(self, vehicle: Vehicle, period: Period) -> dict[str, Any]:
        """What the page's modules need to know."""
        at = self._asked_moment()
        return {
            "data": f"{self.request.path}recording",
            "query": period.query,
            "live": period.is_live,
            "fits": not self.request.GET,
            "at": to_us(at) // 1000 if at else None,
            "imperial": is_imperial(self.tenant),
            "shown": SHOWN_AT_FIRST,
            "map": map_settings(),
        }  # fmt: skip


def heading_of(
    vehicle: Vehicle, state: VehicleLatest | None, period: Period, zone: ZoneInfo
) -> dict[str, Any]:
    """What stands above the vehicle's charts and above its readings."""
    start, end = period.start.astimezone(zone), period.end.astimezone(zone)
    values = (
        {"speed_kmh": state.speed_kmh, "charging": state.charging, "ignition": state.ignition}
        if state
        else {}
    )
    return {
        "vehicle": vehicle,
        "state": state,
        "status": status_of(
            values,
            time_us=to_us(state.time) if state else None,
            received_us=to_us(state.received_at) if state else None,
            silent_after_s=vehicle.silent_after_s,
            now_us=to_us(timezone.now()),
        ),
        "rule": rule(),
        "period": period,
        "picked": {
            "day": f"{start:%Y-%m-%d}", "words": f"{start.day} {start:%b %Y}",
            "start": f"{start:%Y-%m-%dT%H:%M}", "end": f"{end:%Y-%m-%dT%H:%M}",
        },
        "days": _neighbours(period, zone),
        "last_day": f"{state.time.astimezone(zone):%Y-%m-%d}" if state else "",
        "named": NAMED.items(),
        "formats": list(WRITERS),
    }  # fmt: skip


def _neighbours(period: Period, zone: ZoneInfo) -> dict[str, date | None]:
    """The days before and after that of the period's start; none after today."""
    shown = period.start.astimezone(zone).date()
    following = shown + timedelta(days=1)
    today = datetime.now(UTC).astimezone(zone).date()
    return {
        "before": shown - timedelta(days=1),
        "after": following if following <= today else None,
    }


def _devices(vehicle: Vehicle) -> list[dict[str, Any]]:
    devices = list(
        Device.objects.for_tenant(vehicle.tenant_id)
        .filter(vehicle=vehicle, archived_at__isnull=True)
        .order_by("name")[:5]
    )
    health = DeviceHealth.objects.in_bulk([device.pk for device in devices])
    return [{"device": device, "health": health.get(device.pk)} for device in devices]


class RevealVin(MemberPage):
    """The VIN in clear for those who may, who say why; recorded before it is shown."""

    page = "vehicles"
    scopes = {"POST": Scope.VIN_REVEAL}
    template_name = "vehicle/vin.html"

    def post(self, request: HttpRequest, vehicle_id: str) -> HttpResponse:
        vehicle = self.find(Vehicle, "fleet", reference=vehicle_id)
        context: dict[str, Any] = {"vehicle": vehicle}
        status = 200
        try:
            context["number"] = services.reveal_vin(
                actor=self.actor, vehicle=vehicle, reason=request.POST.get("reason", "")[:200]
            )
        except DomainError as error:
            context["error"], status = error.detail, error.status
        template = self.template_name if self.is_fragment else "vehicle/vin_page.html"
        response = self.show(context, template=template, status=status)
        response["Cache-Control"] = "no-store"
        return response
