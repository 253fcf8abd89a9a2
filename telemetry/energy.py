"""Energy and use of many vehicles over a period: from roll-ups only (see `telemetry.periods`).

A vehicle's distance is the greatest less the least of its odometer; where it has none, mean
speed times the time it was heard, hour by hour, and then marked as estimated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from telemetry import abreast, periods


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
    vehicle_ids: Sequence[int], meter_ids: Sequence[int], *, start: datetime, end: datetime
) -> Use:
    """Sums of these vehicles and meters over the hours that begin in [start, end)."""
    use = Use()
    span = {"start": start, "end": end}
    asked: list[Callable[[], Any]] = [
        partial(periods.by_vehicle, vehicle_ids, **span),
        partial(periods.vehicle_hours, vehicle_ids, **span),
        partial(periods.meter_hours, meter_ids, **span),
        partial(periods.metered_by_vehicle, meter_ids, **span),
    ]
    by_vehicle, vehicle_hours, metered, mapped = abreast.answers(asked)
    for vehicle_id, sums in by_vehicle.items():
        use.vehicles[vehicle_id] = VehicleUse(
            dc_kwh=sums.energy_dc_kwh,
            ac_kwh=mapped.get(vehicle_id),
            odometer_from=sums.odometer_km_min,
            odometer_to=sums.odometer_km_max,
            estimated_km=sums.km,
        )
    for hour, (km, dc_kwh) in vehicle_hours.items():
        use.hours[hour][:2] = [km, float(dc_kwh)]
    for hour, ac_kwh in metered.items():
        use.hours[hour][2] = float(ac_kwh)
    if metered:
        use.ac_kwh = sum(metered.values(), Decimal(0))
    return use


def charge_now(vehicle_ids: Sequence[int]) -> list[int]:
    """How many vehicles stand at 0–10 %, 10–20 %, … 90–100 % of charge, as last told."""
    buckets = [0] * 10
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT least(floor(soc_pct / 10), 9)::int, count(*) FROM telemetry_vehicle_latest"
            " WHERE vehicle_id = ANY(%s) AND soc_pct IS NOT NULL GROUP BY 1",
            [list(vehicle_ids)],
        )
        for bucket, count in cursor.fetchall():
            buckets[bucket] = count
    return buckets
