"""Ten rules of every kind that readings are judged by, on every vehicle.

Run as `python -m bench.rules` with the installation's own environment; prints the id of the
rule that opens at once when a battery is hot, by which the delay is measured.
"""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def _threshold(**condition: Any) -> dict[str, Any]:
    return {"kind": "threshold", "params": {"conditions": [condition]}}


HOT = _threshold(metric="battery_temp_c", op=">", value=80)
"""No duration: it opens with the first hot reading and resolves with the first that is not."""

MORE: dict[str, dict[str, Any]] = {
    "Low voltage": _threshold(metric="battery_voltage_v", op="<", value=300) | {"duration_s": 5},
    "Late": _threshold(metric="ingest_lag_s", op=">", value=60),
    "Discharging while parked": {
        "kind": "threshold",
        "params": {
            "conditions": [
                {"metric": "speed_kmh", "op": "<", "value": 1},
                {"metric": "battery_current_a", "op": "<", "value": -100},
            ]
        },
    },
    "Charge drops": {
        "kind": "rate_of_change",
        "params": {"metric": "soc_pct", "op": "<", "per_minute": -5, "window_s": 60},
    },
}


def make() -> int:
    import django

    django.setup()
    from alerts.rules import create_rule
    from alerts.starting import ensure_starting_rules
    from fleet.geofences import Geofence
    from tenants.actors import Actor
    from tenants.models import Organisation

    tenant = Organisation.objects.get(slug="private")
    fence = Geofence.unscoped.create(
        tenant=tenant,
        reference="area",
        name="Area",
        shape={"type": "circle", "centre": [-6.84, 33.5], "radius_m": 200_000},
    )
    leaving = {"kind": "geofence", "params": {"geofences": [fence.pk], "event": "leave"}}
    actor = Actor.command(tenant, "bench")
    made = ensure_starting_rules(tenant)
    for name, definition in (MORE | {"Leaves the area": leaving}).items():
        made.append(create_rule(actor=actor, name=name, definition=definition))
    hot = create_rule(actor=actor, name="Hot", definition=HOT)
    assert len([*made, hot]) == 10
    return int(hot.pk)


if __name__ == "__main__":
    print(make())
