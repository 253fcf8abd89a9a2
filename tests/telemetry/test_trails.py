"""Trails behind the vehicles on the live map, and the pages' doors."""

import time

import pytest
from django.core.cache import cache
from django.test import Client

from telemetry.storage.connection import connect
from telemetry.storage.store import Store
from telemetry.trails import STEP_SECONDS, recent_trails
from tests.telemetry.dashboards import Yard
from tests.telemetry.readings import SECOND, vehicle_reading


@pytest.fixture
def yard(committed, django_db_blocker):
    with connect("outrider tests") as connection:
        yield Yard(Store(connection))


def drive(yard, vehicle, *, ago=0, points=30, lat=33.0):
    now = int(time.time() - ago) * SECOND
    yard.store.store(
        [
            vehicle_reading(
                vehicle.pk, tenant_id=yard.organisation.pk, at=now - n * SECOND, lat=lat, lon=-6.0
            )
            for n in range(points)
        ]
    )


def test_it_thins_the_last_minutes_to_a_point_per_step(yard):
    vehicle = yard.add_vehicle("V1")
    drive(yard, vehicle, points=60)
    drive(yard, vehicle, ago=3600, lat=50.0)
    points = recent_trails(yard.organisation.pk)["V1"]
    assert 60 // STEP_SECONDS <= len(points) <= 60 // STEP_SECONDS + 1
    assert points == sorted(points)
    assert {(lon, lat) for _, lon, lat in points} == {(-6.0, 33.0)}


def test_it_gives_a_tenant_its_own_only(yard):
    drive(yard, yard.add_vehicle("V1"))
    other = Yard(yard.store)
    assert recent_trails(other.organisation.pk) == {}
    client = Client()
    client.force_login(other.user)
    assert client.get("/live/trails", secure=True).json() == {"trails": {}}
    client.force_login(yard.user)
    assert list(client.get("/live/trails", secure=True).json()["trails"]) == ["V1"]


def test_it_leaves_out_what_is_archived_and_what_has_no_position(yard):
    drive(yard, yard.add_vehicle("V1"), lat=None)
    gone = yard.add_vehicle("V2")
    drive(yard, gone)
    type(gone).unscoped.filter(pk=gone.pk).update(archived_at="2026-01-01T00:00:00Z")
    cache.clear()
    assert recent_trails(yard.organisation.pk) == {}


def test_it_asks_for_a_log_in_before_any_page(db):
    for path in ("/", "/live/trails"):
        answer = Client().get(path, secure=True)
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/accounts/login/")


def test_it_tells_a_person_without_an_organisation_so(yard):
    yard.user.memberships.all().delete()
    client = Client()
    client.force_login(yard.user)
    answer = client.get("/", secure=True)
    assert answer.status_code == 403
    assert b"You are in no organisation yet" in answer.content


def test_it_switches_only_to_an_organisation_of_ones_own(yard):
    other = Yard(yard.store)
    client = Client()
    client.force_login(yard.user)
    wanted = {"organisation": other.organisation.slug}
    assert client.post("/organisation", wanted, secure=True).status_code == 404
    type(other.user.memberships.get()).objects.create(
        tenant=other.organisation, user=yard.user, role="viewer"
    )
    assert client.post("/organisation", wanted, secure=True).status_code == 302
    page = client.get("/", secure=True)
    assert page.context["organisation"] == other.organisation


def test_it_lets_no_inline_script_run(yard):
    client = Client()
    client.force_login(yard.user)
    answer = client.get("/", secure=True)
    policy = answer["Content-Security-Policy"]
    scripts = next(part for part in policy.split(";") if part.strip().startswith("script-src"))
    assert "unsafe" not in scripts
    nonce = scripts.split("'nonce-")[1].split("'")[0]
    assert f'<script type="importmap" nonce="{nonce}">'.encode() in answer.content
