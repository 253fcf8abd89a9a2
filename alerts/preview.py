"""What a rule would have done to one vehicle or meter: the editor's chart, by the engine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from alerts.dry_run import episodes_of
from alerts.engine.fences import compile_shape, decode_shape
from alerts.engine.spec import RuleSpec
from alerts.samples import Series, broken, series_of, track_of
from fleet.geofences import Geofence
from tenants.errors import DomainError
from tenants.models import Organisation

LENGTH: Final = timedelta(days=7)
SHOWN: Final = 100
"""Episodes told one by one; all are counted."""
MOST_READINGS: Final = 400_000
"""Beyond these the preview says so and leaves it to the dry run, which has its progress."""


@dataclass(frozen=True, slots=True)
class Preview:
    series: list[Series]
    episodes: list[dict[str, Any]]
    count: int


def preview(
    tenant: Organisation, spec: RuleSpec, subject_id: int, *, now: datetime, gap: timedelta
) -> Preview:
    """Raises DomainError where the rule has no history to be tried on."""
    start = now - LENGTH
    if readings_between(spec.subject, subject_id, start, now) > MOST_READINGS:
        raise DomainError("too_much", 422, "There is too much history here for a preview.")
    episodes = list(
        episodes_of(tenant=tenant, spec=spec, subject_id=subject_id, since=start, until=now)
    )
    if spec.kind == "geofence":
        series = [_inside(tenant, spec, subject_id, start, now, gap)]
    else:
        series = series_of(spec, subject_id, start, now, gap=gap)
    return Preview(series, episodes[-SHOWN:], len(episodes))


def readings_between(subject: str, subject_id: int, start: datetime, end: datetime) -> int:
    table = "telemetry_vehicle_reading" if subject == "v" else "telemetry_meter_reading"
    key = "vehicle_id" if subject == "v" else "meter_id"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {table} WHERE {key} = %s AND time >= %s AND time < %s",  # noqa: S608
            [subject_id, start, end],
        )
        return int(cursor.fetchone()[0])


def _inside(
    tenant: Organisation,
    spec: RuleSpec,
    subject_id: int,
    start: datetime,
    end: datetime,
    gap: timedelta,
) -> Series:
    """Inside one of the rule's fences, yes or no."""
    rows = Geofence.objects.for_tenant(tenant).filter(pk__in=spec.params["geofences"])
    fences = [compile_shape(decode_shape(row.shape)) for row in rows]
    points = [
        (at, float(any(fence(lat, lon) for fence in fences)))
        for at, lon, lat in track_of(subject_id, start, end)
    ]
    times, values = broken(points, max(gap, timedelta(hours=1)))
    return Series("inside", "Inside", "", times, values, [], steps=True)
