"""Energy and use of many vehicles over a period: from roll-ups only, week by week.

What a week adds up to is kept in the cache once it lies long enough in the past, so that a
year costs about as much as a fortnight. Readings that arrive later than that show within
`KEPT_S`. A vehicle's distance is the greatest less the least of its odometer; where it has
none, mean speed times the time it was heard, hour by hour, and then marked as estimated.
"""

from __future__ import annotations

import hashlib
import pickle
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.core.cache import cache
from django.db import connection

WEEK: Final = timedelta(days=7)
SETTLED: Final = timedelta(days=14)
"""A week that ended this long ago is taken from the cache."""
KEPT_S: Final = 6 * 3600
_MONDAY: Final = datetime(1970, 1, 5, tzinfo=UTC)
_KM: Final = (
    "coalesce(odometer_km_max - odometer_km_min, (speed_kmh_sum / nullif(speed_kmh_count, 0))"
    "::float8 * extract(epoch FROM last_time - first_time) / 3600, 0)::float8"
)


@dataclass
class VehicleUse:
    """`dc_kwh` into the battery; `ac_kwh` by the meters mapped to it, None: none were."""

    dc_kwh: Decimal | None = None
    ac_kwh: Decimal | None = None
    odometer_from: float | None = None
    odometer_to: float | None = None
    estimated_km: float = 0

    @property
    def km(self) -> float:
        if self.odometer_from is not None and self.odometer_to is not None:
            return self.odometer_to - self.odometer_from
        return self.estimated_km

    @property
    def is_estimated(self) -> bool:
        return self.odometer_from is None and self.estimated_km > 0

    @property
    def per_100_km(self) -> float | None:
        return float(self.dc_kwh) / self.km * 100 if self.dc_kwh and self.km >= 1 else None


@dataclass
class Use:
    """Sums over the period. `hours`: {hour in UTC: [km, DC kWh, AC kWh]}."""

    vehicles: dict[int, VehicleUse] = field(default_factory=lambda: defaultdict(VehicleUse))
    hours: dict[datetime, list[float]] = field(
        default_factory=lambda: defaultdict(lambda: [0.0, 0.0, 0.0])
    )
    ac_kwh: Decimal | None = None

    @property
    def dc_kwh(self) -> Decimal | None:
        told = [use.dc_kwh for use in self.vehicles.values() if use.dc_kwh is not None]
        return sum(told, Decimal(0)) if told else None

    @property
    def km(self) -> float:
        return sum(use.km for use in self.vehicles.values())

    @property
    def efficiency(self) -> float | None:
        """DC by AC; None where either was not reported."""
        dc = self.dc_kwh
        return float(dc / self.ac_kwh) if dc is not None and self.ac_kwh else None

    @property
    def per_100_km(self) -> float | None:
        dc = self.dc_kwh
        return float(dc) / self.km * 100 if dc is not None and self.km >= 1 else None

    def days(self, zone: ZoneInfo) -> dict[datetime, list[float]]:
        """Sums by day of the zone."""
        found: dict[datetime, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        for hour, sums in self.hours.items():
            day = hour.astimezone(zone).replace(hour=0, minute=0)
            found[day] = [a + b for a, b in zip(found[day], sums, strict=True)]
        return found

    def week(self, zone: ZoneInfo, which: int) -> list[list[float]]:
        """Sums by weekday (Monday first) and hour of the zone; `which` as in `hours`."""
        found = [[0.0] * 24 for _ in range(7)]
        for hour, sums in self.hours.items():
            local = hour.astimezone(zone)
            found[local.weekday()][local.hour] += sums[which]
        return found


def use_of(
    vehicle_ids: Sequence[int],
    meter_ids: Sequence[int],
    *,
    start: datetime,
    end: datetime,
    now: datetime,
) -> Use:
    """Sums of these vehicles and meters over the full hours in [start, end)."""
    use = Use()
    digest = hashlib.blake2b(repr((vehicle_ids, meter_ids)).encode(), digest_size=16).hexdigest()
    for low, high in _weeks(start, end):
        _add(use, _part(digest, vehicle_ids, meter_ids, low, high, now))
    return use


def _weeks(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        following = _MONDAY + ((start - _MONDAY) // WEEK + 1) * WEEK
        yield start, min(following, end)
        start = following


def _part(
    digest: str,
    vehicle_ids: Sequence[int],
    meter_ids: Sequence[int],
    low: datetime,
    high: datetime,
    now: datetime,
) -> dict[str, list[tuple[Any, ...]]]:
    settled = high - low == WEEK and now - high > SETTLED
    key = f"energy:{digest}:{low:%Y%m%d}"
    held = cache.get(key) if settled else None
    if held is not None:
        return pickle.loads(held)  # type: ignore[no-any-return]  # noqa: S301  (our own cache)
    part = _sums(vehicle_ids, meter_ids, low, high)
    if settled:
        cache.set(key, pickle.dumps(part), KEPT_S)
    return part


def _sums(
    vehicle_ids: Sequence[int], meter_ids: Sequence[int], low: datetime, high: datetime
) -> dict[str, list[tuple[Any, ...]]]:
    """Three queries, each over one week of the roll-ups."""
    vehicles = [list(vehicle_ids), low, high]
    meters = [list(meter_ids), low, high]
    of_vehicles = (
        " FROM telemetry_vehicle_hour WHERE vehicle_id = ANY(%s) AND hour >= %s AND hour < %s"
    )
    of_meters = (
        " FROM telemetry_meter_hour h {} WHERE h.meter_id = ANY(%s)"
        " AND h.hour >= %s AND h.hour < %s"
    )
    # By vehicle and by hour in one scan: a row has one of the two.
    both = _rows(
        "SELECT vehicle_id, hour, sum(energy_dc_kwh_sum), min(odometer_km_min),"
        f" max(odometer_km_max), sum({_KM}){of_vehicles}"
        " GROUP BY GROUPING SETS ((vehicle_id), (hour))",
        vehicles,
    )
    return {
        "vehicles": [(row[0], *row[2:]) for row in both if row[0] is not None],
        "hours": [(row[1], row[5], float(row[2] or 0)) for row in both if row[1] is not None],
        "meter_hours": _rows(
            "SELECT h.hour, sum(energy_ac_kwh_sum)" + of_meters.format("") + " GROUP BY h.hour",
            meters,
        ),
        "mapped": _rows(
            "SELECT m.vehicle_id, sum(energy_ac_kwh_sum)"
            + of_meters.format(
                "JOIN fleet_metermapping m ON m.meter_id = h.meter_id AND m.valid @> h.hour"
            )
            + " GROUP BY m.vehicle_id",
            meters,
        ),
    }


def _rows(sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _add(use: Use, part: dict[str, list[tuple[Any, ...]]]) -> None:
    for vehicle_id, dc, least, most, km in part["vehicles"]:
        one = use.vehicles[vehicle_id]
        if dc is not None:
            one.dc_kwh = (one.dc_kwh or Decimal(0)) + dc
        if least is not None:
            one.odometer_from = min(least, one.odometer_from or least)
            one.odometer_to = max(most, one.odometer_to or most)
        one.estimated_km += km
    for hour, km, dc in part["hours"]:
        use.hours[hour][0] += km
        use.hours[hour][1] += dc
    for hour, ac in part["meter_hours"]:
        if ac is not None:
            use.hours[hour][2] += float(ac)
            use.ac_kwh = (use.ac_kwh or Decimal(0)) + ac
    for vehicle_id, ac in part["mapped"]:
        if ac is not None and vehicle_id in use.vehicles:
            one = use.vehicles[vehicle_id]
            one.ac_kwh = (one.ac_kwh or Decimal(0)) + ac


def charge_now(vehicle_ids: Sequence[int]) -> list[int]:
    """How many vehicles stand at 0–10 %, 10–20 %, … 90–100 % of charge, as last told."""
    buckets = [0] * 10
    rows = _rows(
        "SELECT least(floor(soc_pct / 10), 9)::int, count(*) FROM telemetry_vehicle_latest"
        " WHERE vehicle_id = ANY(%s) AND soc_pct IS NOT NULL GROUP BY 1",
        [list(vehicle_ids)],
    )
    for bucket, count in rows:
        buckets[bucket] = count
    return buckets
