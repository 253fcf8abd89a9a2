"""What tests of pages do: log in, ask, send, and have a history to look at."""

from datetime import timedelta

from django.test import Client

from telemetry.models import VehicleReadingRow

SPEEDING = {
    "kind": "threshold",
    "params": {"conditions": [{"metric": "speed_kmh", "op": ">", "value": 120, "clear": 110}]},
    "severity": "high",
}


def logged_in(user):
    client = Client()
    client.force_login(user)
    return client


def get(client, path, status=200):
    response = client.get(path, secure=True)
    assert response.status_code == status
    return response.content.decode()


def post(client, path, **fields):
    return client.post(path, fields, secure=True, follow=True)


def history(vehicle, *, until, speeds, every_s=10):
    """Stored readings, the last at `until`."""
    rows = []
    for n, speed in enumerate(reversed(speeds)):
        at = until - timedelta(seconds=every_s * n)
        rows.append(
            VehicleReadingRow(
                vehicle_id=vehicle.pk, time=at, received_at=at, reading_id=n,
                tenant_id=vehicle.tenant_id, protocol="telemetry.v1", speed_kmh=speed,
                lat=52.5 + n / 1000, lon=13.4,
            )
        )  # fmt: skip
    VehicleReadingRow.objects.bulk_create(rows)
