"""Totals over a span: distance, time under way, energy. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from telemetry.arrays import Floats, Rows
from telemetry.status import MOVING_FROM_KMH

EARTH_KM: Final = 6371.0088
"""Mean radius (IUGG)."""

CARRIED: Final = (
    "speed_kmh", "ignition", "charging", "lat", "lon", "soc_pct", "battery_voltage_v",
    "battery_current_a",
)  # fmt: skip
"""Fields that hold until they are sent again."""


@dataclass
class Totals:
    """Seconds, kilometres, kilowatt-hours; None and zero counts mean "nothing told"."""

    moving_s: float = 0
    idle_s: float = 0
    charging_s: float = 0
    top_kmh: float | None = None
    odometer_from_km: float | None = None
    odometer_to_km: float | None = None
    way_km: float = 0
    drawn_kwh: float = 0
    recuperated_kwh: float = 0
    has_power: bool = False
    soc_spent_pct: float = 0
    soc_first: float | None = None
    soc_last: float | None = None
    battery_hottest_c: float | None = None
    charged_millionths: int = 0
    has_charge: bool = False

    @property
    def distance_km(self) -> float:
        """By the odometer where there is one, else along the positions."""
        if self.odometer_from_km is not None and self.odometer_to_km is not None:
            return self.odometer_to_km - self.odometer_from_km
        return self.way_km

    @property
    def charged_kwh(self) -> Decimal | None:
        """Direct current into the battery, exact."""
        return Decimal(self.charged_millionths).scaleb(-6) if self.has_charge else None

    def spent_kwh(self, capacity_kwh: Decimal | None) -> tuple[float | None, bool]:
        """Net energy out of the battery while not charging, and whether it is an estimate.

        Voltage times current where both are sent; else the state of charge lost, of the
        capacity.
        """
        if self.has_power:
            return self.drawn_kwh - self.recuperated_kwh, False
        if capacity_kwh and self.soc_first is not None:
            return self.soc_spent_pct / 100 * float(capacity_kwh), True
        return None, False

    def per_100_km(self, kwh: float | None) -> float | None:
        """Of less than a kilometre no rate is told."""
        return kwh / self.distance_km * 100 if kwh is not None and self.distance_km >= 1 else None

    def add(self, known: Rows, sent: Rows, gap_us: int) -> None:
        """`sent`: a page as it came; `known`: the same as `filled` from the page before."""
        self._extremes(sent)
        if len(known) < 2:
            return
        elapsed = np.diff(known.time) / 1e6
        elapsed[elapsed * 1e6 > gap_us] = 0
        speed = known.values["speed_kmh"][:-1]
        charging = known.values["charging"][:-1] == 1
        moving = speed >= MOVING_FROM_KMH
        idle = ~moving & ~charging & (known.values["ignition"][:-1] == 1)
        self.moving_s += float(elapsed[moving].sum())
        self.idle_s += float(elapsed[idle].sum())
        self.charging_s += float(elapsed[charging & ~moving].sum())
        self._power(known, elapsed, driving=moving | ~charging)
        # A standing receiver's noise is no way; where no speed is sent, all of it counts.
        counts = (elapsed > 0) & (moving | np.isnan(speed))
        self.way_km += float(np.nansum(_steps_km(known)[counts]))
        self._soc(known, elapsed, driving=moving | ~charging)

    def _extremes(self, sent: Rows) -> None:
        values = sent.values
        speed, odometer = values["speed_kmh"], values["odometer_km"]
        temperature = values["battery_temp_c"]
        if not np.isnan(speed).all():
            self.top_kmh = max(self.top_kmh or 0.0, float(np.nanmax(speed)))
        if not np.isnan(temperature).all():
            hottest = float(np.nanmax(temperature))
            held = self.battery_hottest_c
            self.battery_hottest_c = hottest if held is None else max(hottest, held)
        if not np.isnan(odometer).all():
            low, high = float(np.nanmin(odometer)), float(np.nanmax(odometer))
            self.odometer_from_km = _least(self.odometer_from_km, low)
            self.odometer_to_km = max(self.odometer_to_km or 0.0, high)
        energy = values["energy_dc_kwh"]
        if not np.isnan(energy).all():
            self.has_charge = True
            # Millionths of a kilowatt-hour are whole numbers: their sum is exact.
            self.charged_millionths += int(np.rint(energy[~np.isnan(energy)] * 1e6).sum())

    def _power(self, known: Rows, elapsed: Floats, *, driving: NDArray[np.bool_]) -> None:
        out_kw = (known.values["battery_voltage_v"] * known.values["battery_current_a"])[:-1] / -1e3
        told = ~np.isnan(out_kw) & driving
        if not told.any():
            return
        self.has_power = True
        kwh = out_kw[told] * elapsed[told] / 3600
        self.drawn_kwh += float(kwh[kwh > 0].sum())
        self.recuperated_kwh -= float(kwh[kwh < 0].sum())

    def _soc(self, known: Rows, elapsed: Floats, *, driving: NDArray[np.bool_]) -> None:
        soc = known.values["soc_pct"]
        told = soc[~np.isnan(soc)]
        if not len(told):
            return
        if self.soc_first is None:
            self.soc_first = float(told[0])
        self.soc_last = float(told[-1])
        lost = -np.diff(soc)[driving]
        self.soc_spent_pct += float(np.nansum(lost))


def filled(page: Rows, before: Rows | None = None) -> Rows:
    """The `CARRIED` fields with their last value carried on to the readings that did not send
    it, beginning with `before`: the last of the page before, itself filled."""
    rows = page.only(CARRIED)
    rows = rows if before is None else rows.after(before)
    return Rows(rows.time, rows.received, {n: _carried(c) for n, c in rows.values.items()})


def _carried(column: Floats) -> Floats:
    unsent = np.isnan(column)
    if not unsent.any():
        return column
    return column[np.maximum.accumulate(np.where(unsent, 0, np.arange(len(column))))]


def _steps_km(rows: Rows) -> Floats:
    """Great-circle distance from each position to the next (haversine)."""
    lat, lon = np.radians(rows.values["lat"]), np.radians(rows.values["lon"])
    half = (
        np.sin(np.diff(lat) / 2) ** 2
        + np.cos(lat[:-1]) * np.cos(lat[1:]) * np.sin(np.diff(lon) / 2) ** 2
    )
    km: Floats = 2 * EARTH_KM * np.arcsin(np.sqrt(half))
    return km


def _least(held: float | None, value: float) -> float:
    return value if held is None else min(held, value)
