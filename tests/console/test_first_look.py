"""What the live page shows before its socket has said anything."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from fleet.models import Fleet, Vehicle
from telemetry.first_look import MOST
from telemetry.models import VehicleLatest
from tenants.models import Role
from tests.console.conftest import Company
from tests.people import an_organisation


def first(company: Company, query: str = "", role: Role = Role.VIEWER) -> list[Any]:
    page = company.browser(role).get(reverse("live") + query).content.decode()
    start = re.search(r'<script id="start"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert start
    told: list[Any] = json.loads(start[1])["first"]
    return told


def add(company: Company, name: str, fleet: Fleet | None = None, **latest: Any) -> Vehicle:
    vehicle = Vehicle.objects.create(
        tenant=company.tenant, fleet=fleet or company.fleet, reference=name, name=name
    )
    if latest:
        at = timezone.now() - timedelta(seconds=latest.pop("seconds_ago", 5))
        VehicleLatest.objects.create(
            vehicle_id=vehicle.pk, tenant_id=company.tenant.pk, device_id=company.device.pk,
            time=at, received_at=at, reading_id=1, protocol="telemetry.v1", **latest,
        )  # fmt: skip
    return vehicle


def listed(told: list[Any]) -> set[str]:
    return {entry["id"] for message in told for entry in message["vehicles"]}


def test_it_tells_what_the_socket_will(company: Company) -> None:
    add(company, "A1", soc_pct=81.5, lat=33.5, lon=-7.5)
    (message,) = first(company)
    entry = next(each for each in message["vehicles"] if each["id"] == "A1")
    assert message["fleet"] == {"id": company.fleet.reference, "name": company.fleet.name}
    assert entry["state"]["values"] == {"soc_pct": 81.5, "lat": 33.5, "lon": -7.5}
    assert (message["part"], message["parts"]) == (0, 1)


def test_of_many_it_tells_those_that_want_an_eye_then_those_that_move(
    company: Company, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(MOST + 20):
        add(company, f"A{n}", speed_kmh=0.0)
    for n in range(5):
        add(company, f"M{n}", speed_kmh=40.0)
    empty = add(company, "Z1", soc_pct=4.0)
    loads = add(company, "Z2", soc_pct=4.0, charging=True)
    silent = add(company, "Z3", soc_pct=4.0, seconds_ago=86400)
    found = listed(first(company))
    assert len(found) == MOST
    assert {empty.reference, *(f"M{n}" for n in range(5))} <= found
    assert not {loads.reference, silent.reference} & found


def test_it_costs_the_same_however_many_fleets_there_are(
    company: Company, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(12):
        fleet = Fleet.objects.create(tenant=company.tenant, reference=f"G{n}", name=f"G{n}")
        add(company, f"A{n}", fleet, soc_pct=50.0)
    browser = company.browser(Role.VIEWER)
    # Session and person, memberships thrice, open alerts, views; then who, what, state, fleets.
    with django_assert_num_queries(7 + 4):
        browser.get(reverse("live"))


@pytest.mark.parametrize("query", ["?fleet=F1", "?find=x", "?sort=name", "?at=2026-01-01T00:00Z"])
def test_a_view_of_its_own_choice_waits_for_the_socket(company: Company, query: str) -> None:
    assert first(company, query) == []
    assert first(company, "?map=1,2,3&selected=vehicle:V1&wall=1") != []


def test_it_tells_nothing_of_others_and_nothing_of_what_is_archived(company: Company) -> None:
    other = an_organisation("Elsewhere")
    Vehicle.objects.create(
        tenant=other, reference="X1", name="A",
        fleet=Fleet.objects.create(tenant=other, reference="X", name="X"),
    )  # fmt: skip
    gone = add(company, "A1", soc_pct=2.0)
    Vehicle.objects.for_tenant(company.tenant).filter(pk=gone.pk).update(archived_at=timezone.now())
    closed = Fleet.objects.create(
        tenant=company.tenant, reference="C", name="C", archived_at=timezone.now()
    )
    add(company, "A2", closed, soc_pct=2.0)
    assert not {"X1", "A1", "A2"} & listed(first(company))
