"""The inbox, and one alert explained."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from alerts import channels, evaluation
from alerts.models import Alert, Delivery, DeliveryStatus, Rule
from alerts.rules import create_rule
from tenants.models import Membership, Organisation, Role, User
from tests.alerts.conftest import make_vehicle, reading_of, store
from tests.alerts.pages import SPEEDING, get, history, logged_in, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(owner):
    return logged_in(owner)


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


# --- The inbox --------------------------------------------------------------------------------
def test_it_lists_what_needs_somebody_and_counts_it_on_every_page(client, alert):
    page = get(client, "/alerts")
    assert "Speeding: Speed &gt; 120 km/h" in page and "140 km/h" in page
    for path in ("/alerts", "/vehicles", "/settings/"):
        assert "<span data-open>1</span>" in get(client, path)


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
        ("page=0", True), ("page=" + "9" * 5000, True), ("page=00000002", False),
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
    with django_assert_max_num_queries(15):
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
    assert "A contact of mine" in get(client, "/alerts/channels/new")
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
