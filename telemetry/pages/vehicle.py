"""A vehicle's page: any day or range, its charts and its way in step, its raw readings."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.gzip import gzip_page

from fleet import services
from fleet.models import Device, Vehicle
from telemetry import arrays, timeline
from telemetry.arrays import Floats, Times, microseconds
from telemetry.exports import WRITERS
from telemetry.fields import VEHICLE_FIELDS
from telemetry.journey import CHARTED, POWER, Journey
from telemetry.models import DeviceHealth, VehicleLatest
from telemetry.pages.period import (
    NAMED,
    Period,
    day_of,
    moment_of,
    offsets_from_utc,
    period_of,
)
from telemetry.pages.streaming import streamed
from telemetry.selectors import Position, history
from telemetry.status import rule, status_of
from telemetry.storage.subjects import VEHICLES
from telemetry.views import MAP_FILES
from tenants.errors import DomainError
from tenants.models import Scope
from tenants.pages import MemberPage
from tenants.preferences import is_imperial, zone_of

SHOWN_AT_FIRST: Final = ("speed_kmh", "soc_pct", "battery_temp_c", POWER)
DIGITS: Final = {"odometer_km": 3, "energy_dc_kwh": 6}
ROWS: Final = 100
DAY: Final = timedelta(hours=25)
"""No day is longer than this, not even the one when clocks are set back."""
POINTS: Final = 1600


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
        return vehicle, asked or self._last_day(vehicle, now)

    @property
    def zone(self) -> ZoneInfo:
        return zone_of(self.tenant)

    def _asked_moment(self) -> datetime | None:
        return moment_of(self.request.GET.get("t", ""), self.zone)

    def _last_day(self, vehicle: Vehicle, now: datetime) -> Period:
        """Today; where it has not spoken today, the day it last did."""
        today = day_of(now.astimezone(self.zone).date(), now=now, zone=self.zone)
        state = VehicleLatest.objects.filter(pk=vehicle.pk).only("time").first()
        if state is None or state.time >= today.start:
            return today
        return day_of(state.time.astimezone(self.zone).date(), now=now, zone=self.zone)


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
            "at": microseconds(at) // 1000 if at else None,
            "imperial": is_imperial(self.tenant),
            "shown": SHOWN_AT_FIRST,
            "words": {
                "gap": _("Silent"), "late": _("Late"), "play": _("Play"), "pause": _("Pause"),
                "nothing": _("No readings in this time."),
                "failed": _("The readings could not be loaded."),
            },
            "map": {
                "light": settings.MAP_STYLE_URL,
                "dark": settings.MAP_STYLE_DARK_URL,
                "worker": static("npm/maplibre-gl-worker.mjs"),
                "files": {name: static(f"map/{name}.json") for name in MAP_FILES},
            },
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
            time_us=microseconds(state.time) if state else None,
            received_us=microseconds(state.received_at) if state else None,
            silent_after_s=vehicle.silent_after_s,
            now_us=microseconds(timezone.now()),
        ),
        "rule": rule(),
        "period": period,
        "picked": {
            "day": f"{start:%Y-%m-%d}", "start": f"{start:%Y-%m-%dT%H:%M}",
            "end": f"{end:%Y-%m-%dT%H:%M}",
        },
        "last_day": f"{state.time.astimezone(zone):%Y-%m-%d}" if state else "",
        "named": NAMED.items(),
        "formats": list(WRITERS),
    }  # fmt: skip


def _devices(vehicle: Vehicle) -> list[dict[str, Any]]:
    devices = list(
        Device.objects.for_tenant(vehicle.tenant_id)
        .filter(vehicle=vehicle, archived_at__isnull=True)
        .order_by("name")[:5]
    )
    health = DeviceHealth.objects.in_bulk([device.pk for device in devices])
    return [{"device": device, "health": health.get(device.pk)} for device in devices]


@method_decorator(gzip_page, name="dispatch")
class Recording(VehiclePage):
    """The period as data: charts thinned out with their extremes kept, way, states, events."""

    def get(self, request: HttpRequest, vehicle_id: str) -> HttpResponse:
        vehicle, period = self.vehicle_and_period(vehicle_id)
        journey = _journey(vehicle, period)
        why = timeline.reasons(vehicle.pk, journey.gaps)
        about = {"vehicle": vehicle, "journey": journey, "actor": self.actor, "period": period}
        totals = journey.totals
        energy, estimated = totals.spent_kwh(vehicle.battery_capacity_kwh)
        about |= {
            "totals": totals, "energy": energy, "estimated": estimated,
            "per_100_km": _per_100_km(energy, totals.distance_km),
            "events": timeline.events(vehicle, journey, why),
            "clock": "%H:%M" if period.end - period.start <= DAY else "%d %b, %H:%M",
        }  # fmt: skip
        body = {
            **_drawn(journey, why),
            "clock": [
                (microseconds(since) // 1000, seconds)
                for since, seconds in offsets_from_utc(period, self.zone)
            ],
            # A plain str: msgspec takes no subclasses.
            "summary": str.__str__(render_to_string("vehicle/summary.html", about, request)),
            "events": str.__str__(render_to_string("vehicle/events.html", about, request)),
        }
        return HttpResponse(
            msgspec.json.encode(body),
            content_type="application/json",
            headers={"Cache-Control": "private, no-store"},
        )


def _journey(vehicle: Vehicle, period: Period) -> Journey:
    journey = Journey(
        microseconds(period.start),
        microseconds(period.end),
        gap_us=vehicle.silent_after_s * 1_000_000,
        points=POINTS,
    )
    for page in arrays.pages(vehicle.pk, start=period.start, end=period.end):
        journey.add(page)
    journey.close(microseconds(timezone.now()))
    return journey


def _per_100_km(kwh: float | None, km: float) -> float | None:
    """Of less than a kilometre no rate is told."""
    return kwh / km * 100 if kwh is not None and km >= 1 else None


def _drawn(journey: Journey, why: list[str]) -> dict[str, Any]:
    """Times are milliseconds since the period's start."""
    start = journey.start

    def offset(time: int) -> int:
        return (time - start) // 1000

    def offsets(times: Times) -> list[int]:
        found: list[int] = ((times - start) // 1000).tolist()
        return found

    way, lon, lat = journey.way()
    fields = []
    for name in CHARTED:
        time, values = journey.series(name)
        if len(time):
            field = VEHICLE_FIELDS.get(name)
            fields.append(
                {
                    "name": name,
                    "label": str(_(field.label)) if field else _("Power"),
                    "unit": field.unit if field else "kW",
                    "t": offsets(time),
                    "v": _rounded(values, DIGITS.get(name, 2)),
                }
            )
    return {
        "start": start // 1000,
        "end": journey.end // 1000,
        "readings": journey.readings,
        "fields": fields,
        "way": {"t": offsets(way), "lon": _rounded(lon, 6), "lat": _rounded(lat, 6)},
        "gaps": [
            {"from": offset(gap.start), "to": offset(gap.end), "why": text}
            for gap, text in zip(journey.gaps, why, strict=True)
        ],
        "late": [[offset(span.start), offset(span.end)] for span in journey.late],
        "invalid": [[offset(span.start), offset(span.end)] for span in journey.invalid],
        "states": [[offset(s.start), offset(s.end), s.status] for s in journey.states],
    }


def _rounded(values: Floats, digits: int) -> list[float]:
    # Adding zero makes -0.0 a plain one.
    found: list[float] = (np.round(values, digits) + 0.0).tolist()
    return found


class Readings(VehiclePage):
    """Raw readings as a table, newest first: what charts and map say, in numbers."""

    template_name = "vehicle/readings.html"

    def get(self, request: HttpRequest, vehicle_id: str) -> HttpResponse:
        vehicle, period = self.vehicle_and_period(vehicle_id)
        cursor = request.GET.get("after", "")
        try:
            after = Position.decoded(cursor) if cursor else None
        except DomainError:
            after = None
        page = history(
            VEHICLES,
            vehicle.pk,
            start=period.start,
            end=period.end,
            fields=(*VEHICLE_FIELDS, "alarms", "attributes", "invalid"),
            limit=ROWS,
            after=after,
        )
        shown = [f for f in VEHICLE_FIELDS.values() if any(f.name in r for r in page.readings)]
        rows = [
            {
                "time": reading["time"],
                "received_at": reading["received_at"],
                "late": (reading["received_at"] - reading["time"]).total_seconds(),
                "cells": [(field, reading.get(field.name)) for field in shown],
                "alarms": reading.get("alarms", []),
                "invalid": reading.get("invalid", []),
                "attributes": reading.get("attributes", {}),
            }
            for reading in page.readings
        ]
        state = VehicleLatest.objects.filter(pk=vehicle.pk).first()
        older = page.after.encoded() if page.after else ""
        context = {"fields": shown, "rows": rows, "older": older, "is_first": after is None}
        return self.show({**heading_of(vehicle, state, period, self.zone), **context})


class Export(VehiclePage):
    """What is shown, as a file."""

    def get(self, request: HttpRequest, vehicle_id: str, kind: str) -> HttpResponseBase:
        if kind not in WRITERS:
            raise Http404
        vehicle, period = self.vehicle_and_period(vehicle_id)
        write, content_type = WRITERS[kind]
        day = period.start.astimezone(self.zone)
        return streamed(
            request,
            write(vehicle, period.start, period.end),
            content_type=content_type,
            name=f"{vehicle.reference}-{day:%Y-%m-%d}.{kind}",
        )


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
