"""A vehicle's raw readings: as a table, and as files."""

from __future__ import annotations

from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from telemetry.exports import WRITERS
from telemetry.fields import VEHICLE_FIELDS
from telemetry.models import VehicleLatest
from telemetry.pages.streaming import streamed
from telemetry.pages.vehicle import VehiclePage, heading_of
from telemetry.selectors import Position, history
from telemetry.storage.subjects import VEHICLES
from tenants.errors import DomainError

ROWS: Final = 100


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
