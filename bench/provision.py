"""Fills a private installation with vehicles, meters and their credentials; prints them.

Run as `python -m bench.provision N` with the installation's own environment.
"""

from __future__ import annotations

import json
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def provision(count: int) -> dict[str, object]:
    import django

    django.setup()
    from fleet.models import Device, DeviceCredential, Fleet, Meter, Vehicle
    from tenants.models import ApiToken, Organisation, Scope
    from tenants.secrets import API_TOKEN, DEVICE_CREDENTIAL, new_secret

    tenant = Organisation.objects.create(name="Private", slug="private")
    fleet = Fleet.unscoped.create(tenant=tenant, reference="F", name="Fleet")
    meter = Meter.unscoped.create(tenant=tenant, fleet=fleet, reference="M1", name="Meter")
    token = new_secret(API_TOKEN)
    ApiToken.unscoped.create(
        tenant=tenant,
        name="integration",
        prefix=token.prefix,
        digest=token.digest,
        scopes=list(Scope.values),
    )
    devices = []
    for number in range(count):
        vehicle = Vehicle.unscoped.create(
            tenant=tenant, fleet=fleet, reference=f"V{number}", name=f"Van {number}"
        )
        device = Device.unscoped.create(
            tenant=tenant, reference=f"D{number}", name=f"D{number}", vehicle=vehicle
        )
        secret = new_secret(DEVICE_CREDENTIAL)
        DeviceCredential.unscoped.create(
            tenant=tenant, device=device, prefix=secret.prefix, digest=secret.digest
        )
        devices.append(
            {"vehicle_id": vehicle.pk, "reference": vehicle.reference, "secret": secret.plain}
        )
    return {"token": token.plain, "devices": devices, "meters": [meter.pk]}


if __name__ == "__main__":
    print(json.dumps(provision(int(sys.argv[1]))))
