"""What was reported: latest state, history, track, and a day's performance."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, cast

from django.conf import settings
from django.http import Http404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from fleet.models import REFERENCE_PATTERN, Meter, Vehicle
from telemetry import selectors, track
from telemetry.api import parameters, serializers
from telemetry.clock import from_us
from telemetry.performance import performance
from telemetry.storage.subjects import METERS, VEHICLES, Subject
from tenants.api.views import TenantAPIView
from tenants.errors import DomainError
from tenants.models import Scope

_DAY = timedelta(hours=24)
MAX_TRACK = timedelta(days=7)

FROM = OpenApiParameter("from", OpenApiTypes.DATETIME, description="Inclusive; default: a day ago.")
TO = OpenApiParameter("to", OpenApiTypes.DATETIME, description="Exclusive; default: now.")
HISTORY_PARAMETERS = [
    FROM,
    TO,
    OpenApiParameter("fields", str, description="Names with commas between; default: all."),
    OpenApiParameter("limit", int, description="Up to 1,000; default 100."),
    OpenApiParameter("order", str, enum=["desc", "asc"], description="By time."),
    OpenApiParameter("cursor", str, description="`next` of the page before, same parameters."),
]


class ReadView(TenantAPIView):
    """A read about one vehicle or one meter of the caller's; an archived one stays readable."""

    required_scopes = {"GET": Scope.TELEMETRY_READ, "HEAD": Scope.TELEMETRY_READ}
    http_method_names = ["get", "head"]
    model: ClassVar[type[Vehicle] | type[Meter]] = Vehicle
    subject: ClassVar[Subject] = VEHICLES

    def thing(self, reference: str) -> Any:
        """The tenant's own, by its reference; of another tenant there is nothing here: 404."""
        if not re.fullmatch(REFERENCE_PATTERN, reference):
            raise Http404
        found = self.model.objects.for_tenant(self.tenant).filter(reference=reference).first()
        if found is None:
            raise Http404
        return found

    @staticmethod
    def span(query: Mapping[str, str]) -> tuple[datetime, datetime]:
        """`from` and `to`; of what lies in the future or beyond all retention there is nothing."""
        now = timezone.now()
        end = parameters.moment(query, "to", now)
        start = parameters.moment(query, "from", end - _DAY)
        if end < start:
            raise DomainError("bad_parameter", 400, "from is after to.", field="from")
        oldest = now - timedelta(days=settings.TELEMETRY_RETENTION_DAYS + 1)
        newest = now + timedelta(seconds=settings.TELEMETRY_FUTURE_TOLERANCE_S)
        return max(start, oldest), min(end, newest)


class LatestView(ReadView):
    def answer(self, reference: str) -> Response:
        thing = self.thing(reference)
        read = selectors.vehicle_states if self.subject is VEHICLES else selectors.meter_states
        states = read([thing.pk])
        now = timezone.now()
        body = described(self.subject, states[0], now) if states else dict(_NOTHING_YET)
        return Response({self.subject.key: thing.reference, **body})


class VehicleLatestView(LatestView):
    @extend_schema(
        operation_id="telemetry_vehicle_latest", responses=serializers.VehicleLatestSerializer
    )
    def get(self, request: Request, vehicle_id: str) -> Response:
        """The latest value of every field, each with its own time."""
        return self.answer(vehicle_id)


class MeterLatestView(LatestView):
    model = Meter
    subject = METERS

    @extend_schema(
        operation_id="telemetry_meter_latest", responses=serializers.MeterLatestSerializer
    )
    def get(self, request: Request, meter_id: str) -> Response:
        """The latest value of every field, each with its own time."""
        return self.answer(meter_id)


_NOTHING_YET: dict[str, Any] = {
    "time": None, "received_at": None, "age_s": None,
    "values": {}, "attributes": {}, "invalid": [],
}  # fmt: skip


def described(subject: Subject, state: dict[str, Any], now: datetime) -> dict[str, Any]:
    """A latest state as the API shows it: `older` unfolded to a time for every value."""
    older: dict[str, tuple[int, int]] = state["older"]

    def dated(name: str, value: Any, unit: str = "") -> dict[str, Any]:
        time = state["time"]
        if name in older:
            time = from_us(older[name][0])
        about = {"unit": unit} if unit else {}
        return {"value": value, **about, "time": time, "age_s": _age(time, now)}

    values = {}
    for name in subject.merged:
        if state[name] is not None:
            field = subject.fields.get(name)
            values[name] = dated(name, state[name], field.unit if field else "")
    attributes = {
        name: dated(f"attributes.{name}", value)
        for name, value in (state["attributes"] or {}).items()
    }
    return {
        "time": state["time"],
        "received_at": state["received_at"],
        "age_s": _age(state["time"], now),
        "values": values,
        "attributes": attributes,
        "invalid": state["invalid"] or [],
    }


def _age(time: datetime, now: datetime) -> float:
    return round((now - time).total_seconds(), 3)


class HistoryView(ReadView):
    def answer(self, request: Request, reference: str) -> Response:
        thing = self.thing(reference)
        query = request.query_params
        parameters.refuse_unknown(query, {"from", "to", "fields", "limit", "order", "cursor"})
        start, end = self.span(query)
        extra = [name for name in ("alarms", "attributes", "invalid") if self._has(name)]
        known = (*self.subject.fields, *extra)
        order = cast(selectors.Order, parameters.choice(query, "order", ("desc", "asc")))
        cursor = query.get("cursor")
        page = selectors.history(
            self.subject,
            thing.pk,
            start=start,
            end=end,
            fields=parameters.names(query, "fields", known),
            limit=parameters.whole(query, "limit", 100, 1, selectors.MAX_PAGE),
            order=order,
            after=selectors.Position.decoded(cursor) if cursor else None,
        )
        return Response(
            {
                self.subject.key: thing.reference,
                "order": order,
                "readings": page.readings,
                "next": page.after.encoded() if page.after else None,
            }
        )

    def _has(self, column: str) -> bool:
        return any(known.name == column for known in self.subject.history)


class VehicleHistoryView(HistoryView):
    @extend_schema(
        operation_id="telemetry_vehicle_history",
        parameters=HISTORY_PARAMETERS,
        responses=serializers.VehicleHistorySerializer,
    )
    def get(self, request: Request, vehicle_id: str) -> Response:
        """Readings by time, in pages; a cursor stays valid while readings arrive."""
        return self.answer(request, vehicle_id)


class MeterHistoryView(HistoryView):
    model = Meter
    subject = METERS

    @extend_schema(
        operation_id="telemetry_meter_history",
        parameters=HISTORY_PARAMETERS,
        responses=serializers.MeterHistorySerializer,
    )
    def get(self, request: Request, meter_id: str) -> Response:
        """Readings by time, in pages; a cursor stays valid while readings arrive."""
        return self.answer(request, meter_id)


class TrackView(ReadView):
    @extend_schema(
        operation_id="telemetry_vehicle_track",
        parameters=[
            FROM,
            TO,
            OpenApiParameter("zoom", int, description="0 to 22 as of a web map; default 14."),
        ],
        responses=serializers.TrackSerializer,
    )
    def get(self, request: Request, vehicle_id: str) -> Response:
        """The way a vehicle took, as GeoJSON, simplified to about a pixel; up to 7 days."""
        vehicle = self.thing(vehicle_id)
        parameters.refuse_unknown(request.query_params, {"from", "to", "zoom"})
        start, end = self.span(request.query_params)
        if end - start > MAX_TRACK:
            raise DomainError("range_too_long", 400, "A track covers up to 7 days.", field="from")
        zoom = parameters.whole(request.query_params, "zoom", 14, 0, track.MAX_ZOOM)
        found = track.track(vehicle.pk, start=start, end=end, zoom=zoom)
        about = {"vehicle_id": vehicle.reference, "from": start, "to": end, "zoom": zoom}
        return Response(track.feature(found, about))


class PerformanceView(ReadView):
    @extend_schema(
        operation_id="analytics_vehicle_performance",
        parameters=[
            OpenApiParameter(
                "at", OpenApiTypes.DATETIME, description="End of the day; default now."
            )
        ],
        responses=serializers.PerformanceSerializer,
    )
    def get(self, request: Request, vehicle_id: str) -> Response:
        """Energy and battery temperature over the 24 hours up to `at`, exact."""
        vehicle = self.thing(vehicle_id)
        parameters.refuse_unknown(request.query_params, {"at"})
        found = performance(vehicle, parameters.moment(request.query_params, "at", timezone.now()))
        return Response(
            {
                "vehicleId": vehicle.reference,
                "totalAcKwh": found.total_ac_kwh,
                "totalDcKwh": found.total_dc_kwh,
                "efficiency": found.efficiency,
                "avgBatteryTemp": found.avg_battery_temp,
                "acSource": found.ac_source,
                "from": found.start,
                "to": found.end,
            }
        )
