"""The inbox, one alert, the rules and their editor, channels and deliveries."""

import json
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone

from alerts import channels, evaluation
from alerts.dry_run import run_dry_run
from alerts.models import Alert, Channel, Delivery, DeliveryStatus, DryRun, Rule
from alerts.rules import create_rule
from telemetry.models import VehicleReadingRow
from tenants.models import Membership, Organisation, Role, User
from tests.alerts.conftest import make_vehicle, reading_of, store

pytestmark = pytest.mark.django_db

SPEEDING = {
    "kind": "threshold",
    "params": {"conditions": [{"metric": "speed_kmh", "op": ">", "value": 120, "clear": 110}]},
    "severity": "high",
}
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


def logged_in(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def outsider(db):
    tenant = Organisation.objects.create(name="Other", slug="other")
    user = User.objects.create_user("owner@other.example", "a long password")
    Membership.objects.create(tenant=tenant, user=user, role=Role.OWNER)
    return logged_in(user)


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


def history(vehicle, *, until, speeds, every_s=10):
    """Stored readings, the last at `until`."""
    rows = []
    for n, speed in enumerate(reversed(speeds)):
        at = until - timedelta(seconds=every_s * n)
        rows.append(
            VehicleReadingRow(
                vehicle_id=vehicle.pk, time=at, received_at=at, reading_id=n,
                tenant_id=vehicle.tenant_id, protocol="telemetry.v1", speed_kmh=speed,
                lat=52.5 + n / 1000, lon=13.4,
            )
        )  # fmt: skip
    VehicleReadingRow.objects.bulk_create(rows)


# --- The inbox --------------------------------------------------------------------------------
def test_it_lists_what_needs_somebody_and_counts_it_on_every_page(client, alert):
    page = get(client, "/alerts")
    assert "Speeding: Speed &gt; 120 km/h" in page and "140 km/h" in page
    for path in ("/alerts", "/vehicles", "/settings/"):
        assert 'aria-label="Alerts, 1 open"' in get(client, path)


@pytest.mark.parametrize(
    ("query", "is_there"),
    [
        ("", True), ("severity=high", True), ("severity=low", False), ("vehicle=V1", True),
        ("vehicle=V2", False), ("meter=V1", False), ("fleet=north", True), ("fleet=x", False),
        ("assignee=me", False), ("assignee=nobody", True), ("assignee=garbage", False),
        ("since=1h", True), ("state=open", True), ("state=acknowledged", False),
        ("state=snoozed", False), ("state=resolved", False), ("state=all", True),
        ("rule=00000000-0000-4000-8000-000000000000", False), ("rule=garbage", True),
        ("vehicle=%00", True), ("page=2", False), ("page=-1", True), ("page=x", True),
        ("group=vehicle", True), ("group=none&severity=high&since=7d", True),
        ("state=garbage&severity=garbage&group=garbage&since=garbage", True),
    ],
)  # fmt: skip
def test_it_narrows_by_the_address(client, alert, query, is_there):
    assert ("Speed &gt; 120 km/h" in get(client, f"/alerts?{query}")) is is_there


def test_it_answers_a_fragment_with_the_list_alone(client, alert):
    response = client.get("/alerts", secure=True, headers={"HX-Request": "true"})
    assert b"<html" not in response.content and b"Speed &gt; 120" in response.content
    assert "HX-Request" in response["Vary"]


def test_it_lists_many_alerts_in_as_many_queries_as_one(
    client, alert, fleet, django_assert_max_num_queries
):
    others = [make_vehicle(fleet, f"X{n}") for n in range(30)]
    store(*(reading_of(vehicle, ago=3, speed_kmh=130.0) for vehicle in others))
    evaluation.evaluate(for_seconds=0.2)
    assert Alert.unscoped.count() == 31
    with django_assert_max_num_queries(12):
        assert "X29" in get(client, "/alerts?group=vehicle")


def told(client, **fields):
    response = client.post(
        "/alerts/act", fields, secure=True, headers={"Accept": "application/json"}
    )
    return json.loads(response.content)


def test_it_acknowledges_and_takes_it_back(client, alert):
    answer = told(client, alert=str(alert.public_id), action="acknowledge", note="On it")
    assert answer["said"] == "1 alert acknowledged."
    alert.refresh_from_db()
    assert alert.state == "acknowledged" and alert.acknowledged_by == "owner@acme.example"
    post(client, answer["undo"])
    alert.refresh_from_db()
    assert alert.state == "open" and alert.acknowledged_at is None
    assert [s.change for s in alert.transitions.order_by("id")][-2:] == ["acknowledged", "reopened"]
    assert "too late" in post(client, answer["undo"]).content.decode()


def test_it_brings_escalation_back_with_the_acknowledgement_undone(client, actor, alert):
    channel, _ = channels.create_channel(
        actor=actor, name="Mail", kind="email", address="a@acme.example"
    )
    later = Delivery.objects.create(
        tenant=actor.tenant, channel=channel, alert=alert, event="alert.opened", step=1,
        payload={}, due_at=timezone.now() + timedelta(minutes=10),
    )  # fmt: skip
    answer = told(client, alert=str(alert.public_id), action="acknowledge")
    later.refresh_from_db()
    assert later.status == DeliveryStatus.CANCELLED
    post(client, answer["undo"])
    later.refresh_from_db()
    assert later.status == DeliveryStatus.QUEUED


def test_it_snoozes_assigns_and_takes_both_back(client, owner, alert):
    id_ = str(alert.public_id)
    snoozed = told(client, alert=id_, action="snooze", minutes="15")
    assert "Speed &gt; 120" not in get(client, "/alerts")
    assert "Speed &gt; 120" in get(client, "/alerts?state=snoozed")
    post(client, snoozed["undo"])
    assigned = told(client, alert=id_, action="assign", assignee="me")
    alert.refresh_from_db()
    assert alert.assignee == owner and alert.snoozed_until is None
    assert "Speed &gt; 120" in get(client, "/alerts?assignee=me")
    post(client, assigned["undo"])
    alert.refresh_from_db()
    assert alert.assignee is None


def test_it_resolves_and_notes_many(client, alert):
    told(client, alert=str(alert.public_id), action="note", note="Called the driver")
    told(client, alert=str(alert.public_id), action="resolve")
    alert.refresh_from_db()
    assert alert.state == "resolved"
    assert "Called the driver" in get(client, f"/alerts/{alert.public_id}")


@pytest.mark.parametrize(
    "fields",
    [
        {"alert": "", "action": "resolve"},
        {"alert": "x", "action": "resolve"},
        {"alert": "00000000-0000-4000-8000-000000000000", "action": "resolve"},
        {"action": "resolve"},
        {"action": "explode"},
        {"action": "note", "note": "  "},
        {"action": "assign", "assignee": "00000000-0000-4000-8000-000000000000"},
        {"action": "snooze", "minutes": "999999"},
        {"action": "resolve", "alert": "x", "next": "https://elsewhere.example/"},
    ],
)
def test_it_is_not_upset_by_what_makes_no_sense(client, alert, fields):
    fields = {"alert": str(alert.public_id)} | fields
    if fields["action"] == "resolve" and "alert" not in fields:
        del fields["alert"]
    answer = told(client, **fields)
    if fields["alert"] == str(alert.public_id) and fields["action"] == "resolve":
        return
    assert answer["level"] == "error"
    response = client.post("/alerts/act", fields, secure=True)
    assert response.status_code == 302 and "elsewhere" not in response["Location"]
    alert.refresh_from_db()
    assert alert.state == "open"


def test_it_lets_a_viewer_look_and_not_act(tenant, alert):
    viewer = User.objects.create_user("viewer@acme.example")
    Membership.objects.create(tenant=tenant, user=viewer, role=Role.VIEWER)
    client = logged_in(viewer)
    assert 'value="acknowledge"' not in get(client, "/alerts")
    rule = alert.rule.public_id
    for path in (
        "/alerts/act", f"/alerts/rules/{rule}/switch", f"/alerts/rules/{rule}/archive",
        f"/alerts/rules/{rule}", "/alerts/rules/preview", "/alerts/rules/try",
        "/alerts/deliveries/resend",
    ):  # fmt: skip
        fields = {"alert": str(alert.public_id), "action": "acknowledge"}
        assert client.post(path, fields, secure=True).status_code == 403
    get(client, "/alerts/rules/new", status=403)
    get(client, "/alerts/channels/new", status=403)
    assert 'id="preview-says"' not in get(client, f"/alerts/rules/{rule}")
    alert.refresh_from_db()
    assert alert.state == "open" and Rule.unscoped.get().enabled


def test_it_shows_another_organisation_nothing(outsider, alert):
    assert "Speed" not in get(outsider, "/alerts?state=all")
    get(outsider, f"/alerts/{alert.public_id}", status=404)
    get(outsider, f"/alerts/rules/{alert.rule.public_id}", status=404)
    answer = told(outsider, alert=str(alert.public_id), action="acknowledge")
    assert answer["level"] == "error"


# --- One alert --------------------------------------------------------------------------------
def test_it_explains_one_alert(client, actor, vehicle):
    create_rule(
        actor=actor, name="Speeding", definition=SPEEDING | {"duration_s": 20, "severity": "high"}
    )
    for ago, speed in ((40, 100.0), (30, 130.0), (20, 131.0), (5, 132.0)):
        store(reading_of(vehicle, ago=ago, speed_kmh=speed))
    evaluation.evaluate(for_seconds=0.2)
    alert = Alert.unscoped.get()
    for at, speed in ((-15, 100.0), (0, 130.0), (10, 131.0)):
        history(vehicle, until=alert.started_at + timedelta(seconds=at), speeds=[speed])
    history(vehicle, until=alert.opened_at, speeds=[132.0])
    page = get(client, f"/alerts/{alert.public_id}")
    assert "It had to hold for 20 s" in page and "held, waiting" in page and "opened it" in page
    assert "version 1" in page and "The alert opened, 25 s after it began." in page
    start = json.loads(page.split('id="start" type="application/json">')[1].split("</script>")[0])
    (series,) = start["series"]
    assert series["v"] == [100.0, 130.0, 131.0, 132.0]
    assert [t["value"] for t in series["thresholds"]] == [120.0, 110.0]
    assert len(start["track"]) == 4
    assert 24_900 < start["opened"] - start["began"] < 25_100


def test_it_takes_few_queries_to_explain(client, alert, django_assert_max_num_queries):
    with django_assert_max_num_queries(20):
        get(client, f"/alerts/{alert.public_id}")


# --- Rules ------------------------------------------------------------------------------------
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
        assert preview.status_code == 422 and says in json.loads(preview.content)["errors"][field]


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
    with django_assert_max_num_queries(8):
        assert "It broke." in get(client, "/alerts/rules")


# --- Channels and deliveries --------------------------------------------------------------------
CHANNEL = {
    "kind": "webhook", "name": "Hook", "address": "https://hook.example/in", "person": "",
    "is_default": "on", "period-TOTAL_FORMS": "1", "period-INITIAL_FORMS": "0",
    "period-0-days": ["5", "6"], "period-0-start": "22:00", "period-0-end": "24:00",
}  # fmt: skip


def test_it_shows_a_secret_once(client):
    page = client.post("/alerts/channels/new", CHANNEL, secure=True)
    assert b"whsec_" in page.content and page["Cache-Control"] == "no-store"
    channel = Channel.unscoped.get()
    assert channel.quiet_hours == [{"days": [5, 6], "start": 1320, "end": 1440}]
    assert "whsec_" not in get(client, "/alerts/channels")
    assert "Sat Sun 22:00 – 24:00" in get(client, "/alerts/channels")
    rotated = client.post(f"/alerts/channels/{channel.public_id}/rotate", secure=True)
    assert b"whsec_" in rotated.content and rotated["Cache-Control"] == "no-store"


def test_it_masks_a_chat_service_and_keeps_it_on_saving(client):
    secret = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"
    fields = CHANNEL | {"kind": "apprise", "address": secret}
    post(client, "/alerts/channels/new", **fields)
    channel = Channel.unscoped.get()
    edit = f"/alerts/channels/{channel.public_id}"
    assert "TIiajk" not in get(client, "/alerts/channels") + get(client, edit)
    before = channels.secrets_of(channel)
    post(client, edit, **fields | {"name": "Chat", "address": "", "enabled": "on"})
    channel.refresh_from_db()
    assert channel.name == "Chat" and channels.secrets_of(channel) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"address": "ftp://x"}, {"address": ""}, {"name": ""}, {"kind": "pigeon"},
        {"kind": "email", "address": "nobody"}, {"person": "00000000-0000-4000-8000-000000000000"},
        {"period-0-end": "21:00"}, {"name": "a\0b"},
    ],
)  # fmt: skip
def test_it_refuses_a_channel_that_reaches_nobody(client, changes):
    response = client.post("/alerts/channels/new", CHANNEL | changes, secure=True)
    assert response.status_code == 422 and not Channel.unscoped.exists()


def test_it_lists_the_given_up_and_sends_them_again(client, actor, django_assert_max_num_queries):
    channel, _ = channels.create_channel(
        actor=actor, name="Mail", kind="email", address="a@acme.example"
    )
    for _n in range(5):
        channels.send_test(actor=actor, channel=channel)
    Delivery.unscoped.update(status=DeliveryStatus.DEAD)
    with django_assert_max_num_queries(10):
        page = get(client, "/alerts/deliveries?status=dead")
    assert page.count('name="delivery"') == 5
    keys = [str(key) for key in Delivery.unscoped.values_list("key", flat=True)[:3]]
    said = post(client, "/alerts/deliveries/resend", delivery=keys).content.decode()
    assert "3 messages are on their way again" in said
    assert Delivery.unscoped.filter(status=DeliveryStatus.QUEUED).count() == 3
    assert (
        "Tick a message first"
        in post(client, "/alerts/deliveries/resend", delivery="garbage").content.decode()
    )
    get(client, "/alerts/deliveries?channel=garbage&status=garbage&event=garbage&after=x")


def test_it_removes_a_channel_and_brings_it_back(client, actor):
    channel, _ = channels.create_channel(
        actor=actor, name="Mail", kind="email", address="a@acme.example"
    )
    path = f"/alerts/channels/{channel.public_id}"
    assert f"{path}/restore" in post(client, f"{path}/archive").content.decode()
    get(client, path, status=404)
    post(client, f"{path}/restore")
    assert "a@acme.example" in get(client, "/alerts/channels")
