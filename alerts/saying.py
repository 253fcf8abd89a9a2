"""What rules say, in words, with the geofences they refer to by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from alerts.engine.spec import RuleSpec
from alerts.kinds import KINDS
from fleet.geofences import Geofence
from tenants.models import Organisation


def condition_in_words(spec: RuleSpec, called: Mapping[int, str]) -> str:
    """`called`: names of geofences, from `fences_called`."""
    return KINDS[spec.kind].says(spec, called)


def fences_called(tenant: Organisation, definitions: Iterable[dict[str, Any]]) -> dict[int, str]:
    """Names of the geofences that these refer to, those removed too; mostly no query."""
    wanted = {pk for one in definitions for pk in one.get("params", {}).get("geofences", ())}
    if not wanted:
        return {}
    rows = Geofence.objects.for_tenant(tenant).filter(pk__in=wanted)
    return dict(rows.values_list("pk", "name"))
