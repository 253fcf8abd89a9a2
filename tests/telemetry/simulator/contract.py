"""What a simulated device may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telemetry.fields import VEHICLE_FIELDS


def assert_allowed(reading: Mapping[str, Any]) -> None:
    """Only fields that there are, within their bounds."""
    for name, value in reading.items():
        if name in ("time", "attributes"):
            continue
        field = VEHICLE_FIELDS[name]
        if field.low is not None:
            assert field.low <= value <= field.high, name
