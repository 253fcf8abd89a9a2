"""Units a recording may use, converted to those of `telemetry.fields`.

Factors are exact by definition (international mile, knot, foot; thermochemistry plays no part).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

Conversion = Callable[[Decimal], Decimal]


def _times(factor: str) -> Conversion:
    exact = Decimal(factor)
    return lambda value: value * exact


def _same(value: Decimal) -> Decimal:
    return value


CONVERSIONS: dict[str, dict[str, Conversion]] = {
    "km/h": {
        "km/h": _same,
        "m/s": _times("3.6"),
        "mph": _times("1.609344"),
        "kn": _times("1.852"),
    },
    "km": {"km": _same, "m": _times("0.001"), "mi": _times("1.609344")},
    "m": {"m": _same, "km": _times("1000"), "ft": _times("0.3048")},
    "°C": {
        "°C": _same,
        "°F": lambda value: (value - 32) * 5 / 9,
        "K": lambda value: value - Decimal("273.15"),
    },
    "kWh": {
        "kWh": _same,
        "Wh": _times("0.001"),
        "MJ": lambda value: value / Decimal("3.6"),
    },
    "%": {"%": _same, "1": _times("100")},
    "V": {"V": _same, "mV": _times("0.001"), "kV": _times("1000")},
    "A": {"A": _same, "mA": _times("0.001")},
    "kW": {"kW": _same, "W": _times("0.001")},
    "rpm": {"rpm": _same, "Hz": _times("60")},
    "°": {"°": _same},
    "": {"": _same},
}
"""By the unit of the field, then by the unit of the column."""
