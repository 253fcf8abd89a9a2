"""What a vehicle is doing now: the one place where this is decided. Pure.

The first that holds:

- `no_data`: it has never sent a reading.
- `offline`: its newest reading is older than the vehicle's `silent_after_s`, by the device's
  clock or by ours, whichever is the older: values that old are not the present.
- `moving`: its speed is at least `MOVING_FROM_KMH`.
- `charging`: it says so (braking into the battery while it drives is moving).
- `idle`: it stands with the ignition on.
- `parked`: it stands, and nothing says that it is about to move.

Age grows without a reading, so the browser decides again by the same rule every second:
`rule()` is sent to it with every snapshot, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

MOVING_FROM_KMH = 3.0
"""Below it, a standing receiver's position noise would look like motion."""
LOW_SOC_PCT = 15.0
HOT_BATTERY_C = 60.0
SPEEDING_KMH = 120.0


SILENT_AT = "least(l.time, l.received_at) + v.silent_after_s * interval '1 second'"
"""From when on a vehicle `v` with the latest state `l` is offline, in SQL."""


class Status(StrEnum):
    MOVING = "moving"
    IDLE = "idle"
    CHARGING = "charging"
    PARKED = "parked"
    OFFLINE = "offline"
    NO_DATA = "no_data"


def status_of(
    values: Mapping[str, Any],
    *,
    time_us: int | None,
    received_us: int | None,
    silent_after_s: int,
    now_us: int,
) -> Status:
    """Status from the merged latest values; times in microseconds since 1970."""
    if time_us is None or received_us is None:
        return Status.NO_DATA
    if now_us - min(time_us, received_us) > silent_after_s * 1_000_000:
        return Status.OFFLINE
    if (values.get("speed_kmh") or 0) >= MOVING_FROM_KMH:
        return Status.MOVING
    if values.get("charging"):
        return Status.CHARGING
    return Status.IDLE if values.get("ignition") else Status.PARKED


def rule() -> dict[str, float]:
    """The thresholds, for whoever has to decide again as time passes."""
    return {
        "moving_from_kmh": MOVING_FROM_KMH,
        "low_soc_pct": LOW_SOC_PCT,
        "hot_battery_c": HOT_BATTERY_C,
        "speeding_kmh": SPEEDING_KMH,
    }
