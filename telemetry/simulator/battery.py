"""A traction battery: charge, voltage, current, temperature. Pure; watts, seconds, °C.

Current is positive into the battery: charging and recuperation. The open-circuit voltage
is linear in the state of charge, the loss is that of one inner resistance, and the
temperature is one mass that gains the loss and relaxes towards the air.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

KWH = 3_600_000.0
"""Joules in a kilowatt-hour."""
HEAT_CAPACITY_PER_KWH = 6_000.0
"""J/K for each kWh of capacity: about 6 kg of cells at 1,000 J/(kg·K)."""
COOLING_PER_KWH = 0.6
"""W/K to the air for each kWh of capacity."""
RESISTIVE_DROP_AT_1C = 0.045
"""Share of the voltage lost at a current that empties the battery in an hour."""
LIMITED_FROM_C = 50.0
CUT_OFF_C = 65.0
"""Between them its own management lets less and less power in or out; none beyond."""
FULL = 0.995
TAPER_FROM = 0.80
"""State of charge above which a charger gives less and less."""


@dataclass(slots=True)
class Battery:
    """One pack. `soc` is a share of 1."""

    capacity_kwh: float
    nominal_v: float
    soc: float
    temperature_c: float
    current_a: float = 0.0
    voltage_v: float = 0.0

    def __post_init__(self) -> None:
        self.voltage_v = self.open_circuit_v

    @property
    def open_circuit_v(self) -> float:
        return self.nominal_v * (0.90 + 0.18 * self.soc)

    @property
    def resistance_ohm(self) -> float:
        one_c_a = self.capacity_kwh * 1000 / self.nominal_v
        return RESISTIVE_DROP_AT_1C * self.nominal_v / one_c_a

    @property
    def full(self) -> bool:
        return self.soc >= FULL

    def accepts_w(self, charger_w: float) -> float:
        """What the pack takes of a charger's direct-current power: a linear taper, then nothing."""
        if self.full:
            return 0.0
        taper = min(1.0, (1.0 - self.soc) / (1.0 - TAPER_FROM))
        return charger_w * max(0.06, taper)

    def flow(self, power_w: float, seconds: float, ambient_c: float) -> float:
        """Let power in (positive) or out for a while.

        Returns the joules that passed the terminals: less than asked where the pack is
        empty, full or hot.
        """
        power_w *= min(
            1.0, max(0.0, (CUT_OFF_C - self.temperature_c) / (CUT_OFF_C - LIMITED_FROM_C))
        )
        ocv, resistance = self.open_circuit_v, self.resistance_ohm
        # power = (ocv + I·R)·I; beyond ocv²/4R a pack cannot deliver.
        root = math.sqrt(max(0.0, ocv * ocv + 4 * resistance * power_w))
        current = (root - ocv) / (2 * resistance)
        stored = ocv * current * seconds
        room = (1.0 - self.soc) * self.capacity_kwh * KWH
        left = -self.soc * self.capacity_kwh * KWH
        possible = min(max(stored, left), room)
        if stored != possible:
            current *= possible / stored
        self.soc = min(1.0, max(0.0, self.soc + possible / (self.capacity_kwh * KWH)))
        self.current_a = current
        self.voltage_v = ocv + current * resistance
        self._warm(current * current * resistance, seconds, ambient_c)
        return self.voltage_v * current * seconds

    def rest(self, seconds: float, ambient_c: float) -> None:
        self.flow(0.0, seconds, ambient_c)

    def _warm(self, loss_w: float, seconds: float, ambient_c: float) -> None:
        """Exact for a constant loss, whatever the step."""
        cooling = COOLING_PER_KWH * self.capacity_kwh
        settles_at = ambient_c + loss_w / cooling
        time_constant = HEAT_CAPACITY_PER_KWH * self.capacity_kwh / cooling
        self.temperature_c = settles_at + (self.temperature_c - settles_at) * math.exp(
            -seconds / time_constant
        )
