"""What goes wrong with devices in the field, at rates that the user sets."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

Reading = dict[str, Any]

MEAN_DARK_S = 420.0
"""How long a device that lost the network stays away, on average."""
SKEWS_S = (-7_200, -600, -45, 40, 240, 900)
"""Clocks that are wrong by hours, minutes, seconds; the last ones run ahead."""


@dataclass(frozen=True, slots=True)
class Rates:
    """`drop`: share of the fleet out of reach at any moment. `duplicate`, `garbage`: share
    of readings sent twice, or followed by rubbish. `skew`: share of devices with a wrong clock.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    garbage: float = 0.0
    skew: float = 0.0

    def loses_network(self, chance: random.Random, seconds: float) -> bool:
        """Whether a device in reach drops off within so many seconds."""
        if not self.drop:
            return False
        per_second = self.drop / (1 - min(self.drop, 0.95)) / MEAN_DARK_S
        return chance.random() < per_second * seconds

    def clock_skew_s(self, chance: random.Random) -> int:
        return chance.choice(SKEWS_S) if chance.random() < self.skew else 0


def dark_for_s(chance: random.Random) -> float:
    return chance.expovariate(1 / MEAN_DARK_S)


def rubbish(chance: random.Random, reading: Reading) -> Reading | bytes:
    """Something no server should believe: bytes for the wire, or a wrong reading."""
    wrong: list[Reading | bytes] = [
        chance.randbytes(chance.randint(1, 200)),
        b'{"seq":',
        b"[" * 64 + b"]" * 64,
        {**reading, "lat": 91.2},
        {**reading, "soc_pct": "full"},
        {**reading, "time": "90/02/2032 12:00:00"},
        {**reading, "time": reading["time"] + 86_400_000},
        {**reading, "flux_capacitance": 1.21},
        {"time": reading["time"]},
    ]
    return chance.choice(wrong)
