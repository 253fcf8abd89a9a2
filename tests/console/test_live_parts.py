"""What the live page asks for beside its socket: the past, since when, lately, named views."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from telemetry.models import SavedView, VehicleReadingRow
from tenants.models import AuditEntry, Role
from tests.console.conftest import Company


def reads(company: Company, at: datetime, reading_id: int = 1, **values: Any) -> None:
    VehicleReadingRow.objects.create(
        vehicle_id=company.vehicle.pk,
        time=at,
        reading_id=reading_id,
        tenant_id=company.tenant.pk,
        device_id=company.device.pk,
        received_at=at,
        protocol="telemetry.v1",
        **values,
    )


def past(company: Company, at: datetime | str) -> Any:
    said = at if isinstance(at, str) else at.isoformat()
    return company.browser(Role.VIEWER).get(reverse("live-past"), {"at": said})


@pytest.fixture
def now() -> datetime:
    return timezone.now().replace(microsecond=0)


@pytest.mark.parametrize(
    "at",
    ["", "yesterday", "2026-13-01T00:00Z", "\0", "9" * 500],
    ids=["nothing", "word", "month", "nul", "long"],
)
def test_a_moment_that_is_none_is_refused(company: Company, at: str) -> None:
    assert past(company, at).status_code == 400


def test_the_past_is_what_had_been_said_by_then(company: Company, now: datetime) -> None:
    then = now - timedelta(hours=3)
    reads(company, then - timedelta(minutes=2), lat=33.5, lon=-7.5, soc_pct=80.0)
    reads(company, then - timedelta(minutes=1), speed_kmh=42.0)
    reads(company, then + timedelta(seconds=1), lat=1.0, lon=1.0, speed_kmh=99.0)
    found = past(company, then).json()["vehicles"]
    assert found["id"] == ["V1"]
    assert (found["lat"], found["lon"]) == ([33.5], [-7.5])
    assert (found["speed_kmh"], found["soc_pct"]) == ([42.0], [80.0])
    assert found["time"] == [int((then - timedelta(minutes=1)).timestamp() * 1000)]


def test_who_had_long_been_silent_is_nowhere(company: Company, now: datetime) -> None:
    reads(company, now - timedelta(hours=30), lat=33.5, lon=-7.5)
    assert past(company, now).json()["vehicles"]["id"] == []


def test_the_past_of_others_is_not_told(company: Company, stranger: Company, now: datetime) -> None:
    reads(stranger, now - timedelta(minutes=5), lat=33.5, lon=-7.5)
    assert past(company, now).json()["vehicles"]["id"] == []


def test_the_past_costs_one_query_however_many_vehicles(
    company: Company, now: datetime, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for second in range(40):
        reads(company, now - timedelta(seconds=second + 1), lat=33.5, lon=-7.5)
    past(company, now)
    with django_assert_max_num_queries(4):
        assert past(company, now).json()["vehicles"]["id"] == ["V1"]


def since(company: Company, *asked: str) -> dict[str, Any]:
    answer = company.browser(Role.VIEWER).get(reverse("live-since"), {"of": list(asked)})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()["since"]
    return found


def test_a_status_holds_since_the_reading_after_the_one_that_contradicts_it(
    company: Company, now: datetime
) -> None:
    for minutes, speed in ((40, 50.0), (30, 0.0), (20, 0.0), (10, None)):
        reads(company, now - timedelta(minutes=minutes), speed_kmh=speed, ignition=True)
    began = int((now - timedelta(minutes=30)).timestamp() * 1e6)
    assert since(company, "idle:V1") == {"V1": [began, False]}


def test_what_held_all_along_is_told_as_at_least(company: Company, now: datetime) -> None:
    for hours in (14, 11, 1):
        reads(company, now - timedelta(hours=hours), speed_kmh=0.0, ignition=False)
    began = int((now - timedelta(hours=11)).timestamp() * 1e6)
    assert since(company, "parked:V1") == {"V1": [began, True]}


def test_since_says_nothing_of_what_is_not_there(company: Company, stranger: Company) -> None:
    asked = ["idle:V1", "", ":", "idle:", "idle:" + "x" * 5000, "idle:\0", "dancing:V1", "idle:V9"]
    reads(stranger, timezone.now(), speed_kmh=0.0, ignition=True)
    assert since(company, *asked) == {}


def test_lately_tells_the_way_with_speeds_and_the_day(company: Company, now: datetime) -> None:
    # Not earlier than today, whenever this runs.
    midnight = now.replace(hour=0, minute=0, second=0)
    begin = max(now - timedelta(minutes=20), midnight)
    for step in range(10):
        at = begin + (now - begin) * step / 10
        reads(company, at, lat=33.5 + step / 100, lon=-7.5, speed_kmh=60.0, soc_pct=80.0 - step)
    found = company.browser(Role.VIEWER).get(reverse("live-lately", args=["V1"])).json()
    assert [round(place[2], 2) for place in found["way"]][::9] == [33.5, 33.59]
    assert {place[3] for place in found["way"]} == {60.0}
    assert found["sparks"]["soc_pct"][1][-1] == 71.0
    assert found["today"]["distance_km"] == pytest.approx(10.0, abs=0.1)


def test_lately_of_a_vehicle_that_said_nothing(company: Company) -> None:
    found = company.browser(Role.VIEWER).get(reverse("live-lately", args=["V1"])).json()
    assert found["way"] == []
    assert found["sparks"] == {}


def wish(company: Company, role: str = Role.VIEWER, **body: Any) -> Any:
    return company.browser(role).post(
        reverse("live-views"), json.dumps(body), content_type="application/json"
    )


@pytest.mark.parametrize(
    "body",
    ["", "[]", "null", '{"name": 7}', '{"id": "x"}', '{"name": ""}', '{"name": "a\\u0000"}',
     '{"name": "%s"}' % ("n" * 81), '{"name": "n", "query": "find=%s"}' % ("x" * 900),
     '{"who": 1}', "\xff"],
)  # fmt: skip
def test_a_view_that_is_none_is_refused(company: Company, body: str) -> None:
    answer = company.browser().post(
        reverse("live-views"), body.encode("latin-1"), content_type="application/json"
    )
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert not SavedView.objects.for_tenant(company.tenant).exists()


def test_a_view_is_kept_replaced_and_deleted_by_its_owner(company: Company) -> None:
    kept = wish(company, name=" Night  shift ", query="status=offline&evil=1&sort=age").json()
    (view,) = kept["views"]
    assert (view["name"], view["query"], view["mine"]) == (
        "Night shift",
        "status=offline&sort=age",
        True,
    )
    (again,) = wish(company, name="Night shift", query="status=idle").json()["views"]
    assert (again["id"], again["query"]) == (view["id"], "status=idle")
    assert wish(company, id=view["id"], delete=True).json()["views"] == []


def test_a_view_is_others_to_see_only_where_it_is_shared_and_never_theirs_to_change(
    company: Company, stranger: Company
) -> None:
    (view,) = wish(company, Role.MANAGER, name="Mine", query="").json()["views"]
    seen = company.browser(Role.VIEWER).get(reverse("live-views")).json()["views"]
    assert seen == []
    wish(company, Role.MANAGER, id=view["id"], shared=True)
    (seen,) = company.browser(Role.VIEWER).get(reverse("live-views")).json()["views"]
    assert (seen["name"], seen["mine"]) == ("Mine", False)
    for somebody in (company, stranger):
        assert wish(somebody, Role.VIEWER, id=view["id"], delete=True).status_code == 404
        assert wish(somebody, Role.VIEWER, id=view["id"], shared=False).status_code == 404
    assert stranger.browser(Role.OWNER).get(reverse("live-views")).json()["views"] == []
    entry = AuditEntry.objects.for_tenant(company.tenant).get(action="view.shared")
    assert entry.changes == {"shared": [False, True]}
