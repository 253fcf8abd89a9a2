"""What the demonstration tenant is alerted of: places, rules, who is told, and yesterday."""

from __future__ import annotations

from typing import Any

from alerts.models import Rule
from alerts.rules import create_rule
from alerts.starting import ensure_starting_rules
from fleet import geofence_services
from fleet.geofences import Geofence
from fleet.models import Fleet
from telemetry.demo.yesterday import take_in_yesterday
from telemetry.simulator.corridors import DEPOTS, Point, Route
from tenants.actors import Actor

Json = dict[str, Any]


def ensure_alerts(actor: Actor) -> None:
    """Add what is missing: the starting rules with an e-mail to the owners, places on the
    vehicles' ways with rules about them, and, the first time, drives of yesterday.

    The alerts of yesterday are not written here: the drives are, into the ingress log, and
    the evaluation finds in them what it finds.
    """
    ensure_starting_rules(actor.tenant)
    places = _ensure_places(actor)
    fleets = dict(Fleet.objects.for_tenant(actor.tenant).values_list("reference", "pk"))
    known = set(Rule.objects.for_tenant(actor.tenant).values_list("name", flat=True))
    first = not known & RULES.keys()
    for name, definition in RULES.items():
        if name not in known:
            params = {**definition["params"], "geofences": _named(places, definition["params"])}
            scope = {"fleets": [fleets[reference] for reference in definition["scope"]]}
            whole = {**definition, "params": params, "scope": scope}
            create_rule(actor=actor, name=name, definition=whole)
    if first:
        take_in_yesterday(actor.tenant)


def _named(places: dict[str, Geofence], params: Json) -> list[int]:
    return [places[reference].pk for reference in params["geofences"]]


def _ensure_places(actor: Actor) -> dict[str, Geofence]:
    there = {one.reference: one for one in Geofence.objects.for_tenant(actor.tenant)}
    for reference, (name, shape, colour) in PLACES.items():
        if reference not in there:
            there[reference] = geofence_services.create_geofence(
                actor=actor, reference=reference, name=name, shape=shape, colour=colour
            )
    return there


def _outward(point: Point) -> list[float]:
    """As GeoJSON has it: longitude first."""
    return [point[1], point[0]]


def _depot(number: int) -> Json:
    return {"type": "circle", "centre": _outward(DEPOTS[number].at), "radius_m": 300}


def _corridor(route: Route, width_m: float) -> Json:
    # From where it has left the depot's own streets: what begins inside has not entered.
    line = [_outward(point) for point in route.points[3:]]
    return {"type": "corridor", "line": line, "width_m": width_m}


_MOTORWAY = next(route for route in DEPOTS[0].routes if route.name == "Motorway to Kénitra")

PLACES: dict[str, tuple[str, Json, str]] = {
    "depot-sale": ("Depot Salé", _depot(0), "#2f6fed"),
    "depot-temara": ("Depot Témara", _depot(1), "#2f6fed"),
    "rabat-centre": (
        "Rabat centre",
        {
            "type": "polygon",
            "rings": [
                [
                    [-6.8580, 34.0260],
                    [-6.8320, 34.0300],
                    [-6.8190, 34.0260],
                    [-6.8260, 34.0090],
                    [-6.8430, 34.0040],
                    [-6.8600, 34.0090],
                ]
            ],
        },
        "#b45309",
    ),
    "motorway-kenitra": ("Motorway Salé to Kénitra", _corridor(_MOTORWAY, 1_200), "#0f766e"),
}

# About the fleet that has no business there: of the others there would be hundreds a week.
RULES: dict[str, Json] = {
    "Enters Rabat centre": {
        "kind": "geofence",
        "params": {"geofences": ["rabat-centre"], "event": "enter"},
        "scope": ["regional"],
        "severity": "low",
        "digest": True,
        "cooldown_s": 14_400,
        "max_gap_s": 0,
    },
    "Stands in Rabat centre": {
        "kind": "geofence",
        "params": {"geofences": ["rabat-centre"], "event": "dwell"},
        "scope": [],
        "duration_s": 1800,
        "max_gap_s": 0,
    },
    "On the motorway to Kénitra": {
        "kind": "geofence",
        "params": {"geofences": ["motorway-kenitra"], "event": "enter", "margin_m": 200},
        "scope": ["buses"],
        "severity": "low",
        "digest": True,
        "cooldown_s": 3_600,
        "max_gap_s": 0,
    },
}
