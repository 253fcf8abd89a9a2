"""Charging meters: the alternating current behind what vehicles take in."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from telemetry.simulator.vehicle import Activity, SimulatedVehicle

CHARGER_EFFICIENCY = 0.90
"""Direct-current energy into the pack for each unit of alternating-current energy."""
PHASES = 3
STANDBY_KW = 0.02
MILLIWATT_HOUR = Decimal("0.000001")


@dataclass(slots=True)
class SimulatedMeter:
    """Counts for the vehicles that charge behind it, whatever else they do."""

    reference: str
    vehicles: Sequence[SimulatedVehicle]
    chance: random.Random
    energy_kwh: float = 0.0
    """Since the last reading was taken."""
    power_kw: float = field(default=STANDBY_KW)

    def step(self, seconds: float) -> None:
        """Count what flows now; call it as often as the vehicles' power changes."""
        into_packs_w = sum(
            vehicle.battery.voltage_v * max(0.0, vehicle.battery.current_a)
            for vehicle in self.vehicles
            if vehicle.activity is Activity.CHARGING
        )
        self.power_kw = into_packs_w / CHARGER_EFFICIENCY / 1000 + STANDBY_KW
        self.energy_kwh += self.power_kw * seconds / 3_600

    def take_reading(self, time_ms: int) -> dict[str, Any]:
        """An item for HTTP ingest; the energy counted so far is handed over."""
        energy = Decimal(self.energy_kwh).quantize(MILLIWATT_HOUR)
        self.energy_kwh -= float(energy)
        voltage = self.chance.gauss(230.5, 1.2)
        return {
            "meter_id": self.reference,
            "time": time_ms,
            "energy_ac_kwh": energy,
            "voltage_v": round(voltage, 1),
            "current_a": round(self.power_kw * 1000 / voltage / PHASES, 2),
            "power_kw": round(self.power_kw, 3),
        }
