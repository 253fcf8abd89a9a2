"""What a simulated vehicle did before it was simulated live: a week that ends where live begins.

Pure, and the same for the same seed, so that whoever needs a piece of it makes it anew: the
simulator the vehicle as it is at the end, the filling one part after the other. The newest
part comes first, and none needs those before it (`telemetry.simulator.duty`); only the
odometer is counted backwards, from what it shows at the end.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

from telemetry.simulator.battery import KWH
from telemetry.simulator.duty import (
    Duty,
    Errand,
    Part,
    around,
    hours_of,
    parts_before,
    plugged_in_at,
    roads_of,
)
from telemetry.simulator.fleet import depot_of, new_vehicle
from telemetry.simulator.reading import Reading, reading_of
from telemetry.simulator.stories import (
    EVERY_S,
    LASTS_S,
    ORDINARY,
    STORIES,
    Story,
    begins_before,
)
from telemetry.simulator.vehicle import RESERVE, Activity, SimulatedVehicle
from telemetry.simulator.weather import ambient_c

PARTS: Final = 8
"""Seven days and the one that is under way."""
CAREFUL: Final = 0.22
"""Charge that is kept for the way home in working hours: few come near to an alert."""
AT_LARGE_S: Final = 5_400.0
"""So long before the end its duty is over: live, a vehicle leaves as it likes."""
KEPT_S: Final = 1_500.0
"""Who is not let go before the end stays in the depot for so long after it."""
METER_S: Final = 600
"""Between the readings of a meter; less than a meter may be silent."""
REPORTS_S: Final = {
    Activity.DRIVING: 45.0,
    Activity.WAITING: 45.0,
    Activity.CHARGING: 120.0,
    # A vehicle that says nothing for five minutes is dark.
    Activity.DELIVERING: 240.0,
    Activity.PARKED: 240.0,
}
"""Between the readings of a vehicle."""
SHARP: Final = 0.35
"""Of the charger's power: a change of so much is reported at once, so that what accelerating
takes and braking gives back can be added up from the readings."""
_STEP_S: Final = {
    Activity.DRIVING: 3.0,
    Activity.WAITING: 30.0,
    Activity.CHARGING: 30.0,
    Activity.DELIVERING: 240.0,
    Activity.PARKED: 240.0,
}
_SMALLEST_STEP_S: Final = 0.1
_UNDER_WAY: Final = (Activity.DRIVING, Activity.WAITING)


@dataclass(frozen=True, slots=True)
class Subject:
    """A vehicle with a past; `number` counts from 0, as in `telemetry.simulator.fleet`."""

    number: int
    kind: str
    capacity_kwh: float | None


@dataclass(frozen=True, slots=True)
class Setting:
    """When and where the past ends (Unix seconds), and which of all possible ones it is."""

    until: float
    zone: ZoneInfo
    seed: int


@dataclass(slots=True)
class Stretch:
    """One part of one vehicle's past, and the vehicle as it is at its end."""

    part: Part
    vehicle: SimulatedVehicle
    readings: list[Reading] = field(default_factory=list)
    told: list[Reading] = field(default_factory=list)
    """Of a story, which came when it happened; not among `readings`."""
    charged_j: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    """At the terminals, by METER_S since 1970."""


def first_report_of(number: int, part: Part) -> float:
    """When a part's first reading is due: not the whole fleet speaks at once."""
    return part.begins + number * 37 % REPORTS_S[Activity.PARKED]


def past_of(subject: Subject, setting: Setting) -> Iterator[Stretch]:
    """Part by part, the newest first."""
    usual = random.Random(f"{setting.seed}:{subject.number}:usual")
    charge_to = usual.uniform(0.76, 0.97)
    ends_km = round(usual.uniform(4_000, 90_000), 3)
    for part in parts_before(setting.until, setting.zone, PARTS):
        stretch = _lived(subject, setting, part, charge_to)
        # In whole metres, as it is reported: so no part begins before the one before it ends.
        began_km = round(ends_km - round(stretch.vehicle.odometer_km, 3), 3)
        for reading in (*stretch.readings, *stretch.told):
            reading["odometer_km"] = round(began_km + reading["odometer_km"], 3)
        stretch.vehicle.odometer_km = ends_km
        ends_km = began_km
        yield stretch


def present_of(subject: Subject, setting: Setting) -> SimulatedVehicle:
    """The vehicle as it is when its past ends."""
    vehicle = next(past_of(subject, setting)).vehicle
    if vehicle.orders is not None and vehicle.activity is Activity.PARKED:
        vehicle.park(KEPT_S)
    vehicle.orders, vehicle.haste, vehicle.reserve = None, 1.0, RESERVE
    return vehicle


def told_of(subject: Subject, setting: Setting) -> list[Reading]:
    """The readings of its story; none if it has none."""
    if subject.number not in STORIES:
        return []
    return next((lived.told for lived in past_of(subject, setting) if lived.told), [])


def _lived(subject: Subject, setting: Setting, part: Part, charge_to: float) -> Stretch:
    chance = random.Random(f"{setting.seed}:{subject.number}:{part.day}")
    vehicle = new_vehicle(subject.number, subject.kind, subject.capacity_kwh, chance)
    vehicle.odometer_km, vehicle.reserve = 0.0, CAREFUL
    vehicle.battery.soc = charge_to
    vehicle.battery.temperature_c = ambient_c(part.begins) + 1.0
    duty = Duty(
        hours=hours_of(subject.kind, part.day, setting.zone, chance),
        plugged_in_at=plugged_in_at(part.day, setting.zone, chance),
        charge_to=charge_to,
        now=part.begins,
        roads=roads_of(subject.kind, depot_of(subject.number)),
    )
    story = STORIES.get(subject.number, ORDINARY)
    sets_off = begins_before(setting.until, setting.zone)
    if story.soc is not None:
        # Nobody but its story moves it, and nobody charges it further.
        duty.hours, duty.charge_to = (), story.soc
        vehicle.battery.soc = story.soc
    if part.begins <= sets_off < part.ends and story is not ORDINARY:
        duty.errand = Errand(sets_off, _number_of(story.route, subject))
        duty.hours = around(duty.errand, duty.hours)
    vehicle.orders = duty
    vehicle.park(0.0)
    life = _Life(Stretch(part, vehicle), duty, story, sets_off, setting.until - AT_LARGE_S)
    life.go_on(first_report_of(subject.number, part))
    return life.stretch


def _number_of(name: str, subject: Subject) -> int:
    routes = depot_of(subject.number).routes
    return next(number for number, route in enumerate(routes) if route.name == name)


@dataclass(slots=True)
class _Life:
    """Lets the time of one part pass, and takes readings."""

    stretch: Stretch
    duty: Duty
    story: Story
    sets_off: float
    at_large: float
    reported_w: float = 0.0

    def go_on(self, due: float) -> None:
        """From the part's beginning to its end; `due`: the first reading."""
        stretch, vehicle, now = self.stretch, self.stretch.vehicle, self.stretch.part.begins
        while now < stretch.part.ends:
            if now >= self.at_large and vehicle.orders is not None and self.story.soc is None:
                self._let_go()
            doing, charged = vehicle.activity, vehicle.charged_j
            seconds = self._step_s(now, due)
            vehicle.haste = self.story.haste_at(now - self.sets_off)
            self.duty.now = now + seconds
            vehicle.step(seconds, ambient_c(now))
            if doing is Activity.CHARGING:
                stretch.charged_j[int(now // METER_S)] += vehicle.charged_j - charged
                vehicle.battery.soc = min(vehicle.battery.soc, vehicle.charge_to)
            now += seconds
            if now >= due or _is_turn(doing, vehicle.activity) or self._is_sharp():
                self._report(now)
                due = self._next_due(now)

    def _let_go(self) -> None:
        vehicle = self.stretch.vehicle
        vehicle.orders = None
        if vehicle.activity is Activity.PARKED:
            vehicle.park(vehicle.chance.uniform(0, 2_400))

    def _step_s(self, now: float, due: float) -> float:
        vehicle = self.stretch.vehicle
        longest = [_STEP_S[vehicle.activity], due - now, self.stretch.part.ends - now]
        if now < self.at_large:
            longest.append(self.at_large - now)
        if vehicle.activity is Activity.CHARGING:
            missing_j = (vehicle.charge_to - vehicle.battery.soc) * vehicle.battery.capacity_kwh
            longest.append(missing_j * KWH / vehicle.build.charger_w)
        elif vehicle.activity is not Activity.DRIVING:
            longest.append(vehicle.remaining_s)
        return max(_SMALLEST_STEP_S, min(longest))

    def _next_due(self, now: float) -> float:
        interval = REPORTS_S[self.stretch.vehicle.activity]
        due = now + (min(interval, EVERY_S) if self._is_told(now) else interval)
        # Once at the end, so that no gap lies between two parts.
        last = self.stretch.part.ends - 1
        return min(due, last) if now < last else due

    def _is_sharp(self) -> bool:
        vehicle = self.stretch.vehicle
        return abs(_power_w(vehicle) - self.reported_w) >= SHARP * vehicle.build.charger_w

    def _is_told(self, now: float) -> bool:
        return self.story is not ORDINARY and 0 <= now - self.sets_off < LASTS_S

    def _report(self, now: float) -> None:
        self.reported_w = _power_w(self.stretch.vehicle)
        reading = reading_of(self.stretch.vehicle, int(now * 1000), ambient_c(now))
        heat_c = self.story.heat_c(now - self.sets_off)
        reading["battery_temp_c"] = round(reading["battery_temp_c"] + heat_c, 1)
        (self.stretch.told if self._is_told(now) else self.stretch.readings).append(reading)


def _power_w(vehicle: SimulatedVehicle) -> float:
    return vehicle.battery.voltage_v * vehicle.battery.current_a


def _is_turn(before: Activity, after: Activity) -> bool:
    """Something that a device reports at once; a red light is none."""
    return before is not after and not (before in _UNDER_WAY and after in _UNDER_WAY)
