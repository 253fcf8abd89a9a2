"""What is stored: history, latest state, roll-ups, quarantine, device health."""

from telemetry.models.history import MeterReadingRow, VehicleReadingRow
from telemetry.models.quarantine import QuarantinedFrame
from telemetry.models.state import MeterLatest, VehicleLatest

__all__ = [
    "MeterLatest",
    "MeterReadingRow",
    "QuarantinedFrame",
    "VehicleLatest",
    "VehicleReadingRow",
]
