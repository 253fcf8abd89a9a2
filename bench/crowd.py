"""A hundred thousand vehicles with a tracker each, all heard within the last minute, and one
rule that watches them for silence.

Run as `python -m bench.crowd N SECONDS` with the installation's own environment; prints the
id of the rule, by which no vehicle may be silent for SECONDS.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

_HEARD = """
INSERT INTO telemetry_vehicle_latest
    (vehicle_id, tenant_id, device_id, time, received_at, reading_id, protocol, older)
SELECT d.vehicle_id, d.tenant_id, d.id, now(), now(), 1, 'telemetry.v1', '{}' FROM fleet_device d
ON CONFLICT DO NOTHING
"""


def make(count: int, after_s: int) -> int:
    import django

    django.setup()
    from django.db import connection

    from alerts.rules import create_rule
    from fleet.models import Device, Fleet, Vehicle
    from tenants.actors import Actor
    from tenants.models import Organisation

    tenant = Organisation.objects.get(slug="private")
    fleet = Fleet.unscoped.get(tenant=tenant)
    vehicles = Vehicle.unscoped.bulk_create(
        (
            Vehicle(tenant=tenant, fleet=fleet, reference=f"C{number}", name=f"Crowd {number}")
            for number in range(count)
        ),
        batch_size=5000,
    )
    Device.unscoped.bulk_create(
        (
            Device(tenant=tenant, reference=f"C{number}", name="", vehicle=vehicle)
            for number, vehicle in enumerate(vehicles)
        ),
        batch_size=5000,
    )
    with connection.cursor() as cursor:
        cursor.execute(_HEARD)
        cursor.execute("ANALYZE")
    rule = create_rule(
        actor=Actor.command(tenant, "bench"),
        name="Silent",
        definition={"kind": "silence", "params": {"after_s": after_s}},
    )
    return int(rule.pk)


if __name__ == "__main__":
    print(make(int(sys.argv[1]), int(sys.argv[2])))
