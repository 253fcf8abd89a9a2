"""Drives of yesterday with something worth an alert: too fast, too hot, too far. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from telemetry.simulator.duty import at

AGO_S: Final = 20 * 3_600.0
EARLIEST: Final = time(7)
LATEST: Final = time(19)
LASTS_S: Final = 2_400.0
EVERY_S: Final = 5.0
"""Between readings while it lasts: what raises an alert is seen closely."""
HEAT_C: Final = 71.0
SECONDS_PER_DEGREE: Final = 15.0


@dataclass(frozen=True, slots=True)
class Story:
    """What one vehicle does once. Seconds count from when it sets off."""

    route: str
    """By its name among those of the vehicle's depot."""
    hastens: tuple[float, float] | None = None
    haste: float = 1.0
    hottest_at: float | None = None
    """A cell at fault: one sensor warms by up to HEAT_C, and cools again."""
    soc: float | None = None
    """It has no more charge than this all week, and is moved by its story alone."""

    def haste_at(self, second: float) -> float:
        if self.hastens is None or not self.hastens[0] <= second < self.hastens[1]:
            return 1.0
        return self.haste

    def heat_c(self, second: float) -> float:
        if self.hottest_at is None:
            return 0.0
        return max(0.0, HEAT_C - abs(second - self.hottest_at) / SECONDS_PER_DEGREE)


ORDINARY: Final = Story("")
"""Nothing happens."""
STORIES: Final = {
    0: Story("Motorway to Kénitra", hastens=(600, 780), haste=1.28),
    3: Story("Motorway to Casablanca", hottest_at=1_300),
    11: Story("Agdal and Souissi", soc=0.17),
}
"""By the number of the vehicle."""


def begins_before(until: float, zone: ZoneInfo) -> float:
    """When they set off: about twenty hours before, by day. Unix seconds."""
    then = datetime.fromtimestamp(until - AGO_S, zone)
    earliest, latest = (at(then.date(), clock, zone) for clock in (EARLIEST, LATEST))
    return min(max(then.timestamp(), earliest), latest)
