"""Support's view of telemetry: which devices are dark and why, and what they last sent."""

from telemetry.admin import health, latest, quarantine

__all__ = ["health", "latest", "quarantine"]
