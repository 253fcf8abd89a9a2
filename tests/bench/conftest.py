"""Telemetry's tables and logs, empty, as its own tests have them."""

from tests.telemetry.conftest import committed, empty_logs

__all__ = ["committed", "empty_logs"]
