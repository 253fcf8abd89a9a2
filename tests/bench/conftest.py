"""Telemetry's logs, empty, as its own tests have them."""

from tests.telemetry.conftest import empty_logs

__all__ = ["empty_logs"]
