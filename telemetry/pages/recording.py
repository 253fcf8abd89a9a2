"""What a vehicle's page draws, as data: charts, way, states, stops, events and totals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
import numpy as np
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.gzip import gzip_page

from fleet.models import Vehicle
from telemetry import arrays, attribute_series, sampling, timeline
from telemetry.arrays import Floats, Times
from telemetry.clock import to_us
from telemetry.fields import VEHICLE_FIELDS, Field, Kind
from telemetry.journey import CHARTED, POWER, Journey
from telemetry.models import VehicleLatest
from telemetry.pages.period import Period
from telemetry.pages.signals import signals_of
from telemetry.pages.vehicle import VehiclePage
from telemetry.revisions import revisions
from telemetry.timeline import Event
from tenants.zones import clock_of

DIGITS: Final = {"odometer_km": 3, "energy_dc_kwh": 6}
DAY: Final = timedelta(hours=25)
"""No day is longer than this, not even the one when clocks are set back."""
POINTS: Final = 1600
ATTRIBUTE: Final = "attributes."
_DERIVED: Final = Field(POWER, Kind.NUMBER, "Power", "kW")
MOST_STOPS: Final = 60
"""Shown on the map: the longest."""


@method_decorator(gzip_page, name="dispatch")
class Recording(VehiclePage):
    """The period as data, bounded however many readings there are.

    `attribute` in the address, as often as wanted, names further numbers to draw.
    """

    def get(self, request: HttpRequest, vehicle_id: str) -> HttpResponse:
        vehicle, period = self.vehicle_and_period(vehicle_id)
        state = VehicleLatest.objects.filter(pk=vehicle.pk).first()
        journey = _journey(vehicle, state, period)
        why = timeline.reasons(vehicle.pk, journey.gaps)
        events = timeline.events(vehicle, journey, why)
        attributes = attribute_series.charted(state.attributes if state else None)
        asked = [name for name in request.GET.getlist("attribute") if name in attributes]
        fields = [
            *_fields(journey),
            *_attributes(vehicle, period, journey, [attributes[name] for name in asked]),
        ]
        body = {
            **_drawn(journey, why),
            "fields": fields,
            "more": [_named(field, ATTRIBUTE) for name, field in attributes.items()],
            "limits": _limits(events),
            "marks": [_mark(event, journey.start) for event in events],
            "clock": clock_of(self.zone, period.start, period.end),
            **self._texts(vehicle, state, period, journey, events),
        }
        return HttpResponse(
            msgspec.json.encode(body),
            content_type="application/json",
            headers={"Cache-Control": "private, no-store"},
        )

    def _texts(
        self,
        vehicle: Vehicle,
        state: VehicleLatest | None,
        period: Period,
        journey: Journey,
        events: Sequence[Event],
    ) -> dict[str, str]:
        """Parts of the page that go with the data."""
        totals = journey.totals
        energy, estimated = totals.spent_kwh(vehicle.battery_capacity_kwh)
        about = {
            "vehicle": vehicle, "journey": journey, "actor": self.actor, "period": period,
            "totals": totals, "energy": energy, "estimated": estimated,
            "per_100_km": totals.per_100_km(energy),
            "revised": revisions(journey, vehicle.battery_capacity_kwh, self.tenant),
            "events": events,
            "clock": "%H:%M" if period.end - period.start <= DAY else "%d %b, %H:%M",
            "signals": signals_of(state),
        }  # fmt: skip
        # A plain str: msgspec takes no subclasses.
        return {
            name: str.__str__(render_to_string(f"vehicle/{name}.html", about, self.request))
            for name in ("summary", "events", "signals")
        }


def _journey(vehicle: Vehicle, state: VehicleLatest | None, period: Period) -> Journey:
    journey = Journey(
        to_us(period.start),
        to_us(period.end),
        gap_us=vehicle.silent_after_s * 1_000_000,
        points=POINTS,
        known_since=to_us(vehicle.created_at),
    )
    # The latest state holds the last value of every field: what it lacks was never sent.
    reported = [name for name in arrays.COLUMNS if state is None or _is_told(state, name)]
    history = arrays.pages(vehicle.pk, start=period.start, end=period.end, reported=reported)
    for page in history:
        journey.add(page)
    journey.close(to_us(timezone.now()))
    return journey


def _is_told(state: VehicleLatest, name: str) -> bool:
    return getattr(state, name) is not None


def _fields(journey: Journey) -> Iterator[dict[str, Any]]:
    for name in CHARTED:
        time, values = journey.series(name)
        if len(time):
            yield _line(VEHICLE_FIELDS.get(name, _DERIVED), time, values, journey.start)


def _attributes(
    vehicle: Vehicle, period: Period, journey: Journey, chosen: Sequence[Field]
) -> Iterator[dict[str, Any]]:
    silences = np.array([gap.start for gap in journey.gaps if not gap.is_open], dtype=np.int64)
    for field in chosen[: attribute_series.MOST]:
        time, values = attribute_series.series(
            vehicle.pk, field.name, start=period.start, end=period.end, points=POINTS
        )
        time, values = sampling.broken(time, values, silences)
        yield _line(field, time, values, journey.start, prefix=ATTRIBUTE)


def _line(
    field: Field, time: Times, values: Floats, start: int, prefix: str = ""
) -> dict[str, Any]:
    """Times are milliseconds since the period's start, as everywhere in the answer."""
    since_start: list[int] = ((time - start) // 1000).tolist()
    rounded = values if prefix else np.round(values, DIGITS.get(field.name, 2))
    return {**_named(field, prefix), "t": since_start, "v": _plain(rounded)}


def _named(field: Field, prefix: str = "") -> dict[str, str]:
    label = field.label if prefix else str(_(field.label))
    return {"name": f"{prefix}{field.name}", "label": label, "unit": field.unit}


def _drawn(journey: Journey, why: list[str]) -> dict[str, Any]:
    start = journey.start

    def offset(time: int) -> int:
        return (time - start) // 1000

    way, lon, lat = journey.way()
    longest = sorted(journey.stops, key=lambda stop: stop.length, reverse=True)[:MOST_STOPS]
    return {
        "start": start // 1000,
        "end": journey.end // 1000,
        "readings": journey.readings,
        "way": {
            "t": ((way - start) // 1000).tolist(),
            "lon": _plain(np.round(lon, 6)),
            "lat": _plain(np.round(lat, 6)),
        },
        "gaps": [
            {"from": offset(gap.start), "to": offset(gap.end), "why": text}
            for gap, text in zip(journey.gaps, why, strict=True)
        ],
        "stops": [
            {
                "from": offset(stop.start), "to": offset(stop.end),
                "lon": stop.lon, "lat": stop.lat, "text": timeline.long_words(stop.length),
            }
            for stop in longest
            if stop.lon is not None and stop.lat is not None
        ],
        "late": [[offset(span.start), offset(span.end)] for span in journey.late],
        "invalid": [[offset(span.start), offset(span.end)] for span in journey.invalid],
        "states": [[offset(s.start), offset(s.end), s.status] for s in journey.states],
    }  # fmt: skip


def _plain(values: Floats) -> list[float]:
    # Adding zero makes -0.0 a plain one.
    found: list[float] = (values + 0.0).tolist()
    return found


def _limits(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Each threshold once, however many alerts it raised."""
    found = {limit for event in events for limit in event.limits}
    return [
        {"field": limit.field, "value": limit.value}
        for limit in sorted(found, key=lambda limit: (limit.field, limit.value))
    ]


def _mark(event: Event, start: int) -> list[Any]:
    return [(to_us(event.time) - start) // 1000, event.tone, event.text]
