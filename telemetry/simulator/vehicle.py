"""One simulated electric vehicle: it drives out from its depot and back, stops, charges, rests.

Pure: time is passed in, chance comes from the vehicle's own generator. The force on the
road is rolling resistance plus drag plus inertia, on level ground:
F = m·a + c_rr·m·g + ½·ρ·c_d·A·v².
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from telemetry.simulator.battery import KWH, Battery
from telemetry.simulator.corridors import Point
from telemetry.simulator.geometry import Path, offset

GRAVITY = 9.81
ROLLING = 0.010
AIR_DENSITY = 1.2
DRIVE_EFFICIENCY = 0.88
RECUPERATION_EFFICIENCY = 0.55
BRAKING_MS2 = 1.4
MILLIWATT_HOUR_J = 3.6
RESERVE = 0.10


class Activity(StrEnum):
    DRIVING = "driving"
    WAITING = "waiting"
    """Standing with the ignition on: a light, a queue, a short delivery."""
    DELIVERING = "delivering"
    """Standing away from the depot with the ignition off."""
    CHARGING = "charging"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Build:
    """What kind of vehicle it is. Masses in kg, drag area in m², power in W."""

    mass: float
    drag_area: float
    auxiliary_w: float
    acceleration: float
    recuperation_w: float
    charger_w: float
    nominal_v: float
    capacity_kwh: float
    top_ms: float


BUILDS = {
    "car": Build(1_650, 0.66, 450, 1.6, 40_000, 22_000, 360, 52, 36),
    "van": Build(2_600, 1.25, 600, 1.2, 35_000, 40_000, 380, 68, 31),
    "truck": Build(9_500, 3.9, 1_500, 0.7, 90_000, 90_000, 620, 240, 25),
    "bus": Build(14_000, 4.6, 3_500, 0.8, 110_000, 120_000, 620, 350, 24),
}


@dataclass(slots=True)
class SimulatedVehicle:
    """The state of one vehicle. `metres` counts from the depot along `path`."""

    build: Build
    battery: Battery
    paths: tuple[Path, ...]
    stops_per_km: tuple[float, ...]
    bay: Point
    """Its place in the depot, as metres (east, north) of the depot's point."""
    chance: random.Random
    path: Path = field(init=False)
    route: int = 0
    activity: Activity = Activity.PARKED
    metres: float = 0.0
    outbound: bool = True
    turn_at_m: float = 0.0
    next_stop_m: float = 0.0
    speed_ms: float = 0.0
    remaining_s: float = 0.0
    """Of a stop, or of the rest in the depot."""
    odometer_km: float = 0.0
    charged_j: float = 0.0
    """Into the pack at its terminals while charging, since somebody last took note."""
    drawn_j: float = 0.0
    """The same for all that left the pack net of recuperation, over its life here."""
    charge_to: float = 0.95
    reserve: float = RESERVE
    """Share of charge that its plans keep for the way home."""
    haste: float = 1.0
    """How many times faster than the road allows its driver goes."""
    orders: Callable[[SimulatedVehicle], None] | None = None
    """Decides in the depot what it does next; without orders it decides itself."""

    def __post_init__(self) -> None:
        self.path = self.paths[self.route]

    # --- what it does -----------------------------------------------------------------

    def step(self, seconds: float, ambient_c: float) -> None:
        """Let time pass; `seconds` of more than a few make a coarse drive."""
        if seconds <= 0:
            return
        match self.activity:
            case Activity.DRIVING:
                self._drive(seconds, ambient_c)
            case Activity.CHARGING:
                self._charge(seconds, ambient_c)
            case Activity.WAITING:
                self._draw(-self.build.auxiliary_w, seconds, ambient_c)
                self._stand(seconds)
            case Activity.DELIVERING | Activity.PARKED:
                self.battery.rest(seconds, ambient_c)
                self._stand(seconds)

    def _drive(self, seconds: float, ambient_c: float) -> None:
        before = self.speed_ms
        goal = self.turn_at_m if self.outbound else 0.0
        stop = self.next_stop_m if self._is_ahead(self.next_stop_m) else goal
        room = abs(stop - self.metres)
        allowed = min(self.path.limit_ms(self.metres), self.build.top_ms) * self.haste
        # v² = 2·a·s: slow enough to stand still where the stop is.
        wanted = min(allowed, math.sqrt(2 * BRAKING_MS2 * room))
        gain = min(max(wanted - before, -2.2 * seconds), self.build.acceleration * seconds)
        self.speed_ms = max(0.0, before + gain)
        way = min((before + self.speed_ms) / 2 * seconds, room)
        self.metres += way if self.outbound else -way
        self.odometer_km += way / 1000
        self._draw(self._power_w(before, seconds), seconds, ambient_c)
        if self.battery.soc <= 0.0:
            self._rest(Activity.DELIVERING, 1_800)
        elif room - way < 2.0 or (self.speed_ms < 0.3 and room < 12.0):
            self._arrive(at_goal=stop == goal)

    def _power_w(self, before_ms: float, seconds: float) -> float:
        """At the terminals: negative out of the pack, positive recuperated."""
        build = self.build
        speed = (before_ms + self.speed_ms) / 2
        force = (
            build.mass * (self.speed_ms - before_ms) / seconds
            + ROLLING * build.mass * GRAVITY * (speed > 0)
            + 0.5 * AIR_DENSITY * build.drag_area * speed * speed
        )
        mechanical = force * speed
        if mechanical >= 0:
            return -mechanical / DRIVE_EFFICIENCY - build.auxiliary_w
        recuperated = min(-mechanical * RECUPERATION_EFFICIENCY, build.recuperation_w)
        return recuperated - build.auxiliary_w

    def _draw(self, power_w: float, seconds: float, ambient_c: float) -> None:
        self.drawn_j -= self.battery.flow(power_w, seconds, ambient_c)

    def _charge(self, seconds: float, ambient_c: float) -> None:
        power = self.battery.accepts_w(self.build.charger_w)
        self.charged_j += self.battery.flow(power, seconds, ambient_c)
        if self.battery.soc >= self.charge_to or self.battery.full:
            self.park(self.chance.uniform(120, 2_400))

    def _stand(self, seconds: float) -> None:
        self.remaining_s -= seconds
        if self.remaining_s > 0:
            return
        if self.activity is Activity.PARKED and self.in_depot:
            self._leave_or_charge()
        elif self.activity is Activity.PARKED:
            # Charged by the roadside, with enough for the way home.
            self.outbound = False
            self._set_off()
        elif self.battery.soc > 0.0:
            self._set_off()
        else:
            # Empty by the roadside: somebody brings a battery on wheels.
            self.plug_in(0.2)

    # --- what it decides --------------------------------------------------------------

    def _arrive(self, *, at_goal: bool) -> None:
        self.speed_ms = 0.0
        if at_goal and not self.outbound:
            self.metres = 0.0
            self._leave_or_charge()
            return
        if at_goal:
            self.outbound = False
        if self.chance.random() < (0.9 if at_goal else 0.30):
            self._rest(Activity.DELIVERING, self.chance.uniform(90, 480))
        else:
            self._rest(Activity.WAITING, self.chance.uniform(12, 150))

    def _rest(self, activity: Activity, seconds: float) -> None:
        self.activity, self.speed_ms, self.remaining_s = activity, 0.0, seconds
        # No current flows any more: it is reported before time passes again.
        self.battery.rest(0.0, self.battery.temperature_c)

    def _leave_or_charge(self) -> None:
        if self.orders is not None:
            self.orders(self)
        elif self.battery.soc < self.chance.uniform(0.22, 0.50):
            self.plug_in(self.chance.uniform(0.85, 1.0))
        elif self.chance.random() < 0.35:
            self.park(self.chance.uniform(300, 3_600))
        else:
            self.begin_trip()

    def park(self, seconds: float) -> None:
        self._rest(Activity.PARKED, seconds)

    def plug_in(self, charge_to: float) -> None:
        self.activity, self.speed_ms, self.charge_to = Activity.CHARGING, 0.0, charge_to

    def begin_trip(self, route: int | None = None) -> None:
        """Choose a road (or take the one given), and a turning point that the charge allows."""
        self.route = self.chance.randrange(len(self.paths)) if route is None else route
        self.path = self.paths[self.route]
        self.metres, self.outbound = 0.0, True
        self.plan_turn()
        self._set_off()

    def plan_turn(self, share: float | None = None) -> None:
        """Where to turn round: as far as wanted (a share of the road, else by chance), no
        farther than there and back again."""
        speed = min(self.path.cruise_ms, self.build.top_ms)
        reach_m = max(0.0, self.battery.soc - self.reserve) * self.range_km(speed) * 1000 / 2
        wanted = self.path.length_m * (share or self.chance.uniform(0.45, 1.0))
        self.turn_at_m = max(self.metres, min(wanted, reach_m, self.path.length_m))

    def _set_off(self) -> None:
        self.activity = Activity.DRIVING
        gap = self.chance.expovariate(max(self.stops_per_km[self.route], 0.01)) * 1000 + 60
        self.next_stop_m = self.metres + (gap if self.outbound else -gap)

    def _is_ahead(self, mark_m: float) -> bool:
        if self.outbound:
            return self.metres < mark_m < self.turn_at_m
        return 0.0 < mark_m < self.metres

    # --- what can be seen of it -------------------------------------------------------

    def range_km(self, speed_ms: float) -> float:
        """On a full pack at a steady speed, with a quarter more for stops and bends."""
        rolling = ROLLING * self.build.mass * GRAVITY
        drag = 0.5 * AIR_DENSITY * self.build.drag_area * speed_ms * speed_ms
        joules_per_m = (
            1.25 * (rolling + drag) / DRIVE_EFFICIENCY + self.build.auxiliary_w / speed_ms
        )
        return self.battery.capacity_kwh * KWH / joules_per_m / 1000

    @property
    def in_depot(self) -> bool:
        return self.metres <= 0.0

    @property
    def ignition(self) -> bool:
        return self.activity in (Activity.DRIVING, Activity.WAITING)

    def position(self) -> tuple[Point, float]:
        """Where it is, and its heading in degrees."""
        point, away = self.path.at(self.metres)
        if self.in_depot and not self.ignition:
            point = offset(point, *self.bay)
        return point, away if self.outbound else (away + 180) % 360

    def take_charged_kwh(self) -> float:
        """Energy charged since the last call, in kWh, in whole milliwatt-hours.

        What is less stays for the next call, so that increments add up.
        """
        whole = math.floor(self.charged_j / MILLIWATT_HOUR_J) * MILLIWATT_HOUR_J
        self.charged_j -= whole
        return whole / KWH
