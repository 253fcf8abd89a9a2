"""Working days: when a vehicle may leave its depot, and when it is plugged in for the night.

Pure. A part of the past runs from five in the morning to five in the morning, when every
vehicle stands in its depot, charged as far as it always is: so each part can be simulated
without the one before it.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from telemetry.simulator.corridors import Depot
from telemetry.simulator.vehicle import RESERVE, Activity, SimulatedVehicle

BEGINS: Final = time(5)
SHORTEST_S: Final = 3 * 3_600.0
"""The newest part is at least so long: its end must not fall on its beginning."""
LOADING_S: Final = (1_200.0, 5_400.0)
CHARGES_BELOW: Final = 0.30
"""State of charge at which a vehicle charges between two trips …"""
TOPPED_UP_TO: Final = 0.55
"""… no further than this by day."""
LATE_BY_S: Final = 1_200.0
"""Nobody is punctual: hours begin and end so much earlier or later at most."""
ONE_TRIP_S: Final = 900.0
BACK_WITHIN_S: Final = 5 * 3_600.0
"""Every trip is over by then."""
PLUGGED_IN: Final = (time(20, 30), time(22, 30))

Hours = tuple[tuple[float, float], ...]
"""Spans in which a vehicle may leave; Unix seconds."""
_Times = tuple[tuple[time, time], ...]


@dataclass(frozen=True, slots=True)
class Week:
    """What a kind of vehicle does on weekdays, at weekends, and how many go then (shares of 1)."""

    weekday: _Times
    weekend: _Times
    at_weekends: float
    on_weekdays: float = 0.94


_WEEKS: Final = {
    "van": Week(
        ((time(7, 45), time(12)), (time(13), time(16, 45))), ((time(8, 30), time(11, 30)),), 0.2
    ),
    "car": Week(
        ((time(8, 30), time(12)), (time(14), time(16, 45))), ((time(9), time(11)),), 0.1, 0.85
    ),
    "truck": Week(
        ((time(6, 30), time(12)), (time(13), time(15, 45))), ((time(7), time(10)),), 0.15
    ),
    "bus": Week(((time(6), time(20)),), ((time(8), time(18)),), 0.7, 1.0),
}
SUNDAY: Final = 6
_SPEEDS: Final = {"truck": (60.0, math.inf), "bus": (0.0, 80.0)}
"""What is usual on the roads they are sent on, km/h."""
STRAYS: Final = 0.08
"""Share of trips that go any way."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the past, in Unix seconds; `day` is the date it begins on."""

    day: date
    begins: float
    ends: float


def parts_before(until: float, zone: ZoneInfo, count: int) -> list[Part]:
    """So many parts, the newest first; that one ends at `until`."""
    here = datetime.fromtimestamp(until - SHORTEST_S, zone)
    newest = here.date() - timedelta(days=here.time() < BEGINS)
    parts: list[Part] = []
    ends = until
    for back in range(count):
        day = newest - timedelta(days=back)
        part = Part(day, at(day, BEGINS, zone), ends)
        parts.append(part)
        ends = part.begins
    return parts


def at(day: date, clock: time, zone: ZoneInfo) -> float:
    """Unix seconds of a wall clock."""
    return datetime.combine(day, clock, zone).timestamp()


def hours_of(kind: str, day: date, zone: ZoneInfo, chance: random.Random) -> Hours:
    """When a vehicle of that kind may leave on that day; not at all if it has the day off."""
    week = _WEEKS.get(kind, _WEEKS["van"])
    is_weekend = day.weekday() >= SUNDAY - 1
    share = week.at_weekends if is_weekend else week.on_weekdays
    if day.weekday() == SUNDAY and kind != "bus":
        share /= 4
    if chance.random() >= share:
        return ()
    return tuple(
        (
            at(day, begins, zone) + chance.uniform(-LATE_BY_S, LATE_BY_S),
            at(day, ends, zone) + chance.uniform(-LATE_BY_S, LATE_BY_S),
        )
        for begins, ends in (week.weekend if is_weekend else week.weekday)
    )


def roads_of(kind: str, depot: Depot) -> tuple[int, ...]:
    """Heavy vehicles keep out of the towns, buses off the motorways."""
    low, high = _SPEEDS.get(kind, (0.0, math.inf))
    kept = (n for n, route in enumerate(depot.routes) if low <= route.cruise_kmh <= high)
    return tuple(kept) or tuple(range(len(depot.routes)))


def around(errand: Errand, hours: Hours) -> Hours:
    """Hours that let a vehicle be back in time: one trip, if there is time for it, and
    afterwards as usual."""
    first = hours[0][0] if hours else errand.sets_off
    before = ((first, first + ONE_TRIP_S),) if first + BACK_WITHIN_S < errand.sets_off else ()
    after = tuple((max(a, errand.sets_off), b) for a, b in hours if b > errand.sets_off)
    return before + after


def plugged_in_at(day: date, zone: ZoneInfo, chance: random.Random) -> float:
    return chance.uniform(*(at(day, clock, zone) for clock in PLUGGED_IN))


@dataclass(frozen=True, slots=True)
class Errand:
    """A way it is sent at a certain time, whatever its charge, to the end without a stop."""

    sets_off: float
    route: int


@dataclass(slots=True)
class Duty:
    """A vehicle's orders for one part of the past. Somebody has to keep `now` up to date."""

    hours: Hours
    plugged_in_at: float
    charge_to: float
    now: float
    roads: tuple[int, ...]
    """Where such a vehicle is mostly sent, as numbers of its depot's routes."""
    errand: Errand | None = None

    def __call__(self, vehicle: SimulatedVehicle) -> None:
        """What it does next, asked in the depot when it comes back and when it has rested."""
        is_back = vehicle.activity is not Activity.PARKED
        if self.errand is not None and self.errand.sets_off <= self.now:
            self._run(self.errand, vehicle)
        elif self.now >= self.plugged_in_at:
            self._spend_the_night(vehicle)
        elif not any(begins <= self.now < ends for begins, ends in self.hours):
            calls = [self.plugged_in_at, *(begins for begins, _ in self.hours)]
            if self.errand is not None:
                calls.append(self.errand.sets_off)
            vehicle.park(min(call for call in calls if call > self.now) - self.now)
        elif is_back:
            vehicle.park(vehicle.chance.uniform(*LOADING_S))
        elif vehicle.battery.soc < CHARGES_BELOW:
            vehicle.plug_in(TOPPED_UP_TO)
        elif vehicle.chance.random() < STRAYS:
            vehicle.begin_trip()
        else:
            vehicle.begin_trip(vehicle.chance.choice(self.roads))

    def _run(self, errand: Errand, vehicle: SimulatedVehicle) -> None:
        usual, vehicle.reserve = vehicle.reserve, RESERVE
        vehicle.begin_trip(errand.route)
        vehicle.plan_turn(share=1.0)
        vehicle.next_stop_m = math.inf
        vehicle.reserve, self.errand = usual, None

    def _spend_the_night(self, vehicle: SimulatedVehicle) -> None:
        if vehicle.battery.soc < self.charge_to:
            vehicle.plug_in(self.charge_to)
        else:
            vehicle.park(86_400)
