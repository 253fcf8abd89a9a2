"""Three drives of yesterday, so that there is something to look back at from the first minute.

Each is a way from the simulator's map, driven with something worth an alert: too fast, too
far for its battery, with a fan that failed. They are readings like any other: they go through
the ingress log, and were received when they were taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils import timezone

from fleet.models import Vehicle
from telemetry.records import VehicleReading
from telemetry.simulator.corridors import DEPOTS, Route
from telemetry.simulator.geometry import Path
from telemetry.streams import INGRESS, encode_readings, partition_of
from tenants.models import Organisation

EVERY_S = 5
LASTS_S = 2_400
BEGAN = timedelta(hours=20)
ARRIVES_US = 180_000
_SECOND = 1_000_000


class Moment(NamedTuple):
    """What differs from drive to drive, at a second of it."""

    speed_kmh: float
    soc_pct: float
    battery_temp_c: float


def _too_fast(second: int) -> Moment:
    speed = 134.0 if 900 <= second < 1_080 else 96.0 + 6 * (second % 60) / 60
    return Moment(speed, 81 - second / 120, 31 + second / 300)


def _too_far(second: int) -> Moment:
    return Moment(44.0 + 5 * (second % 40) / 40, max(11.5, 24 - second / 150), 28 + second / 400)


def _too_hot(second: int) -> Moment:
    heat = 86.0 - abs(second - 1_300) / 20
    return Moment(78.0 + 4 * (second % 30) / 30, 66 - second / 200, max(34.0, heat))


def _way(depot: int, name: str) -> Route:
    return next(route for route in DEPOTS[depot].routes if route.name == name)


DRIVES: dict[str, tuple[Route, Callable[[int], Moment]]] = {
    "V00001": (_way(0, "Motorway to Kénitra"), _too_fast),
    "V00002": (_way(1, "Agdal and Souissi"), _too_far),
    "V00004": (_way(1, "Motorway to Casablanca"), _too_hot),
}


def take_in_yesterday(tenant: Organisation) -> None:
    """Append the drives of those of these vehicles that there are to the ingress log."""
    start = timezone.now() - BEGAN
    vehicles = Vehicle.objects.for_tenant(tenant).filter(reference__in=DRIVES, archived_at=None)
    for vehicle in vehicles:
        readings = list(_readings(vehicle, *DRIVES[vehicle.reference], start))
        partition = partition_of("v", vehicle.pk)
        for first in range(0, len(readings), 100):
            batch = readings[first : first + 100]
            INGRESS.append(partition, encode_readings(batch), len(batch))


def _readings(
    vehicle: Vehicle, route: Route, story: Callable[[int], Moment], start: datetime
) -> Iterator[VehicleReading]:
    path = Path(route.points, route.cruise_kmh)
    began = int(start.timestamp()) * _SECOND
    metres = 0.0
    for second in range(0, LASTS_S, EVERY_S):
        now = story(second)
        metres += now.speed_kmh / 3.6 * EVERY_S
        # Out and back, as often as it takes.
        lap, along = divmod(metres, path.length_m)
        (lat, lon), heading = path.at(along if lap % 2 == 0 else path.length_m - along)
        time = began + second * _SECOND
        yield VehicleReading(
            schema=1,
            tenant_id=vehicle.tenant_id,
            device_id=None,
            vehicle_id=vehicle.pk,
            time=time,
            received_at=time + ARRIVES_US,
            reading_id=second,
            protocol="telemetry.v1",
            lat=round(lat, 6),
            lon=round(lon, 6),
            heading_deg=round(heading % 360 if lap % 2 == 0 else (heading + 180) % 360, 1),
            speed_kmh=round(now.speed_kmh, 1),
            odometer_km=round(40_000 + metres / 1000, 2),
            ignition=True,
            soc_pct=round(now.soc_pct, 2),
            battery_temp_c=round(now.battery_temp_c, 1),
            charging=False,
        )
