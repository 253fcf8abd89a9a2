"""A simulated fleet: vehicles set into the world at random, or where they last were seen."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from telemetry.simulator.battery import Battery
from telemetry.simulator.corridors import DEPOTS, Depot, Point
from telemetry.simulator.geometry import Path, distance_m, offset
from telemetry.simulator.vehicle import BUILDS, Activity, SimulatedVehicle

BAYS_PER_ROW = 12
BAY_M = (3.2, 6.5)
AT_THE_BAY_M = 25.0
LOST_BEYOND_M = 1_500.0
"""A last position farther than this from every road is none to continue from."""


@dataclass(frozen=True, slots=True)
class LastSeen:
    """What the platform knows of a vehicle, so that it does not jump when simulated again."""

    lat: float | None
    lon: float | None
    soc_pct: float | None
    odometer_km: float | None
    battery_temp_c: float | None
    charging: bool | None


def depot_of(index: int, depots: int = len(DEPOTS)) -> Depot:
    """Most vehicles live in Salé and Témara."""
    return DEPOTS[(0, 1, 0, 1, 0, 2, 1, 3, 0, 1)[index % 10] % depots]


@cache
def paths_of(depot: Depot) -> tuple[Path, ...]:
    return tuple(Path(route.points, route.cruise_kmh) for route in depot.routes)


def stops_per_km_of(depot: Depot) -> tuple[float, ...]:
    return tuple(route.stops_per_km for route in depot.routes)


def new_vehicle(
    index: int, kind: str, capacity_kwh: float | None, chance: random.Random
) -> SimulatedVehicle:
    """The vehicle of that number, parked in its depot."""
    depot = depot_of(index)
    build = BUILDS.get(kind, BUILDS["van"])
    return SimulatedVehicle(
        build=build,
        battery=Battery(
            capacity_kwh=capacity_kwh or build.capacity_kwh,
            nominal_v=build.nominal_v,
            soc=chance.uniform(0.25, 0.98),
            temperature_c=chance.uniform(19, 31),
        ),
        paths=paths_of(depot),
        stops_per_km=stops_per_km_of(depot),
        bay=_bay(index),
        chance=chance,
        odometer_km=chance.uniform(2_000, 90_000),
    )


def place(
    index: int, kind: str, capacity_kwh: float | None, seed: int, last: LastSeen | None
) -> SimulatedVehicle:
    """The vehicle of that number, the same for the same seed."""
    vehicle = new_vehicle(index, kind, capacity_kwh, random.Random(f"{seed}:{index}"))
    if last is None or not _continue_from(vehicle, last):
        _begin_somewhere(vehicle)
    return vehicle


def _bay(index: int) -> tuple[float, float]:
    """East and north of the depot's point, in metres: rows of bays."""
    row, column = divmod(index // 10 % 240, BAYS_PER_ROW)
    return (column - BAYS_PER_ROW / 2) * BAY_M[0] * 2, 25 + row * BAY_M[1] * 2


def _begin_somewhere(vehicle: SimulatedVehicle) -> None:
    chance = vehicle.chance
    draw = chance.random()
    if draw < 0.14:
        vehicle.activity = Activity.CHARGING
        vehicle.battery.soc = chance.uniform(0.15, 0.75)
    elif draw < 0.32:
        vehicle.activity = Activity.PARKED
        vehicle.remaining_s = chance.uniform(60, 5_400)
    else:
        vehicle.begin_trip()
        vehicle.metres = chance.uniform(0.05, 0.95) * vehicle.turn_at_m
        vehicle.outbound = chance.random() < 0.5
        vehicle.next_stop_m = vehicle.metres
        if draw > 0.86:
            vehicle.activity = Activity.WAITING if draw > 0.93 else Activity.DELIVERING
            vehicle.remaining_s = chance.uniform(30, 600)


def _continue_from(vehicle: SimulatedVehicle, last: LastSeen) -> bool:
    """Take over what was seen last; False where that was no place on this fleet's roads."""
    if last.lat is None or last.lon is None:
        return False
    here = (last.lat, last.lon)
    gap, route, metres = _nearest_road(vehicle.paths, here)
    if gap > LOST_BEYOND_M:
        # Its number was another's before: somebody archived a vehicle, or moved a device.
        depot = min(DEPOTS, key=lambda depot: _nearest_road(paths_of(depot), here))
        gap, route, metres = _nearest_road(paths_of(depot), here)
        if gap > LOST_BEYOND_M:
            return False
        vehicle.paths = paths_of(depot)
        vehicle.stops_per_km = stops_per_km_of(depot)
        vehicle.path = vehicle.paths[vehicle.route]
    if last.soc_pct is not None:
        vehicle.battery.soc = last.soc_pct / 100
    if last.odometer_km is not None:
        vehicle.odometer_km = last.odometer_km
    if last.battery_temp_c is not None:
        vehicle.battery.temperature_c = last.battery_temp_c
    bay = offset(vehicle.paths[0].points[0], *vehicle.bay)
    if distance_m(here, bay) < AT_THE_BAY_M:
        vehicle.activity = Activity.CHARGING if last.charging else Activity.PARKED
        vehicle.remaining_s = vehicle.chance.uniform(10, 900)
        return True
    vehicle.route, vehicle.path = route, vehicle.paths[route]
    vehicle.metres, vehicle.outbound = metres, vehicle.chance.random() < 0.5
    vehicle.plan_turn()
    vehicle.next_stop_m = metres
    vehicle.activity = Activity.CHARGING if last.charging else Activity.DRIVING
    return True


def _nearest_road(paths: Sequence[Path], here: Point) -> tuple[float, int, float]:
    """How far off it is, which one, and how many metres along it."""
    nearest = enumerate(path.nearest_m(here) for path in paths)
    return min((gap, route, metres) for route, (metres, gap) in nearest)
