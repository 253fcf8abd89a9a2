"""Changes to geofences that evaluations have to hear of, and what depends on a geofence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.text import slugify
from django.utils.translation import gettext as _

from alerts.geojson import Imported
from alerts.kinds.geofence import GONE
from alerts.models import Alert, Rule
from alerts.rulebook import announce_change
from alerts.rules import create_rule, update_rule
from fleet import geofence_services
from fleet.geofences import COLOUR, Geofence
from tenants.actors import Actor
from tenants.errors import DomainError
from tenants.models import Organisation

MAX_GEOFENCES = 5000
"""Of an organisation: every evaluation holds all of them."""

Json = dict[str, Any]


@transaction.atomic
def create(
    *, actor: Actor, name: str, shape: Json, reference: str = "", colour: str = COLOUR
) -> Geofence:
    """A new geofence; without a reference it gets one made of its name."""
    rows = Geofence.objects.for_tenant(actor.tenant)
    if rows.filter(archived_at=None).count() >= MAX_GEOFENCES:
        raise DomainError("too_many_geofences", 409, f"There are {MAX_GEOFENCES} already.")
    fence = geofence_services.create_geofence(
        actor=actor,
        reference=reference or _free_reference(actor.tenant, name),
        name=name,
        shape=shape,
        colour=colour,
    )
    transaction.on_commit(announce_change)
    return fence


@transaction.atomic
def update(*, actor: Actor, geofence: Geofence, **fields: Any) -> Geofence:
    fence = geofence_services.update_geofence(actor=actor, geofence=geofence, **fields)
    transaction.on_commit(announce_change)
    return fence


@transaction.atomic
def archive(*, actor: Actor, geofence: Geofence) -> None:
    """A rule that refers to it is switched off by the next evaluation, and says why."""
    if geofence.archived_at is not None:
        return
    geofence_services.archive_geofence(actor=actor, geofence=geofence)
    transaction.on_commit(announce_change)


@transaction.atomic
def restore(*, actor: Actor, geofence: Geofence) -> None:
    """Back on the map; the rules that were switched off because it was gone watch again."""
    geofence_services.update_geofence(actor=actor, geofence=geofence, archived_at=None)
    for rule in rules_by_fence(actor.tenant).get(geofence.pk, ()):
        if not rule.enabled and GONE in rule.disabled_reason:
            update_rule(actor=actor, rule=rule, enabled=True)
    transaction.on_commit(announce_change)


@transaction.atomic
def bring_in(*, actor: Actor, imported: Sequence[Imported]) -> tuple[int, int]:
    """All or none; one whose id is there already is changed. (made, changed)"""
    named = [each.reference for each in imported if each.reference]
    rows = Geofence.objects.for_tenant(actor.tenant).filter(reference__in=named)
    known = {fence.reference: fence for fence in rows}
    made = 0
    for each in imported:
        fields: Json = {"name": each.name, "shape": each.shape, "colour": each.colour}
        fence = known.get(each.reference)
        if fence is None:
            create(actor=actor, reference=each.reference, **fields)
            made += 1
        else:
            update(actor=actor, geofence=fence, archived_at=None, **fields)
    return made, len(imported) - made


def watch(*, actor: Actor, geofence: Geofence, event: str, minutes: int, severity: str) -> Rule:
    """A rule about one geofence for all vehicles, named after what it says."""
    if geofence.archived_at is not None:
        raise DomainError("archived", 409, _("It is archived. Restore it first."))
    names = {
        "enter": _("%(place)s: enters"),
        "leave": _("%(place)s: leaves"),
        "dwell": _("%(place)s: stays longer than %(minutes)d min"),
    }
    if event not in names:
        raise DomainError("invalid_rule", 422, _("A vehicle enters, leaves or stays."))
    name = names[event] % {"place": geofence.name[:80], "minutes": minutes}
    definition = watching({"geofences": [geofence.pk]}, event=event, minutes=minutes)
    return create_rule(actor=actor, name=name, definition=definition | {"severity": severity})


def watching(where: Json, *, event: str, minutes: int) -> Json:
    """The definition of a rule about a place: `where` is geofences, or a shape being tried."""
    return {
        "kind": "geofence",
        "params": {**where, "event": event},
        "duration_s": minutes * 60 if event == "dwell" else 0,
        # A parked vehicle speaks seldom.
        "max_gap_s": 0,
    }


def rules_by_fence(tenant: Organisation) -> dict[int, list[Rule]]:
    """The rules that refer to each geofence."""
    rows = (
        Rule.objects.for_tenant(tenant)
        .filter(archived_at=None, current__kind="geofence")
        .select_related("current")
        .order_by("name")
    )
    found: dict[int, list[Rule]] = {}
    for rule in rows:
        assert rule.current is not None  # noqa: S101  (the filter above)
        for fence in rule.current.definition["params"].get("geofences", ()):
            found.setdefault(fence, []).append(rule)
    return found


def last_alerts(tenant: Organisation, rules: Iterable[Rule]) -> dict[int, datetime]:
    """When each of the rules last opened an alert."""
    rows = Alert.objects.for_tenant(tenant).filter(rule__in=[rule.pk for rule in rules])
    return dict(rows.values_list("rule_id").annotate(last=Max("opened_at")).order_by())


def _free_reference(tenant: Organisation, name: str) -> str:
    """`north-yard`, else `north-yard-2` and so on."""
    base = slugify(name).strip("-_")[:50] or "geofence"
    taken = set(
        Geofence.objects.for_tenant(tenant)
        .filter(reference__startswith=base)
        .values_list("reference", flat=True)
    )
    number = 1
    while (reference := base if number == 1 else f"{base}-{number}") in taken:
        number += 1
    return reference
