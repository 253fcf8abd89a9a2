"""The list of rules, and their editor with its preview and its dry run."""

import json
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from alerts.dry_run import run_dry_run
from alerts.models import DryRun, Rule
from alerts.rules import create_rule
from telemetry.models import VehicleReadingRow
from tenants.models import Organisation
from tests.alerts.pages import SPEEDING, get, history, logged_in, post

pytestmark = pytest.mark.django_db

FORM = {
    "name": "Fast",
    "subject": "vehicle",
    "kind": "threshold",
    "severity": "low",
    "match": "all",
    "condition-TOTAL_FORMS": "2",
    "condition-INITIAL_FORMS": "0",
    "condition-0-metric": "speed_kmh",
    "condition-0-op": ">",
    "condition-0-value": "90",
    "condition-0-clear": "85",
    "period-TOTAL_FORMS": "0",
    "period-INITIAL_FORMS": "0",
    "step-TOTAL_FORMS": "0",
    "step-INITIAL_FORMS": "0",
    "duration": "10 s",
    "clear_duration": "1 min",
    "cooldown": "",
}


@pytest.fixture
def client(owner):
    return logged_in(owner)


def test_it_saves_a_rule_and_then_another_version_of_it(client, fleet):
    post(client, "/alerts/rules/new", **FORM, fleets="north")
    rule = Rule.unscoped.get()
    spec = rule.current.spec
    assert (
        spec.scope.fleets == (fleet.pk,) and spec.duration_s == 10 and spec.clear_duration_s == 60
    )
    page = get(client, f"/alerts/rules/{rule.public_id}")
    assert 'value="10 s"' in page and 'value="1 min"' in page and 'value="90"' in page
    post(client, f"/alerts/rules/{rule.public_id}", **FORM | {"condition-0-value": "95"})
    rule.refresh_from_db()
    assert rule.current.number == 2
    assert rule.current.spec.params["conditions"][0]["value"] == 95
    assert "Version 1" in get(client, f"/alerts/rules/{rule.public_id}")


@pytest.mark.parametrize(
    "definition",
    [
        SPEEDING | {"cooldown_s": 600, "digest": True, "severity": "low"},
        {"kind": "silence", "params": {"after_s": 600}},
        {"kind": "silence", "params": {"after_s": 90}, "subject": "m"},
        {"kind": "rate_of_change", "params": {"metric": "soc_pct", "op": "<", "per_minute": -1.5,
                                              "window_s": 60, "clear": -1.0}},
        {"kind": "device_alarm", "params": {"alarms": ["sos", "tow"]}, "clear_duration_s": 60},
        {"kind": "threshold", "params": {"match": "any", "conditions": [
            {"metric": "charging", "op": "==", "value": True},
            {"metric": "attributes.door", "op": "!=", "value": 0},
            {"metric": "driver", "op": "==", "value": "Nadia"}]}},
        {"kind": "threshold", "subject": "m", "max_gap_s": 30, "lateness_s": 60, "params": {
            "conditions": [{"metric": "power_kw", "op": "<=", "value": 1}]}},
        {"kind": "silence", "params": {"after_s": 600}, "cooldown_s": 3600},
        {"kind": "threshold", "params": {"conditions": [
            {"metric": "rate_of_change", "of": "battery_temp_c", "op": ">", "value": 2.5,
             "window_s": 600, "clear": 1},
            {"metric": "rate_of_change", "of": "attributes.oil", "op": "<", "value": -1},
            {"metric": "age_s", "of": "lat", "op": ">", "value": 600, "clear": 90},
            {"metric": "age_s", "of": "driver", "op": ">=", "value": 86400}]}},
        {"kind": "threshold", "subject": "m", "params": {"match": "any", "conditions": [
            {"metric": "age_s", "of": "power_kw", "op": ">", "value": 60},
            {"metric": "ingest_lag_s", "op": ">", "value": 20}]}},
        SPEEDING | {"schedule": [{"days": [0, 1, 4], "start": 480, "end": 1080},
                                 {"days": [6], "start": 0, "end": 1440}],
                    "scope": {"tags": ["cold"]}},
    ],
)  # fmt: skip
def test_what_the_editor_shows_it_saves_again_unchanged(client, actor, definition):
    rule = create_rule(actor=actor, name="Rule", definition=definition)
    before = rule.current.definition
    page = client.get(f"/alerts/rules/{rule.public_id}", secure=True)
    forms = page.context["forms"]
    fields = submitted(forms)
    response = client.post(f"/alerts/rules/{rule.public_id}", urlencode(fields, doseq=True),
                           content_type="application/x-www-form-urlencoded", secure=True)  # fmt: skip
    assert response.status_code == 302, response.context["form"].errors
    rule.refresh_from_db()
    after = rule.current.definition
    floats = json.loads(json.dumps(after), parse_int=float)
    assert floats == json.loads(json.dumps(before), parse_int=float)


def submitted(forms):
    """What a browser would send of the page's forms."""
    fields = {}
    for each in forms.sets:
        fields[f"{each.prefix}-TOTAL_FORMS"] = len(each.forms)
        fields[f"{each.prefix}-INITIAL_FORMS"] = 0
    for form in [forms.rule, *(form for each in forms.sets for form in each)]:
        for bound in form:
            value = bound.value()
            value = bound.field.prepare_value(value)
            if value not in (None, "", False, []):
                fields[bound.html_name] = "on" if value is True else value
    return fields


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"name": ""}, "name", "required"),
        ({"condition-0-value": ""}, "condition-0-value", "Say the threshold"),
        ({"condition-0-value": "fast"}, "condition-0-value", "Write a number"),
        ({"condition-0-value": "nan"}, "condition-0-value", "Write a number"),
        ({"condition-0-clear": "95"}, "condition-0-clear", "beyond"),
        ({"condition-0-metric": "charging"}, "condition-0-value", "yes or no"),
        ({"condition-0-metric": ""}, "kind", "at least one condition"),
        ({"condition-0-metric": "lat"}, "condition-0-aspect", "only its age"),
        ({"condition-0-aspect": "rate_of_change", "condition-0-metric": "driver"},
         "condition-0-aspect", "Only a number"),
        ({"condition-0-aspect": "age_s", "condition-0-metric": "ingest_lag_s"},
         "condition-0-aspect", "no age"),
        ({"condition-0-aspect": "age_s", "condition-0-value": "soon"},
         "condition-0-value", "Write a time"),
        ({"condition-0-aspect": "age_s", "condition-0-value": "10 min",
          "condition-0-clear": "1 h"}, "condition-0-clear", "beyond"),
        ({"condition-0-aspect": "age_s", "condition-0-op": "=="}, "condition-0-op", "above"),
        ({"condition-0-aspect": "rate_of_change", "condition-0-window": "2 s"},
         "condition-0-window", "From 5 s"),
        ({"condition-0-aspect": "speed"}, "condition-0-aspect", "valid choice"),
        ({"condition-0-clear": "a lot"}, "condition-0-clear", "Write a number"),
        ({"duration": "soon"}, "duration", "Write a time"),
        ({"kind": "silence", "after": "2 s"}, "after", "From 10 s"),
        ({"kind": "silence"}, "after", "needs it"),
        ({"kind": "geofence", "event": "enter"}, "geofences", "needs it"),
        ({"kind": "explosion"}, "kind", "valid choice"),
        ({"subjects": "nobody"}, "subjects", "There is no"),
        ({"digest": "on", "severity": "high"}, "severity", "low severity"),
        ({"period-TOTAL_FORMS": "1", "period-0-days": "0", "period-0-start": "18:00",
          "period-0-end": "08:00"}, "period-0-end", "end after it starts"),
        ({"period-TOTAL_FORMS": "1", "period-0-start": "25:00"}, "period-0-start", "time of day"),
    ],
)  # fmt: skip
def test_it_says_beside_the_field_what_is_wrong(client, vehicle, changes, field, says):
    preview = client.post("/alerts/rules/preview", FORM | changes, secure=True)
    response = client.post("/alerts/rules/new", FORM | changes, secure=True)
    assert response.status_code == 422
    forms = response.context["forms"]
    errors = {
        form.add_prefix(name): str(messages)
        for form in [forms.rule, *(form for each in forms.sets for form in each)]
        for name, messages in form.errors.items()
    }
    assert says in errors[field]
    assert not Rule.unscoped.exists()
    if field not in ("name", "subjects"):
        assert preview.status_code == 200 and says in json.loads(preview.content)["errors"][field]


def test_its_preview_is_what_the_engine_would_have_found(client, vehicle):
    now = timezone.now()
    history(
        vehicle,
        until=now - timedelta(hours=1),
        speeds=[80, 95, 96, 97, 84, 83, 82, 81, 80, 80, 80, 80],
    )
    response = client.post("/alerts/rules/preview", FORM | {"watched": "V1"}, secure=True)
    found = json.loads(response.content)
    assert found["count"] == 1 and found["subject"] == "V1"
    (series,) = found["series"]
    assert max(series["v"]) == 97 and len(series["v"]) == 12
    (episode,) = found["episodes"]
    assert episode["opened"] - episode["started"] == 10_000 and episode["saw"] == ["Speed 96 km/h"]
    quiet = FORM | {"condition-0-value": "120", "condition-0-clear": ""}
    assert (
        json.loads(client.post("/alerts/rules/preview", quiet, secure=True).content)["count"] == 0
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "silence", "after": "5 min"},
        {"kind": "rate_of_change", "rate_metric": "speed_kmh", "rate_op": ">", "per_minute": "5"},
        {"kind": "device_alarm", "alarms": "sos"},
        {"condition-0-metric": "ingest_lag_s"},
        {"condition-0-metric": "charging_without_energy", "condition-0-value": "yes",
         "condition-0-op": "==", "condition-0-clear": ""},
        {"condition-0-metric": "attribute", "condition-0-attribute": "it's \"odd\" %s",
         "condition-0-clear": ""},
    ],
)  # fmt: skip
def test_it_previews_every_kind(client, vehicle, changes):
    history(vehicle, until=timezone.now() - timedelta(hours=1), speeds=[80, 95, 96, 97, 84])
    response = client.post("/alerts/rules/preview", FORM | changes, secure=True)
    assert response.status_code == 200, response.content
    assert len(json.loads(response.content)["series"]) >= 1


def test_it_previews_a_rate_of_change_and_an_age(client, vehicle):
    speeds = [50.0] * 30 + [50.0 + 5 * n for n in range(12)] + [105.0] * 10
    history(vehicle, until=timezone.now() - timedelta(hours=1), speeds=speeds)
    rate = {"condition-0-aspect": "rate_of_change", "condition-0-window": "1 min",
            "condition-0-value": "20", "condition-0-clear": "10"}  # fmt: skip
    found = json.loads(client.post("/alerts/rules/preview", FORM | rate, secure=True).content)
    assert found["says"] == "Speed changes > 20 km/h/min over 1 min" and found["count"] == 1
    (series,) = found["series"]
    assert series["unit"] == "km/h/min" and max(series["v"]) == pytest.approx(30, abs=0.1)
    assert series["thresholds"] == [{"is": "opens", "value": 20}, {"is": "clears", "value": 10}]
    assert found["episodes"][0]["saw"] == ["Speed, change over 1 min 30 km/h/min"]
    # Now nothing says where it is, while it still says how fast it is.
    rows = VehicleReadingRow.objects.filter(vehicle_id=vehicle.pk).order_by("time")
    rows.filter(time__gt=rows[20].time, time__lt=rows[45].time).update(lat=None, lon=None)
    age = {"condition-0-metric": "lat", "condition-0-aspect": "age_s", "condition-0-value": "90 s",
           "condition-0-clear": "1 min", "duration": ""}  # fmt: skip
    found = json.loads(client.post("/alerts/rules/preview", FORM | age, secure=True).content)
    assert found["says"] == "Position > 90 s old" and found["count"] == 1
    (series,) = found["series"]
    assert max(series["v"]) == 240 and min(series["v"]) == 0
    assert found["episodes"][0]["saw"] == ["Position, age 2 min"]


def test_it_says_why_a_rule_about_the_platform_has_no_preview(client, tenant):
    Organisation.objects.filter(pk=tenant.pk).update(slug="platform")
    lag = FORM | {"kind": "ingest_lag", "threshold_s": "30 s"}
    found = json.loads(client.post("/alerts/rules/preview", lag, secure=True).content)
    assert "no history to try this rule on" in found["said"]
    assert (
        "no history to try this rule on"
        in post(client, "/alerts/rules/try", **lag).content.decode()
    )


def test_it_thins_a_week_and_keeps_its_extremes(client, vehicle):
    speeds = [50.0] * 4000
    speeds[1234] = 199.0
    history(vehicle, until=timezone.now() - timedelta(minutes=5), speeds=speeds)
    found = json.loads(client.post("/alerts/rules/preview", FORM, secure=True).content)
    (series,) = found["series"]
    assert len(series["v"]) < 1500 and max(v for v in series["v"] if v) == 199.0


def test_it_tries_a_rule_on_everything(client, vehicle):
    history(vehicle, until=timezone.now() - timedelta(hours=1), speeds=[80, 95, 96, 97])
    page = post(client, "/alerts/rules/try", **FORM).content.decode()
    run = DryRun.unscoped.get()
    assert f"/alerts/dry-runs/{run.public_id}" in page and not Rule.unscoped.exists()
    run_dry_run(run.pk)
    found = get(client, f"/alerts/dry-runs/{run.public_id}")
    assert "would have alerted 1 time" in found and "Speed <b>96 km/h</b>" in found
    assert (
        "Mend what is marked"
        in post(client, "/alerts/rules/try", **FORM | {"duration": "soon"}).content.decode()
    )


def test_it_switches_removes_and_restores(client, actor):
    rule = create_rule(actor=actor, name="Speeding", definition=SPEEDING)
    path = f"/alerts/rules/{rule.public_id}"
    post(client, f"{path}/switch")
    rule.refresh_from_db()
    assert rule.enabled is False
    page = post(client, f"{path}/archive").content.decode()
    assert f"{path}/restore" in page and "No rules" in page
    post(client, f"{path}/restore")
    rule.refresh_from_db()
    assert rule.archived_at is None
    post(client, f"{path}/archive")
    create_rule(actor=actor, name="Speeding", definition=SPEEDING)
    assert "Another rule has this name" in post(client, f"{path}/restore").content.decode()


def test_it_lists_rules_in_few_queries(client, actor, django_assert_max_num_queries):
    for n in range(12):
        create_rule(actor=actor, name=f"Rule {n}", definition=SPEEDING)
    Rule.unscoped.filter(name="Rule 3").update(enabled=False, disabled_reason="It broke.")
    with django_assert_max_num_queries(11):
        assert "It broke." in get(client, "/alerts/rules")
