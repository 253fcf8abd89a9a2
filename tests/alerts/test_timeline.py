"""Alerts on the time line of a vehicle's page."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from alerts.models import Alert, Rule, RuleVersion, Severity
from alerts.timeline import events
from telemetry.timeline import Limit, Tone
from tests.people import client_of


def raise_alert(vehicle, started, **fields):
    rule = Rule.unscoped.create(tenant=vehicle.tenant, name=f"Rule {started}")
    version = RuleVersion.unscoped.create(
        tenant=vehicle.tenant, rule=rule, number=1, kind="threshold", definition={}, created_by="x"
    )
    return Alert.unscoped.create(
        **{
            "tenant": vehicle.tenant,
            "rule": rule,
            "rule_version": version,
            "kind": "v",
            "subject_id": vehicle.pk,
            "subject_reference": vehicle.reference,
            "subject_label": vehicle.name,
            "title": "State of charge below 15 %",
            "severity": Severity.CRITICAL,
            "started_at": started,
            "opened_at": started,
            **fields,
        }
    )


def test_it_tells_when_an_alert_began_and_when_it_was_over(vehicle):
    now = timezone.now()
    started = now - timedelta(minutes=30)
    raise_alert(vehicle, started, resolved_at=now - timedelta(minutes=5), state="resolved")
    raise_alert(vehicle, now - timedelta(days=3), resolved_at=now - timedelta(days=2),
                state="resolved")  # fmt: skip
    raise_alert(vehicle, now - timedelta(minutes=10), subject_id=vehicle.pk + 1)
    found = events(vehicle, now - timedelta(hours=1), now)
    assert [(event.time, event.tone) for event in found] == [
        (started, Tone.CRITICAL),
        (now - timedelta(minutes=5), Tone.PLAIN),
    ]
    assert found[0].tag == "Critical"


def test_it_tells_what_has_been_open_all_the_while(vehicle):
    now = timezone.now()
    raise_alert(vehicle, now - timedelta(days=3))
    start = now - timedelta(hours=1)
    [event] = events(vehicle, start, now)
    assert event.time == start and event.text.startswith("Open since before")


def test_it_brings_the_thresholds_of_the_rule_that_raised_it(vehicle):
    raised = raise_alert(vehicle, timezone.now() - timedelta(minutes=1))
    conditions = [
        {"metric": "soc_pct", "op": "<", "value": 15},
        {"metric": "attributes.cell_max_c", "op": ">", "value": 45.5, "clear": 40},
        {"metric": "charging", "op": "==", "value": True},
        {"metric": "driver", "op": "==", "value": "nobody"},
    ]
    RuleVersion.unscoped.filter(pk=raised.rule_version_id).update(
        definition={"params": {"conditions": conditions}}
    )
    now = timezone.now()
    [event] = events(vehicle, now - timedelta(hours=1), now)
    assert event.limits == (Limit("soc_pct", 15.0), Limit("attributes.cell_max_c", 45.5))


def test_the_vehicles_page_shows_them(vehicle, owner):
    raise_alert(vehicle, timezone.now() - timedelta(minutes=1))
    shown = client_of(owner).get(
        reverse("vehicle-recording", args=[vehicle.reference]) + "?range=1h"
    )
    assert "State of charge below 15 %" in shown.json()["events"]
