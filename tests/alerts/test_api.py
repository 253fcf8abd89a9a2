"""The API of rules, alerts, geofences and channels."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from alerts import evaluation
from alerts.api.params import params_schema
from alerts.channels import create_channel
from alerts.dry_run import run_dry_run
from alerts.kinds import KINDS
from alerts.models import Alert, AlertTransition, Channel, Delivery, DryRun, Rule
from alerts.rules import create_rule
from fleet.models import Fleet, Meter
from telemetry.models import VehicleReadingRow
from tenants.models import Membership, Organisation, Role, Scope, User
from tenants.services import issue_token
from tests.alerts.conftest import make_vehicle, reading_of, store

pytestmark = pytest.mark.django_db

SPEEDING = {
    "kind": "threshold",
    "params": {"conditions": [{"metric": "speed_kmh", "op": ">", "value": 120}]},
    "severity": "high",
}


class Caller:
    """JSON over Django's client, with a token or with the session of a person."""

    def __init__(self, token="", *, user=None):
        self.client = Client(headers={"authorization": f"Bearer {token}"} if token else {})
        if user is not None:
            self.client.force_login(user, "django.contrib.auth.backends.ModelBackend")

    def __call__(self, method, path, body=None, status=200):
        kwargs = {} if body is None else {"data": body, "content_type": "application/json"}
        response = getattr(self.client, method)(f"/v1{path}", secure=True, **kwargs)
        assert response.status_code == status, response.content
        return response.json() if response.content else None


@pytest.fixture
def call(actor):
    _, token = issue_token(actor=actor, name="test", scopes=list(Scope.values), expires_at=None)
    return Caller(token)


@pytest.fixture
def alert(actor, vehicle):
    create_rule(actor=actor, name="Speeding", definition=SPEEDING)
    store(reading_of(vehicle, ago=5, speed_kmh=140.0))
    evaluation.evaluate(for_seconds=0.2)
    return Alert.unscoped.get()


def test_it_creates_a_rule_and_speaks_only_the_customers_ids(call, fleet, vehicle):
    definition = SPEEDING | {"scope": {"fleets": ["north"], "vehicles": ["V1"]}}
    made = call("post", "/alert-rules", {"name": "Fast", "definition": definition}, 201)
    assert made["version"] == 1 and made["says"] == "Speed > 120 km/h"
    assert made["definition"]["scope"] == {"fleets": ["north"], "vehicles": ["V1"], "tags": []}
    assert call("get", f"/alert-rules/{made['id']}") == made
    assert call("get", "/alert-rules")["results"] == [made]
    assert Rule.unscoped.get().current.definition["scope"]["fleets"] == [fleet.pk]


def test_it_takes_conditions_on_derived_values(call):
    conditions = [
        {
            "metric": "rate_of_change",
            "of": "battery_temp_c",
            "window_s": 600,
            "op": ">",
            "value": 5,
        },
        {"metric": "age_s", "of": "lat", "op": ">", "value": 120},
    ]
    definition = {"kind": "threshold", "params": {"conditions": conditions, "match": "any"}}
    made = call("post", "/alert-rules", {"name": "Odd", "definition": definition}, 201)
    assert made["definition"]["params"]["conditions"] == conditions
    assert made["says"] == (
        "Battery temperature changes > 5 °C/min over 10 min or Position > 2 min old"
    )


def test_it_says_geofences_by_name(call):
    shape = {"type": "circle", "centre": [13.4, 52.5], "radius_m": 100}
    call("post", "/geofences", {"id": "depot", "name": "Depot North", "shape": shape}, 201)
    definition = {"kind": "geofence", "params": {"geofences": ["depot"], "event": "enter"}}
    made = call("post", "/alert-rules", {"name": "In", "definition": definition}, 201)
    assert made["says"] == "Enters Depot North"


def test_it_describes_the_params_of_every_kind(call):
    kinds = {form["title"]: form for form in params_schema()["anyOf"]}
    assert kinds.keys() == KINDS.keys()
    of = kinds["threshold"]["properties"]["conditions"]["items"]["properties"]
    assert {"metric", "of", "window_s"} <= of.keys()
    assert kinds["geofence"]["properties"]["geofences"]["items"] == {"type": "string"}


def test_it_makes_a_version_of_every_change_and_keeps_the_rest(call):
    made = call("post", "/alert-rules", {"name": "Fast", "definition": SPEEDING}, 201)
    path = f"/alert-rules/{made['id']}"
    changed = call("patch", path, {"definition": {"duration_s": 30}})
    assert changed["version"] == 2
    assert changed["definition"]["severity"] == "high"
    assert changed["definition"]["duration_s"] == 30
    assert call("patch", path, {"definition": {"duration_s": 30}})["version"] == 2
    assert [v["number"] for v in call("get", f"{path}/versions")] == [2, 1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": {"fleets": ["unknown"]}},
        {"scope": {"planets": ["earth"]}},
        {"params": {"conditions": []}},
        {"params": {"conditions": [{"metric": "nonsense", "op": ">", "value": 1}]}},
        {"kind": "ingest_lag", "params": {}},
        {"steps": [{"channels": ["00000000-0000-4000-8000-000000000000"]}]},
        {"kind": "geofence", "params": {"geofences": ["nowhere"], "event": "enter"}},
        {"kind": "geofence", "params": {"geofences": 7, "event": "enter"}},
        {"params": {"conditions": [{"metric": "age_s", "op": ">", "value": 1}]}},
        {"params": {"conditions": [{"metric": "age_s", "of": 7, "op": ">", "value": 1}]}},
        {
            "params": {
                "conditions": [{"metric": "rate_of_change", "of": "driver", "op": ">", "value": 1}]
            }
        },
        {"kind": "nonsense"},
        {"duration_s": -1},
        {"surprise": 1},
        {"params": "text"},
        {"scope": "all"},
        {"steps": {"a": 1}},
        {"schedule": [{"days": [8]}]},
        {"kind": "device_alarm", "params": {"alarms": ["a\x00b"]}},
        {"scope": {"tags": ["a\x00b"]}},
        {"params": {"conditions": [{"metric": "driver", "op": "==", "value": "\x00"}]}},
    ],
)
def test_it_refuses_a_rule_with_its_reason(call, fleet, wrong):
    body = {"name": "Fast", "definition": SPEEDING | wrong}
    problem = call("post", "/alert-rules", body, 422)
    assert problem["code"] and problem["detail"]
    assert not Rule.unscoped.exists()


def test_it_does_not_accept_another_organisations_fleet(call, tenant):
    other = Organisation.objects.create(name="Other", slug="other")
    Fleet.objects.create(tenant=other, reference="theirs", name="Theirs")
    definition = SPEEDING | {"scope": {"fleets": ["theirs"]}}
    call("post", "/alert-rules", {"name": "Fast", "definition": definition}, 422)


def test_it_lists_and_filters_alerts(call, alert, vehicle):
    [shown] = call("get", "/alerts")["results"]
    assert shown["id"] == str(alert.public_id)
    assert (shown["subject"], shown["subject_kind"], shown["fleet"]) == ("V1", "vehicle", "north")
    assert shown["values"] == {"speed_kmh": 140.0}
    for query, count in [
        ("?severity=high", 1),
        ("?severity=low", 0),
        ("?vehicle=V1", 1),
        ("?vehicle=V2", 0),
        ("?fleet=north", 1),
        ("?state=resolved", 0),
        ("?late=true", 0),
        ("?since=2000-01-01T00:00:00Z", 1),
    ]:
        assert len(call("get", f"/alerts{query}")["results"]) == count, query


def test_it_lists_many_alerts_in_as_many_queries_as_one(
    call, alert, fleet, django_assert_max_num_queries
):
    for n in range(20):
        store(reading_of(make_vehicle(fleet, f"W{n}"), speed_kmh=150.0))
    evaluation.evaluate(for_seconds=0.3)
    with django_assert_max_num_queries(6):
        assert len(call("get", "/alerts")["results"]) == 21


def test_it_tells_everything_about_one_alert(call, alert):
    shown = call("get", f"/alerts/{alert.public_id}")
    assert [step["change"] for step in shown["transitions"]] == ["opened"]
    assert shown["rule_version"] == 1 and shown["deliveries"] == []


def test_it_acknowledges_notes_assigns_snoozes_and_resolves(call, alert, owner):
    path = f"/alerts/{alert.public_id}"
    assert call("post", f"{path}/acknowledge", {"note": "on it"})["state"] == "acknowledged"
    call("post", f"{path}/notes", {"note": "driver called"})
    assert call("post", f"{path}/assign", {"assignee": owner.email})["assignee"] == owner.email
    until = (timezone.now() + timedelta(hours=1)).isoformat()
    assert call("post", f"{path}/snooze", {"until": until})["snoozed_until"]
    assert call("get", "/alerts/counts")["acknowledged"] == 0
    resolved = call("post", f"{path}/resolve", {"note": "done"})
    assert resolved["state"] == "resolved" and resolved["resolved_by"].startswith("token ")
    assert [step["change"] for step in resolved["transitions"]] == [
        "opened",
        "acknowledged",
        "noted",
        "assigned",
        "snoozed",
        "resolved",
    ]
    assert resolved["transitions"][1]["note"] == "on it"


def test_it_acts_on_many_at_once_and_counts_them(call, alert):
    assert call("get", "/alerts/counts") == {
        "open": 1,
        "acknowledged": 0,
        "critical": 0,
        "high": 1,
        "medium": 0,
        "low": 0,
    }
    body = {"action": "acknowledge", "ids": [str(alert.public_id)]}
    assert call("post", "/alerts/bulk", body)["changed"] == [str(alert.public_id)]
    assert call("post", "/alerts/bulk", body)["changed"] == []


def test_it_lets_a_dispatcher_act_and_a_viewer_only_look(tenant, alert):
    def log_in(role):
        user = User.objects.create_user(f"{role}@acme.example")
        Membership.objects.create(tenant=tenant, user=user, role=role)
        client = Client()
        client.force_login(user)
        return client

    path = f"/v1/alerts/{alert.public_id}/acknowledge"
    viewer = log_in(Role.VIEWER)
    assert viewer.get("/v1/alerts", secure=True).status_code == 200
    json = {"content_type": "application/json", "secure": True}
    assert viewer.post(path, {}, **json).status_code == 403
    dispatcher = log_in(Role.DISPATCHER)
    assert (
        dispatcher.post(path, {}, content_type="application/json", secure=True).status_code == 200
    )
    body = {"name": "x", "definition": SPEEDING}
    made = dispatcher.post("/v1/alert-rules", body, content_type="application/json", secure=True)
    assert made.status_code == 403


def test_it_keeps_geofences_and_refuses_shapes_that_are_none(call):
    circle = {"type": "circle", "centre": [-6.84, 33.97], "radius_m": 500}
    body = {"id": "depot", "name": "Depot", "shape": circle}
    made = call("post", "/geofences", body, 201)
    assert made["shape"] == circle
    call("post", "/geofences", body, 409)
    bow_tie = {"type": "polygon", "rings": [[[0, 0], [1, 1], [1, 0], [0, 1]]]}
    for shape in [
        bow_tie,
        {"type": "circle", "centre": [0, 99], "radius_m": 5},
        {"type": "circle", "centre": [0, 0], "radius_m": 0},
        {"type": "corridor", "line": [[0, 0]], "width_m": 5},
        {"type": "heart"},
        circle | {"note": "a\x00b"},
        {},
    ]:
        call("patch", "/geofences/depot", {"shape": shape}, 422)
    call("delete", "/geofences/depot", status=204)
    assert call("get", "/geofences")["results"] == []


def test_it_shows_a_channels_secret_once_and_sends_a_test(call):
    body = {"name": "Hook", "kind": "webhook", "address": "https://example.com/hook"}
    made = call("post", "/alert-channels", body, 201)
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert secret not in str(call("get", f"/alert-channels/{made['id']}"))
    rotated = call("post", f"/alert-channels/{made['id']}/rotate")
    assert rotated["secret"] != secret
    queued = call("post", f"/alert-channels/{made['id']}/test", status=202)
    assert queued["status"] == "queued"
    assert call("get", f"/alert-deliveries/{queued['id']}")["event"] == "test"
    Delivery.unscoped.update(status="dead")
    assert len(call("get", "/alert-deliveries?status=dead")["results"]) == 1
    assert call("post", f"/alert-deliveries/{queued['id']}/resend")["status"] == "queued"
    changed = call("patch", f"/alert-channels/{made['id']}", {"enabled": False})
    assert changed["enabled"] is False
    call("delete", f"/alert-channels/{made['id']}", status=204)


HOOK = {"name": "Hook", "kind": "webhook", "address": "https://a.example"}
CONTACT = {"name": "My phone", "kind": "email", "address": "me@home.example"}


@pytest.fixture
def viewer(tenant):
    user = User.objects.create_user("viewer@acme.example")
    Membership.objects.create(tenant=tenant, user=user, role=Role.VIEWER)
    return user


def test_everybody_manages_contacts_of_their_own(viewer):
    call = Caller(user=viewer)
    made = call("post", "/alert-channels", CONTACT | {"person": viewer.email}, 201)
    path = f"/alert-channels/{made['id']}"
    assert call("patch", path, {"name": "Mail"})["name"] == "Mail"
    assert call("post", f"{path}/test", status=202)["status"] == "queued"
    call("delete", path, status=204)
    assert not Channel.objects.for_tenant(viewer.memberships.get().tenant).filter(archived_at=None)


def test_nobody_without_leave_changes_who_else_is_told(actor, owner, viewer):
    call = Caller(user=viewer)
    strangers = [
        create_channel(actor=actor, user=user, **HOOK)[0].public_id for user in (None, owner)
    ]
    for body in (
        CONTACT,
        CONTACT | {"person": None},
        CONTACT | {"person": owner.email},
        CONTACT | {"person": "nobody@acme.example"},
    ):
        assert call("post", "/alert-channels", body, 403)["code"] == "scope_missing"
    mine = {"person": viewer.email}
    assert call("post", "/alert-channels", HOOK | mine, 422)["code"] == "invalid_channel"
    for public_id in strangers:
        path = f"/alert-channels/{public_id}"
        call("get", path)
        for method, where, body in (
            ("patch", path, {"enabled": False}),
            ("delete", path, None),
            ("post", f"{path}/test", None),
            ("post", f"{path}/rotate", None),
        ):
            assert call(method, where, body, 403)["code"] == "scope_missing", (method, where)
    assert Channel.unscoped.filter(archived_at=None, enabled=True).count() == 2
    assert not Delivery.unscoped.exists()


def test_a_token_has_no_contacts_of_its_own(actor, owner):
    _, secret = issue_token(actor=actor, name="look", scopes=[Scope.TELEMETRY_READ])
    call = Caller(secret)
    contact = create_channel(actor=actor, user=owner, **CONTACT)[0]
    for body in ({}, CONTACT, CONTACT | {"person": owner.email}):
        assert call("post", "/alert-channels", body, 403)["code"] == "scope_missing"
    path = f"/alert-channels/{contact.public_id}"
    assert call("patch", path, {"enabled": False}, 403)["code"] == "scope_missing"
    assert call("delete", path, status=403)["code"] == "scope_missing"


def history(vehicle, *speeds, every=10):
    start = timezone.now() - timedelta(hours=1)
    VehicleReadingRow.objects.bulk_create(
        VehicleReadingRow(
            vehicle_id=vehicle.pk,
            time=start + timedelta(seconds=every * n),
            received_at=start + timedelta(seconds=every * n + 1),
            reading_id=n,
            tenant_id=vehicle.tenant_id,
            protocol="telemetry.v1",
            speed_kmh=speed,
            attributes={"gear": "D"},
        )
        for n, speed in enumerate(speeds)
    )


def test_it_tries_a_rule_on_history_before_it_is_saved(call, vehicle):
    history(vehicle, 100, 130, 131, 100, 90, 140, 100)
    run = call("post", "/alert-rules/dry-runs", {"definition": SPEEDING}, 202)
    assert run["finished_at"] is None
    run_dry_run(DryRun.unscoped.get().pk)
    done = call("get", f"/alert-rules/dry-runs/{run['id']}")
    assert (done["count"], done["subjects_done"], done["readings"]) == (2, 1, 7)
    assert done["found"][0]["subject"] == "V1"
    assert done["found"][0]["values"] == {"speed_kmh": 130.0}
    assert not Rule.unscoped.exists() and not Alert.unscoped.exists()
    assert not AlertTransition.unscoped.exists()


def test_it_finds_in_history_what_it_would_have_raised_live(call, actor, vehicle):
    speeds = [100, 130, 131, 90, 140, 60, 150, 150, 150, 20]
    history(vehicle, *speeds)
    definition = SPEEDING | {"duration_s": 10, "clear_duration_s": 10}
    create_rule(actor=actor, name="Speeding", definition=definition)
    rows = VehicleReadingRow.objects.order_by("time")
    ago = [(timezone.now() - row.time).total_seconds() for row in rows]
    for seconds, speed in zip(ago, speeds, strict=True):
        store(reading_of(vehicle, ago=seconds, late=1, speed_kmh=float(speed)))
    evaluation.evaluate(for_seconds=0.4)
    call("post", "/alert-rules/dry-runs", {"definition": definition}, 202)
    run_dry_run(DryRun.unscoped.get().pk)
    run = DryRun.unscoped.get()
    assert run.count == Alert.unscoped.count() > 0


def test_it_tries_silence_on_history(call, vehicle):
    history(vehicle, 1, 1, 1, every=600)
    definition = {"kind": "silence", "params": {"after_s": 300}}
    call("post", "/alert-rules/dry-runs", {"definition": definition}, 202)
    run_dry_run(DryRun.unscoped.get().pk)
    assert DryRun.unscoped.get().count == 3


@pytest.mark.parametrize("days", [0, 32])
def test_it_refuses_a_dry_run_over_too_long_a_time(call, days):
    now = timezone.now()
    body = {
        "definition": SPEEDING,
        "since": (now - timedelta(days=days)).isoformat(),
        "until": now.isoformat(),
    }
    assert call("post", "/alert-rules/dry-runs", body, 422)["code"] == "bad_period"


def test_it_makes_rules_for_meters(call, fleet):
    Meter.objects.create(tenant=fleet.tenant, fleet=fleet, reference="M1", name="M1")
    definition = {
        "kind": "threshold",
        "subject": "meter",
        "params": {"conditions": [{"metric": "power_kw", "op": ">", "value": 22}]},
        "scope": {"meters": ["M1"]},
    }
    made = call("post", "/alert-rules", {"name": "Power", "definition": definition}, 201)
    assert made["definition"]["scope"]["meters"] == ["M1"]
