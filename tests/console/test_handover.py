"""What changed since a person left: told of this organisation only, bounded, handed on as text."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from alerts.models import Alert, Rule, RuleVersion
from fleet import services
from fleet.models import Vehicle
from telemetry.models import QuarantinedFrame, VehicleLatest
from tenants.activity import AWAY
from tenants.models import Role, User
from tests.alerts.conftest import make_rule
from tests.alerts.pages import SPEEDING
from tests.console.conftest import Company, hear, refuse
from tests.people import acting

HOUR = timedelta(hours=1)


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def page(company: Company, since: str = "8h", role: str = Role.VIEWER) -> str:
    answer = company.browser(role).get(reverse("handover"), {"since": since})
    assert answer.status_code == 200
    body: str = answer.content.decode()
    return body


def text(body: str) -> str:
    found = re.search(r'id="as-text"[^>]*>(.*?)</pre>', body, re.S)
    assert found
    return found.group(1)


def figures(body: str) -> dict[str, str]:
    return dict(re.findall(r'class="tile[^"]*"><dt>([^<]*)</dt><dd>([^<]*)</dd>', body))


def alert(company: Company, title: str, *, opened: datetime, **fields: Any) -> Alert:
    rule = Rule.objects.for_tenant(company.tenant).first() or make_rule(
        company.tenant, "Speed", SPEEDING
    )
    version = RuleVersion.objects.for_tenant(company.tenant).get(rule=rule)
    made = Alert(
        tenant=company.tenant, rule=rule, rule_version=version, kind="v",
        subject_id=uuid4().int % 10**9, subject_reference="V1",
        subject_label=company.vehicle.name, fleet=company.fleet, title=title, severity="high",
        started_at=opened, opened_at=opened,
    )  # fmt: skip
    for name, value in fields.items():
        setattr(made, name, value)
    made.save()
    Alert.objects.for_tenant(company.tenant).filter(pk=made.pk).update(created_at=opened)
    return made


def resolve(made: Alert, at: datetime, by: str = "") -> None:
    rows = Alert.objects.for_tenant(made.tenant_id).filter(pk=made.pk)
    rows.update(state="resolved", resolved_at=at, resolved_by=by)


@pytest.mark.parametrize(
    "since",
    ["", "left", "yesterday", "8d", "\0", "2026-13-40T99:99", "9" * 500, "-1h",
     "2999-01-01T00:00Z", "1971-01-01T00:00Z", "<script>"],
    ids=["empty", "left", "word", "8d", "nul", "month", "long", "negative", "future", "old", "tag"],
)  # fmt: skip
def test_what_makes_no_sense_asks_for_what_one_most_likely_wants(
    company: Company, since: str
) -> None:
    body = page(company, since)
    assert "<script>&" not in body
    assert figures(body)["Opened and not over"] == "0"


def test_names_are_text_wherever_they_stand(company: Company, now: datetime) -> None:
    alert(
        company, "<img src=x onerror=1>", opened=now - HOUR, subject_label="<b>&amp;</b>\nSpoof: 9"
    )
    body = page(company)
    assert "<img src=x" not in body and "<b>&amp;</b>" not in body
    assert "&lt;img src=x onerror=1&gt;" in text(body)
    assert "\nSpoof" not in text(body), "a name does not begin a line of its own"


def test_every_alert_stands_in_exactly_one_list(company: Company, now: datetime) -> None:
    alert(company, "New one", opened=now - HOUR)
    alert(company, "Old one", opened=now - 20 * HOUR, state="acknowledged", acknowledged_by="Ann")
    resolve(alert(company, "Old and over", opened=now - 20 * HOUR), now - HOUR, "Bob")
    resolve(alert(company, "Came and went", opened=now - 3 * HOUR), now - HOUR)
    resolve(alert(company, "Long over", opened=now - 30 * HOUR), now - 20 * HOUR)
    body = page(company)
    assert figures(body) == {
        "Opened and not over": "1", "Open from before": "1", "Over since then": "2",
        "Gone silent": "0", "Low charge now": "0",
    }  # fmt: skip
    for title in ("New one", "Old one", "Old and over", "Came and went"):
        assert body.count(f"</b> {title}</a>") == 1
    assert "Long over" not in body
    assert "acknowledged by Ann" in body and "resolved by Bob" in body and "over by itself" in body
    assert figures(page(company, "24h"))["Opened and not over"] == "2"


def test_an_alert_that_late_readings_opened_is_new(company: Company, now: datetime) -> None:
    late = alert(company, "Found late", opened=now - 20 * HOUR, late=True)
    Alert.objects.for_tenant(company.tenant).filter(pk=late.pk).update(created_at=now - HOUR)
    assert figures(page(company))["Opened and not over"] == "1"


def test_it_tells_who_fell_silent_meanwhile_and_is_silent_still(
    company: Company, now: datetime
) -> None:
    Vehicle.objects.for_tenant(company.tenant).update(silent_after_s=3600)
    hear(company, ago=5 * HOUR)
    body = page(company)
    assert figures(body)["Gone silent"] == "1"
    assert reverse("vehicle-dark", args=["V1"]) in body
    assert "Atlas van" in text(body)
    latest = VehicleLatest.objects.filter(vehicle_id=company.vehicle.pk)
    for heard in (now - 30 * HOUR, now - HOUR / 2):  # since long before; not at all
        latest.update(time=heard, received_at=heard)
        assert figures(page(company))["Gone silent"] == "0"


def test_it_tells_who_is_low_and_does_not_charge(company: Company) -> None:
    hear(company, soc_pct=9.0)
    assert figures(page(company))["Low charge now"] == "1"
    assert "9 %" in text(page(company))
    latest = VehicleLatest.objects.filter(vehicle_id=company.vehicle.pk)
    latest.update(charging=True)
    assert figures(page(company))["Low charge now"] == "0"
    latest.update(charging=False, soc_pct=15.0)
    assert figures(page(company))["Low charge now"] == "0"


def test_it_tells_of_refusals_that_have_grown(company: Company, now: datetime) -> None:
    for n in range(3):
        refuse(company, log_id=f"{n}-1")
    refuse(company, log_id="9-1", code="bad_type")
    frames = QuarantinedFrame.objects.filter(tenant_id=company.tenant.pk)
    frames.filter(log_id__in=["0-1", "9-1"]).update(received_at=now - 10 * HOUR)
    told = text(page(company))
    assert "2, before that 1" in told
    assert told.count("before that") == 1, "of the other kind there were more before"


def test_it_counts_refusals_of_every_kind_and_tells_of_the_first(company: Company) -> None:
    for n in range(13):
        for again in range(13 - n):
            refuse(company, log_id=f"{n}-{again}", code=f"code_{n:02}")
    told = text(page(company))
    assert "More refused than before: 13" in told and "and 3 more" in told
    assert told.count("before that 0") == 10 and "13, before that 0" in told
    assert "\n- HTTP" not in told and " 3, before that 0" not in told


def test_it_tells_nothing_of_another_organisation(
    company: Company, stranger: Company, now: datetime
) -> None:
    alert(stranger, "Theirs", opened=now - HOUR)
    hear(stranger, soc_pct=3.0)
    refuse(stranger)
    body = page(company)
    assert "All quiet" in body and "Theirs" not in body and "Zephyr" not in body
    assert "Nothing opened, nothing fell silent" in text(body)


def test_it_costs_the_same_however_much_there_was(
    company: Company, now: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    actor = acting(company.tenant)
    for n in range(70):
        alert(company, f"Alert {n}", opened=now - HOUR)
        vehicle = services.create_vehicle(
            actor=actor, reference=f"W{n}", name=f"Van {n}", fleet=company.fleet
        )
        VehicleLatest.objects.create(
            vehicle_id=vehicle.pk, tenant_id=company.tenant.pk, time=now, received_at=now,
            reading_id=1, protocol="test", soc_pct=4.0,
        )  # fmt: skip
        refuse(company, log_id=f"{n}-1")
    browser = company.browser(Role.VIEWER)
    # Session and person, memberships twice, the count of open alerts; then three lists of
    # alerts, silent, low, refused, and the names of the devices.
    with django_assert_num_queries(5 + 3 + 2 + 2):
        body = browser.get(reverse("handover"), {"since": "8h"}).content.decode()
    assert figures(body)["Opened and not over"] == "70"
    assert body.count("and 20 more") >= 4, "alerts and vehicles, on the page and in the text"


def test_who_comes_back_is_told_since_they_left(company: Company, now: datetime) -> None:
    person = company.people[Role.VIEWER]
    browser = company.browser(Role.VIEWER)
    assert "You have not been away yet" in page(company, "left")

    def opens_a_page(**headers: str) -> None:
        browser.get(reverse("vehicles"), headers={"sec-fetch-mode": "navigate"} | headers)

    before = now - 9 * HOUR
    User.objects.filter(pk=person.pk).update(seen_at=before)
    alert(company, "While away", opened=now - HOUR)
    assert "You left" in page(company, "left"), "also on the very page they come back with"
    opens_a_page()
    person.refresh_from_db()
    assert person.left_at == before
    assert person.seen_at is not None and person.seen_at > now - HOUR
    User.objects.filter(pk=person.pk).update(seen_at=timezone.now() - AWAY / 2)
    opens_a_page()
    person.refresh_from_db()
    assert person.left_at == before, "a short break is none"
    assert figures(page(company, "left"))["Opened and not over"] == "1"


def test_an_unattended_page_is_nobody(company: Company, now: datetime) -> None:
    person = company.people[Role.VIEWER]
    User.objects.filter(pk=person.pk).update(seen_at=now - 9 * HOUR)
    browser = company.browser(Role.VIEWER)
    browser.get(reverse("alert-counts"), headers={"sec-fetch-mode": "cors"})
    person.refresh_from_db()
    assert person.left_at is None and person.seen_at == now - 9 * HOUR
