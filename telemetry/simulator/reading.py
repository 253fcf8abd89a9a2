"""What a simulated vehicle's device reports: the fields of the device protocol."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from telemetry.simulator.geometry import offset
from telemetry.simulator.vehicle import Activity, SimulatedVehicle

GPS_NOISE_M = 2.5
DISPLAYED_RANGE_AT_MS = 60 / 3.6
MILLIWATT_HOUR = Decimal("0.000001")

Reading = dict[str, Any]


def reading_of(vehicle: SimulatedVehicle, time_ms: int, ambient_c: float) -> Reading:
    """The vehicle now. Energy is what was charged since the last call of this."""
    chance, battery = vehicle.chance, vehicle.battery
    point, heading = vehicle.position()
    if vehicle.activity is Activity.DRIVING:
        point = offset(point, chance.gauss(0, GPS_NOISE_M), chance.gauss(0, GPS_NOISE_M))
    charging = vehicle.activity is Activity.CHARGING
    reading: Reading = {
        "time": time_ms,
        "lat": round(point[0], 6),
        "lon": round(point[1], 6),
        "heading_deg": round(heading, 1) % 360,
        "speed_kmh": round(vehicle.speed_ms * 3.6, 1),
        "accuracy_m": round(2.5 + 2 * chance.random(), 1),
        "satellites": chance.randint(8, 17),
        "odometer_km": round(vehicle.odometer_km, 3),
        "ignition": vehicle.ignition,
        "soc_pct": round(battery.soc * 100, 2),
        "range_km": round(battery.soc * vehicle.range_km(DISPLAYED_RANGE_AT_MS), 1),
        "battery_temp_c": round(battery.temperature_c, 1),
        "battery_voltage_v": round(battery.voltage_v, 1),
        "battery_current_a": round(battery.current_a, 1),
        "ambient_temp_c": round(ambient_c, 1),
        "charging": charging,
        "attributes": {"gear": "D" if vehicle.ignition else "P"},
    }
    energy_kwh = vehicle.take_charged_kwh()
    if energy_kwh > 0:
        reading["energy_dc_kwh"] = Decimal(energy_kwh).quantize(MILLIWATT_HOUR)
    return reading
