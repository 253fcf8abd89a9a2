"""Logs of the tests: real ones, under a prefix of their own, empty at the start of a test."""

import pytest
from django.conf import settings
from django.db import connection

from telemetry import streams

TELEMETRY_TABLES = (
    "telemetry_vehicle_reading, telemetry_meter_reading, telemetry_vehicle_latest,"
    " telemetry_meter_latest, telemetry_vehicle_hour, telemetry_meter_hour,"
    " telemetry_device_health, telemetry_quarantined_frame,"
    " telemetry_vehicle_day, telemetry_meter_day, telemetry_days_closed"
)


@pytest.fixture
def committed(django_db_setup, django_db_blocker):
    """Telemetry's tables, empty, for code that commits through connections of its own.

    Django's own way (flush) would empty the audit trail as well, which its trigger forbids.
    """

    def truncate() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {TELEMETRY_TABLES}")

    with django_db_blocker.unblock():
        truncate()
        yield
        truncate()


@pytest.fixture
def empty_logs():
    client = streams.sync_client()

    def sweep() -> None:
        for key in client.scan_iter(f"{settings.REDIS_PREFIX}:{{*", count=1000):
            client.delete(key)

    sweep()
    yield
    sweep()
