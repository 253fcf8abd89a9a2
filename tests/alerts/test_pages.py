"""The inbox, one alert, the rules and their editor."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from alerts import chart, evaluation
from alerts.dry_run import run_dry_run
from alerts.models import Alert, DryRun, Rule
from alerts.rules import create_rule
from telemetry.models import VehicleReadingRow
from tenants.models import Membership, Role, User
from tests.alerts.conftest import reading_of, store

pytestmark = pytest.mark.django_db

SPEEDING = {
    "kind": "threshold",
    "params": {"conditions": [{"metric": "speed_kmh", "op": ">", "value": 120, "clear": 110}]},
    "severity": "high",
}


@pytest.fixture
def client(owner):
    client = Client()
    client.force_login(owner)
    return client


@pytest.fixture
def alert(actor, vehicle):
    create_rule(actor=actor, name="Speeding", definition=SPEEDING)
    store(reading_of(vehicle, ago=5, speed_kmh=140.0))
    evaluation.evaluate(for_seconds=0.2)
    return Alert.unscoped.get()


def get(client, path, status=200):
    response = client.get(path, secure=True)
    assert response.status_code == status
    return response.content.decode()


def post(client, path, **fields):
    return client.post(path, fields, secure=True, follow=True)


def test_it_lists_what_needs_somebody_and_counts_it_in_the_navigation(client, alert):
    page = get(client, "/alerts")
    assert "Speeding: Speed &gt; 120 km/h" in page
    assert 'id="alert-count">1</b><span class="visually-hidden">1 open</span>' in page
    assert 'id="alert-count">1</b>' in get(client, "/vehicles"), "on every page"
    assert "Speeding" not in get(client, "/alerts?severity=low&part=1")
    assert "<html" not in get(client, "/alerts?part=1")
    assert "V1" in get(client, "/alerts?group=vehicle&part=1")


def test_it_acknowledges_what_was_ticked(client, alert):
    post(client, "/alerts/act", alert=str(alert.public_id), action="acknowledge")
    alert.refresh_from_db()
    assert alert.state == "acknowledged" and alert.acknowledged_by == "owner@acme.example"


@pytest.mark.parametrize("garbage", ["", "x", "00000000-0000-4000-8000-000000000000"])
def test_it_is_not_upset_by_what_is_no_alert(client, alert, garbage):
    response = post(client, "/alerts/act", alert=garbage, action="resolve", back="1")
    assert response.status_code in (200, 404)
    alert.refresh_from_db()
    assert alert.state == "open"


def test_it_lets_a_viewer_look_and_not_act(tenant, alert):
    viewer = User.objects.create_user("viewer@acme.example")
    Membership.objects.create(tenant=tenant, user=viewer, role=Role.VIEWER)
    client = Client()
    client.force_login(viewer)
    assert 'value="acknowledge"' not in get(client, "/alerts")
    post(client, "/alerts/act", alert=str(alert.public_id), action="acknowledge")
    alert.refresh_from_db()
    assert alert.state == "open"
    post(client, f"/alerts/rules/{alert.rule.public_id}/switch")
    assert Rule.unscoped.get().enabled


def test_it_explains_one_alert_with_a_chart_of_what_the_rule_saw(client, alert, vehicle):
    VehicleReadingRow.objects.bulk_create(
        VehicleReadingRow(
            vehicle_id=vehicle.pk,
            time=alert.opened_at + timedelta(seconds=10 * n),
            received_at=alert.opened_at,
            reading_id=n,
            tenant_id=vehicle.tenant_id,
            protocol="telemetry.v1",
            speed_kmh=100.0 + n,
        )
        for n in range(-5, 6)
    )
    page = get(client, f"/alerts/{alert.public_id}")
    assert '<svg class="chart"' in page and 'class="chart__value"' in page
    assert 'class="chart__clear"' in page
    assert "version 1" in page and "opened" in page


def test_it_breaks_the_line_where_there_were_no_samples():
    now = timezone.now()
    at = [now + timedelta(seconds=s) for s in (0, 10, 20, 900, 910)]
    drawn = chart.draw([(t, 1.0) for t in at], thresholds=[], opened_at=now)
    assert drawn is not None and len(drawn.paths) == 2
    assert chart.draw([], thresholds=[], opened_at=now) is None


def test_it_saves_a_rule_from_the_editor(client, fleet):
    fields = {
        "name": "Fast",
        "kind": "threshold",
        "metric": "speed_kmh",
        "op": ">",
        "value": "90",
        "duration_s": "10",
        "clear_duration_s": "0",
        "cooldown_s": "0",
        "severity": "low",
        "fleet": "north",
    }
    post(client, "/alerts/rules/new", **fields)
    spec = Rule.unscoped.get().current.spec
    assert spec.scope.fleets == (fleet.pk,) and spec.duration_s == 10
    page = get(client, "/alerts/rules")
    assert "Speed &gt; 90 km/h" in page
    rule = Rule.unscoped.get()
    post(client, f"/alerts/rules/{rule.public_id}/switch")
    rule.refresh_from_db()
    assert rule.enabled is False


def test_it_tries_a_rule_before_saving_it(client, vehicle):
    fields = {
        "name": "Silent",
        "kind": "silence",
        "after_s": "60",
        "duration_s": "0",
        "clear_duration_s": "0",
        "cooldown_s": "0",
        "severity": "low",
        "try": "1",
    }
    page = post(client, "/alerts/rules/new", **fields).content.decode()
    run = DryRun.unscoped.get()
    assert f"/alerts/dry-runs/{run.public_id}" in page and not Rule.unscoped.exists()
    run_dry_run(run.pk)
    assert "would have alerted 0 times" in get(client, f"/alerts/dry-runs/{run.public_id}")


def test_it_says_what_a_rule_lacks(client, fleet):
    response = post(client, "/alerts/rules/new", name="x", kind="threshold", severity="low")
    assert "This kind of rule needs it." in response.content.decode()
    assert not Rule.unscoped.exists()
