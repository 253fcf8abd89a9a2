"""What a vehicle did in a span of time: charts, way, states, totals, and what to remark on.

Fed with pages of readings in the order of time; holds a bounded number of points however
many readings there are. Pure: time is passed in.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from telemetry import sampling
from telemetry.arrays import SLICE, Floats, Rows, Times
from telemetry.journey_parts import Charge, Gap, Span, State, Stop
from telemetry.journey_totals import Totals, filled
from telemetry.status import MOVING_FROM_KMH, Status
from telemetry.storage.rollups import LATE

POWER: Final = "power_kw"
"""Derived: voltage times current, out of the battery; below zero: into it."""
CHARTED: Final = (
    "speed_kmh", "soc_pct", "battery_temp_c", POWER, "battery_voltage_v", "battery_current_a",
    "range_km", "odometer_km", "altitude_m", "energy_dc_kwh", "fuel_pct", "engine_rpm",
    "coolant_temp_c", "ambient_temp_c", "supply_voltage_v", "heading_deg", "accuracy_m",
    "satellites",
)  # fmt: skip
PLACES: Final = 3000
"""About how many positions are kept of the way."""
MOST_SPANS: Final = 400
STOP_US: Final = 300_000_000
"""Standing for less is traffic, not a stop; microseconds."""


@dataclass
class Journey:
    """`gap_us`: a silence longer than this is a gap. `known_since`: when the vehicle came here;
    what it did before was brought along, not late. Times in microseconds since 1970."""

    start: int
    end: int
    gap_us: int
    points: int = 1600
    known_since: int = 0
    readings: int = 0
    gaps: list[Gap] = field(default_factory=list)
    late: list[Span] = field(default_factory=list)
    invalid: list[Span] = field(default_factory=list)
    late_readings: int = 0
    alarms: int = 0
    states: list[State] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    totals: Totals = field(default_factory=Totals)
    punctual: Totals | None = None
    """What they were before late readings came; None: none did."""
    first: int | None = None
    _samples: dict[str, list[tuple[Times, Floats]]] = field(default_factory=dict)
    _places: list[tuple[Times, Floats, Floats]] = field(default_factory=list)
    _before: Rows | None = None
    _punctual_before: Rows | None = None
    _standing: Stop | None = None

    def add(self, page: Rows) -> None:
        """Take the next page in."""
        if not len(page):
            return
        self.readings += len(page)
        self.alarms += int(np.count_nonzero(page.values["alarms"]))
        self._sample(page)
        late = (page.received - page.time > LATE) & (page.time >= self.known_since)
        self.late_readings += int(np.count_nonzero(late))
        _mark(self.late, page, late, self.gap_us)
        _mark(self.invalid, page, page.values["invalid"] > 0, self.gap_us)
        known = filled(page, self._before)
        self._find_gaps(known)
        self._add_punctual(page, late)
        self.totals.add(known, page, self.gap_us)
        self._follow(known, page)
        if self.first is None:
            self.first = int(page.time[0])
        self._before = known.last
        if self.punctual is None:
            self._punctual_before = self._before

    def _add_punctual(self, page: Rows, late: NDArray[np.bool_]) -> None:
        """The totals again without what came late, from the first late reading on."""
        if self.punctual is None:
            if not late.any():
                return
            self.punctual = copy(self.totals)
        page = page.where(~late)
        if not len(page):
            return
        known = filled(page, self._punctual_before)
        self.punctual.add(known, page, self.gap_us)
        self._punctual_before = known.last

    def close(self, now: int) -> None:
        """All pages are in: what is silent at the edges is a gap as well."""
        until = min(self.end, now)
        if self._before is None:
            if until > self.start:
                self.gaps.append(Gap(self.start, until, is_open=True))
            return
        assert self.first is not None  # noqa: S101  (there was a page)
        if self.first - self.start > self.gap_us:
            self.gaps.insert(0, Gap(self.start, self.first, is_open=True))
        last = int(self._before.time[0])
        if self._standing is not None:
            self._standing.is_cut = True
            self._stood_until(until if until - last > self.gap_us else last)
        if until - last > self.gap_us:
            self.gaps.append(_gap_after(self._before, 0, until, is_open=True))

    def series(self, name: str) -> tuple[Times, Floats]:
        """A field's points, broken at the gaps; empty where it was never sent."""
        parts = self._samples.get(name, [])
        if not parts:
            return np.array([], dtype=np.int64), np.array([])
        time, values = (np.concatenate(each) for each in zip(*parts, strict=True))
        starts = np.array([gap.start for gap in self.gaps if not gap.is_open], dtype=np.int64)
        return sampling.broken(time, values, starts)

    def way(self) -> tuple[Times, Floats, Floats]:
        """Time, longitude and latitude of the way's landmarks."""
        if not self._places:
            return np.array([], dtype=np.int64), np.array([]), np.array([])
        time, lon, lat = (np.concatenate(each) for each in zip(*self._places, strict=True))
        return time, lon, lat

    def _share(self, page: Rows, of: int) -> int:
        """Of so many points those that belong to the page's part of the whole."""
        if self._before is None and len(page) < SLICE:
            return of  # There is no other page.
        length = int(page.time[-1] - page.time[0])
        return max(round(of * length / max(self.end - self.start, 1)), 16)

    def _sample(self, page: Rows) -> None:
        voltage, current = page.values["battery_voltage_v"], page.values["battery_current_a"]
        columns = {**page.values, POWER: voltage * current / -1000}
        budget = self._share(page, self.points)
        for name in CHARTED:
            if np.isnan(columns[name]).all():
                continue
            sample = sampling.thinned(page.time, columns[name], budget)
            self._samples.setdefault(name, []).append(sample)
        placed = ~np.isnan(page.values["lat"]) & ~np.isnan(page.values["lon"])
        if placed.any():
            time = page.time[placed]
            lon, lat = page.values["lon"][placed], page.values["lat"][placed]
            kept = sampling.landmarks(time, lon, lat, self._share(page, PLACES))
            self._places.append((time[kept], lon[kept], lat[kept]))

    def _find_gaps(self, known: Rows) -> None:
        silent = np.nonzero(np.diff(known.time) > self.gap_us)[0]
        for at in silent[:MOST_SPANS]:
            self.gaps.append(_gap_after(known, int(at), int(known.time[at + 1])))

    def _follow(self, known: Rows, page: Rows) -> None:
        """States and charging sessions, from change to change."""
        codes = _states(known)
        self._stand(known, codes == _MOVING)
        changes = np.nonzero(np.diff(codes))[0] + 1
        edges = [0, *changes.tolist(), len(codes)]
        smallest = (self.end - self.start) // 1500
        for low, high in pairwise(edges):
            start = int(known.time[low])
            end = int(known.time[high]) if high < len(codes) else int(known.time[-1])
            status = _STATES[int(codes[low])]
            self._session(known, status, start, low)
            held = self.states[-1] if self.states else None
            if held and (held.status == status or end - start < smallest):
                held.end = end
            else:
                self.states.append(State(start, end, status))
        if self.charges and self.charges[-1].end is None:
            self.charges[-1].soc_end = _number(known.values["soc_pct"][-1])
        for charge in self.charges:
            self._fed(charge, page)

    def _stand(self, known: Rows, moving: NDArray[np.bool_]) -> None:
        """Stops, from the reading that stands to the next one that moves."""
        changes = np.nonzero(np.diff(moving))[0] + 1
        for at in [0, *changes.tolist()]:
            time = int(known.time[at])
            if moving[at]:
                self._stood_until(time)
            elif self._standing is None:
                lon, lat = (_number(known.values[name][at]) for name in ("lon", "lat"))
                cut = self._before is None and at == 0
                self._standing = Stop(time, time, lon, lat, is_cut=cut)

    def _stood_until(self, time: int) -> None:
        stop, self._standing = self._standing, None
        if stop is not None and time - stop.start >= STOP_US and len(self.stops) < MOST_SPANS:
            stop.end = time
            self.stops.append(stop)

    def _session(self, known: Rows, status: Status, start: int, at: int) -> None:
        running = self.charges[-1] if self.charges and self.charges[-1].end is None else None
        soc = _number(known.values["soc_pct"][at])
        if status is Status.CHARGING and running is None:
            self.charges.append(Charge(start, soc))
        elif status is not Status.CHARGING and running is not None:
            running.end, running.soc_end = start, soc

    def _fed(self, charge: Charge, page: Rows) -> None:
        # A reading tells the energy since the one before: the one that ends it counts as well.
        if charge.end is not None and charge.end < page.time[0]:
            return
        until = charge.end if charge.end is not None else int(page.time[-1])
        low, high = np.searchsorted(page.time, (charge.start, until), side="right")
        energy = page.values["energy_dc_kwh"][low:high]
        charge.kwh_millionths += int(np.rint(np.nansum(energy * 1e6)))


_STATES: Final = (Status.PARKED, Status.IDLE, Status.CHARGING, Status.MOVING)
_MOVING: Final = _STATES.index(Status.MOVING)


def _states(known: Rows) -> NDArray[np.int8]:
    """The rule of `telemetry.status` for every reading."""
    codes = np.zeros(len(known), dtype=np.int8)
    codes[known.values["ignition"] == 1] = 1
    codes[known.values["charging"] == 1] = 2
    codes[known.values["speed_kmh"] >= MOVING_FROM_KMH] = 3
    return codes


def _gap_after(known: Rows, at: int, end: int, *, is_open: bool = False) -> Gap:
    speed, ignition = known.values["speed_kmh"][at], known.values["ignition"][at]
    return Gap(
        int(known.time[at]),
        end,
        was_moving=None if np.isnan(speed) else bool(speed >= MOVING_FROM_KMH),
        ignition=None if np.isnan(ignition) else bool(ignition),
        is_open=is_open,
    )


def _mark(into: list[Span], page: Rows, marked: NDArray[np.bool_], apart_us: int) -> None:
    """Runs of marked readings; those closer than a gap are one."""
    at = np.nonzero(marked)[0]
    if not len(at):
        return
    times, lags = page.time[at], (page.received - page.time)[at]
    cuts = np.nonzero(np.diff(times) > apart_us)[0] + 1
    for run, lag in zip(np.split(times, cuts), np.split(lags, cuts), strict=True):
        held = into[-1] if into else None
        if held and run[0] - held.end <= apart_us:
            held.end, held.count = int(run[-1]), held.count + len(run)
            held.most = max(held.most, int(lag.max()))
        elif len(into) < MOST_SPANS:
            into.append(Span(int(run[0]), int(run[-1]), len(run), int(lag.max())))


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
