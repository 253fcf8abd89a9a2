"""What is stored: history, latest state, roll-ups, quarantine, device health."""

from telemetry.models.days import DaysClosed, MeterDay, VehicleDay
from telemetry.models.health import DeviceHealth
from telemetry.models.history import MeterReadingRow, VehicleReadingRow
from telemetry.models.quarantine import QuarantinedFrame
from telemetry.models.rollups import MeterHour, VehicleHour
from telemetry.models.saved_views import SavedView
from telemetry.models.state import MeterLatest, VehicleLatest

__all__ = [
    "DaysClosed",
    "DeviceHealth",
    "MeterDay",
    "MeterHour",
    "MeterLatest",
    "MeterReadingRow",
    "QuarantinedFrame",
    "SavedView",
    "VehicleDay",
    "VehicleHour",
    "VehicleLatest",
    "VehicleReadingRow",
]
