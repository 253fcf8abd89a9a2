"""A fleet as large as the console is promised to carry, and somebody to look at it.

Run as `python -m bench.crowded N` with the installation's own environment, after
`bench.provision`: adds N vehicles in ten cities, and an owner who can log in.
"""

from __future__ import annotations

import json
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

OWNER = "owner@private.example"
PASSWORD = "correct horse battery staple"  # noqa: S105 (of an installation that lives a minute)
CITIES = {
    "Rabat": (33.97, -6.84),
    "Casablanca": (33.58, -7.61),
    "Marrakesh": (31.63, -8.0),
    "Fes": (34.03, -5.0),
    "Tangier": (35.76, -5.82),
    "Agadir": (30.42, -9.58),
    "Oujda": (34.68, -1.9),
    "Meknes": (33.89, -5.55),
    "Safi": (32.3, -9.22),
    "Beni Mellal": (32.34, -6.35),
}


def crowd(count: int) -> None:
    import django

    django.setup()
    from fleet.models import Fleet, Vehicle
    from tenants.models import Membership, Organisation, Role, User

    tenant = Organisation.objects.get(slug="private")
    owner = User.objects.create_user(OWNER, PASSWORD)
    Membership.unscoped.create(tenant=tenant, user=owner, role=Role.OWNER)
    fleets = [
        Fleet.unscoped.create(tenant=tenant, reference=f"C{n}", name=city)
        for n, city in enumerate(CITIES)
    ]
    Vehicle.unscoped.bulk_create(
        (
            Vehicle(
                tenant=tenant,
                fleet=fleets[n % len(fleets)],
                reference=f"X{n}",
                name=f"Van {n:05}",
                plate=f"{10000 + n}-A-{n % 89}",
            )
            for n in range(count)
        ),
        batch_size=2000,
    )


if __name__ == "__main__":
    crowd(int(sys.argv[1]))
    print(json.dumps({"owner": OWNER}))
