"""The air around the fleet. Pure."""

from __future__ import annotations

import math


def ambient_c(unix_s: float) -> float:
    """A mild coast: 19 °C, 6 °C warmer in the afternoon and colder before dawn (UTC)."""
    hour = unix_s / 3600 % 24
    return 19 + 6 * math.cos((hour - 14) / 24 * 2 * math.pi)
