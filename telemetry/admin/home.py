"""The admin's home: "why is my vehicle dark?", asked with whatever the customer has at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse

from fleet import services
from fleet.models import Device, Meter, Vehicle
from telemetry.dark import Finding, explain, is_silent
from telemetry.evidence import evidence_about
from tenants.actors import Actor
from tenants.addresses import address_of
from tenants.errors import DomainError
from tenants.models import Organisation, User
from tenants.selectors import active_support_of

MOST: Final = 6
"""Things whose silence is explained at once: each takes a few queries."""
Thing = Vehicle | Meter | Device


@dataclass(frozen=True, slots=True)
class Answer:
    kind: str
    thing: Thing
    organisation: Organisation
    url: str
    silent: bool
    findings: list[Finding]


def answer(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Adds to the home page what was searched for. By POST: a VIN stands in no address.

    Only in organisations that this member of staff holds a support access for.
    """
    wanted = request.POST.get("dark", "").strip().replace("\0", "")[:64]
    user = request.user
    accesses = list(active_support_of(user)) if isinstance(user, User) else []
    organisations = {access.tenant_id: access.tenant for access in accesses}
    found = [
        (kind, thing, organisation)
        for organisation in organisations.values()
        for kind, thing in (_things_of(organisation, wanted, request) if wanted else ())
    ]
    return context | {
        "wanted": wanted,
        "supported": list(organisations.values()),
        "answers": [_explained(*each) for each in found[:MOST]],
        "more": max(len(found) - MOST, 0),
    }


def _things_of(
    organisation: Organisation, wanted: str, request: HttpRequest
) -> list[tuple[str, Thing]]:
    named = Q(reference__iexact=wanted) | Q(name__icontains=wanted)
    found: list[tuple[str, Thing]] = []
    vehicle = _by_vin(organisation, wanted, request)
    if vehicle is not None:
        found.append(("vehicle", vehicle))
    vehicles = Vehicle.objects.for_tenant(organisation).filter(named | Q(plate__iexact=wanted))
    found += [("vehicle", each) for each in vehicles.order_by("reference")[: MOST + 1]]
    meters = Meter.objects.for_tenant(organisation).filter(named)
    found += [("meter", each) for each in meters.order_by("reference")[: MOST + 1]]
    devices = Device.objects.for_tenant(organisation).filter(named)
    joined = devices.select_related("vehicle", "meter").order_by("reference")
    found += [("device", each) for each in joined[: MOST + 1]]
    return found


def _by_vin(organisation: Organisation, wanted: str, request: HttpRequest) -> Vehicle | None:
    assert isinstance(request.user, User)  # noqa: S101  (holds an access)
    actor = Actor.support(organisation, request.user, address=address_of(request))
    try:
        return services.find_by_vin(actor=actor, vin_number=wanted)
    except DomainError:
        return None  # what was typed is no VIN


def _explained(kind: str, thing: Thing, organisation: Organisation) -> Answer:
    evidence = evidence_about(thing)
    return Answer(
        kind=kind,
        thing=thing,
        organisation=organisation,
        url=reverse(f"admin:fleet_{kind}_change", args=[thing.pk]),
        silent=is_silent(evidence),
        findings=explain(evidence),
    )
