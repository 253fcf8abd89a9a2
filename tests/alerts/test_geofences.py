"""Geofences: hostile shapes, the pages, GeoJSON in and out, the rule in one click."""

import json
import math
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from alerts import evaluation, geofences
from alerts.dry_run import run_dry_run
from alerts.engine.fences import InvalidShape, compile_shape, decode_shape
from alerts.geofence_form import GeofenceForm, initial_of
from alerts.geojson import read_geojson, write_geojson
from alerts.models import Alert, DryRun, Rule
from alerts.rules import checked_spec, create_rule
from alerts.shapes import area_m2, length_m, read_points, written_points
from fleet.geofences import Geofence
from telemetry.models import VehicleLatest, VehicleReadingRow
from tenants.errors import DomainError
from tenants.models import AuditEntry, Membership, Role, User
from tests.alerts.conftest import reading_of, store

pytestmark = pytest.mark.django_db

CIRCLE = {"type": "circle", "centre": [-6.84, 33.97], "radius_m": 500.0}
SQUARE = {"type": "polygon", "rings": [[[0, 0], [0.02, 0], [0.02, 0.02], [0, 0.02]]]}
ROUTE = {"type": "corridor", "line": [[0, 0], [0.1, 0]], "width_m": 200.0}


@pytest.fixture
def client(owner):
    client = Client()
    client.force_login(owner)
    return client


@pytest.fixture
def viewer(tenant):
    user = User.objects.create_user("viewer@acme.example", "a long password")
    Membership.objects.create(tenant=tenant, user=user, role=Role.VIEWER)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def depot(actor):
    return geofences.create(actor=actor, name="Depot", shape=CIRCLE)


def typed(**fields):
    return {"name": "Yard", "colour": "#2f6fed", "kind": "circle"} | fields


def get(client, path, status=200):
    answer = client.get(path, secure=True)
    assert answer.status_code == status, answer.content[:400]
    return answer.content.decode()


def post(client, path, status=302, **fields):
    answer = client.post(path, fields, secure=True)
    assert answer.status_code == status, answer.content[-3000:]
    return answer


def around(n, radius=0.01):
    turns = [2 * math.pi * i / n for i in range(n)]
    return [[radius * math.cos(a), radius * math.sin(a)] for a in turns]


# --- Hostile shapes --------------------------------------------------------------------------
BOWTIE = "0, 0\n0.02, 0.02\n0, 0.02\n0.02, 0"
TYPED_WRONG = [
    (typed(kind="polygon", points=BOWTIE), "crosses itself"),
    (typed(kind="polygon", points="0, 0\n0, 1"), "three points"),
    (typed(kind="polygon", points="0, 0\n0, 1\n0, 2"), "encloses nothing"),
    (typed(kind="polygon", points=""), "three points"),
    (typed(kind="polygon", points="0, 0\n91, 0\n1, 1"), "latitude 91.0 is not between"),
    (typed(kind="polygon", points="0, 0\n0, 181\n1, 1"), "longitude 181.0 is not between"),
    (typed(kind="polygon", points="0, 0\nnan, 1\n1, 1"), "No number: nan"),
    (typed(kind="polygon", points="0, 0\ninf, 1\n1, 1"), "latitude inf is not between"),
    (typed(kind="polygon", points="0, 0\nhere\n1, 1"), "Line 2 is not"),
    (typed(kind="polygon", points="0, 0, 0\n1, 1\n1, 0"), "Line 1 is not"),
    (typed(kind="polygon", points="\n".join(["0, 0"] * 100_000)), "at most 5,000 points"),
    (typed(kind="polygon", points="\n".join(["0.0000, 0.0000"] * 100_000)), "500000 characters"),
    (typed(kind="corridor", points="0, 0", width_m="100"), "two points"),
    (typed(kind="corridor", points="0, 0\n0, 1"), "How many metres"),
    (typed(kind="corridor", points="0, 0\n0, 1", width_m="-3"), "greater than or equal to 1"),
    (typed(centre="", radius_m="300"), "Click the map"),
    (typed(centre="1, 2"), "How many metres"),
    (typed(centre="1, 2\n3, 4", radius_m="nan"), "Enter a number"),
    (typed(centre="86, 2", radius_m="300"), "latitude 86.0"),
    (typed(centre="1, 2", radius_m="1e9"), "less than or equal to 1000000"),
    (typed(centre="1, 2", radius_m="300", kind="blob"), "Select a valid choice"),
    (typed(centre="1, 2", radius_m="300", colour="red"), "#2f6fed"),
    (typed(centre="1, 2", radius_m="300", name="a\nb\0"), "Null characters"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "says"), TYPED_WRONG)
def test_it_refuses_a_shape_that_is_none_and_says_why(client, fields, says):
    answer = post(client, "/geofences/new", status=422, **fields)
    form = answer.context["form"]
    assert says in str(form.errors), form.errors
    assert Geofence.unscoped.count() == 0


@pytest.mark.parametrize(
    "shape",
    [
        {"type": "circle", "centre": [float("nan"), 0], "radius_m": 5},
        {"type": "circle", "centre": [0, 0], "radius_m": float("nan")},
        {"type": "circle", "centre": [0, 0], "radius_m": float("inf")},
        {"type": "polygon", "rings": [[[0, 0], [1, 0], [float("nan"), 1]]]},
        {"type": "polygon", "rings": [[[0, 0], [1, 0], [1, 1]], [[5, 5], [6, 5], [6, 6]]]},
        {"type": "polygon", "rings": []},
        {"type": "corridor", "line": [[0, 0], [0, 0]], "width_m": float("nan")},
    ],
)
def test_the_engine_takes_no_shape_that_is_none(shape):
    with pytest.raises(InvalidShape):
        decode_shape(shape)


def feature(geometry, **properties):
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def polygon(*rings):
    return {"type": "Polygon", "coordinates": [list(ring) for ring in rings]}


FILES_WRONG = [
    (b"\xff\xfe", "not JSON"),
    (b"[" * 100_000, "not JSON"),
    (b'{"type":"Feature","geometry":{"type":"Point","coordinates":[NaN,1]}}', "not JSON"),
    (b"{}", "FeatureCollection"),
    (b"null", "FeatureCollection"),
    (b'{"type":"FeatureCollection","features":[]}', "nothing in the file"),
    (b'{"type":"FeatureCollection","features":[7]}', "Feature 1: It is no Feature"),
    ({"type": "FeatureCollection", "features": [feature(None)] * 501}, "at most 500"),
    (feature(None), "no Polygon"),
    (feature({"type": "GeometryCollection", "geometries": []}), "no Polygon"),
    (feature({"type": "Polygon", "coordinates": []}), "empty"),
    (feature(polygon([])), "empty"),
    (feature(polygon([[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]])), "crosses itself"),
    (feature(polygon([[0, 0], [200, 0], [1, 1], [0, 0]])), "longitude 200 is not"),
    (feature(polygon([[0, 0], [1, 10**400], [1, 1], [0, 0]])), ""),
    (feature(polygon([[0, 0], ["1", 0], [1, 1]])), "No number: 1"),
    (feature(polygon([[0, 0], [True, 0], [1, 1]])), "No number: True"),
    (feature(polygon([[0], [1, 0], [1, 1]])), "list of longitude"),
    (feature(polygon(around(100_000))), "at most 5,000 points"),
    (feature({"type": "MultiPolygon", "coordinates": [[], []]}), "several parts"),
    (feature({"type": "Point", "coordinates": [0, 0]}), "radius_m"),
    (feature({"type": "Point", "coordinates": [0, 0]}, radius_m="9"), "radius_m"),
    (feature({"type": "Point", "coordinates": [0, 0]}, radius_m=-1), "$.radius_m"),
    (feature({"type": "LineString", "coordinates": [[0, 0], [1, 1]]}), "width_m"),
    (feature({"type": "Point", "coordinates": [0, 0]}, radius_m=9, name="x" * 121), "120"),
    (feature({"type": "Point", "coordinates": [0, 0]}, radius_m=9, colour="red"), "colour"),
    (feature({"type": "Point", "coordinates": [0, 0]}, radius_m=9) | {"id": "a b"}, "Its id"),
    (feature({"type": "Point", "coordinates": [0, 0]}, radius_m=9) | {"properties": 3}, "object"),
    (b" " * (5 * 1024 * 1024 + 1), "larger than 5 MB"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "says"), FILES_WRONG, ids=range(len(FILES_WRONG)))
def test_it_imports_nothing_of_a_hostile_file_and_says_what_is_wrong(client, body, says):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    file = SimpleUploadedFile("x.geojson", body)
    answer = post(client, "/geofences/import", status=422, file=file)
    assert says in str(answer.context["form"].errors.as_data()["file"][0].message)
    assert Geofence.unscoped.count() == 0


def test_it_names_the_features_that_are_wrong_and_takes_none(actor):
    good = feature({"type": "Point", "coordinates": [0, 0]}, radius_m=9, name="Good")
    wrong = feature(polygon([[0, 0], [1, 1], [1, 0], [0, 1]]))
    body = json.dumps({"type": "FeatureCollection", "features": [good, wrong] * 12}).encode()
    with pytest.raises(DomainError) as refusal:
        read_geojson(body)
    assert "Feature 2:" in refusal.value.detail
    assert "Feature 1:" not in refusal.value.detail
    assert "And 2 more." in refusal.value.detail


def test_the_antimeridian_is_no_border():
    fiji = {"type": "polygon", "rings": [[[179, -18], [-179, -18], [-179, -16], [179, -16]]]}
    inside = compile_shape(decode_shape(fiji))
    assert inside(-17, 179.9)
    assert inside(-17, -179.9)
    assert not inside(-17, 0)
    area = area_m2(decode_shape(fiji))
    assert area == pytest.approx(2 * 2 * 111_320**2 * math.cos(math.radians(17)), rel=0.001)
    route = {"type": "corridor", "line": [[179.9, 0], [-179.9, 0]], "width_m": 500}
    assert length_m(decode_shape(route)) == pytest.approx(0.2 * 111_320)
    assert compile_shape(decode_shape(route))(0, 180)


# --- Exchange ----------------------------------------------------------------------------------
HOLED = {
    "type": "polygon",
    "rings": [
        [[0, 0], [1, 0], [1, 1], [0, 1]],
        [[0.4, 0.4], [0.6, 0.4], [0.6, 0.6], [0.4, 0.6]],
    ],
}


def test_what_it_exports_it_imports(client, actor, tenant):
    shapes = {"Depot": CIRCLE, "Square": SQUARE, "Route": ROUTE, "Ring": HOLED}
    for name, shape in shapes.items():
        geofences.create(actor=actor, name=name, shape=shape, colour="#aa0000")
    exported = get(client, "/geofences/export")
    assert write_geojson(Geofence.unscoped.order_by("reference")) == json.loads(exported)
    Geofence.unscoped.all().delete()
    post(client, "/geofences/import", file=SimpleUploadedFile("x.json", exported.encode()))
    found = Geofence.objects.for_tenant(tenant)
    assert {each.name: each.shape for each in found} == shapes
    assert {each.colour for each in found} == {"#aa0000"}


def test_an_import_changes_what_is_here_already_and_makes_ids_of_names(client, depot):
    point = {"type": "Point", "coordinates": [1, 2]}
    known = feature(point, radius_m=9, name="Depot B") | {"id": "depot"}
    new = feature(point, radius_m=9, name="Depot")
    body = json.dumps({"type": "FeatureCollection", "features": [known, new]}).encode()
    post(client, "/geofences/import", file=SimpleUploadedFile("x.json", body))
    rows = dict(Geofence.unscoped.values_list("reference", "name"))
    assert rows == {"depot": "Depot B", "depot-2": "Depot"}


@pytest.mark.parametrize("shape", [CIRCLE, SQUARE, ROUTE, HOLED])
def test_what_the_form_shows_it_reads_back(shape):
    fence = Geofence(name="X", colour="#112233", shape=shape)
    form = GeofenceForm(initial_of(fence))
    assert form.is_valid(), form.errors
    assert decode_shape(form.cleaned_data["shape"]) == decode_shape(shape)


def test_points_are_written_as_they_are_read():
    rings = read_points("33.9716, -6.8498\n 33.98;-6.84 \n33.97 -6.83\n\n1, 2\n3, 4\n")
    assert [len(ring) for ring in rings] == [3, 2]
    assert read_points(written_points(rings)) == rings


# --- Pages ---------------------------------------------------------------------------------------
def test_it_saves_what_was_typed_and_shows_it_again(client, tenant):
    made = post(client, "/geofences/new", **typed(centre="33.97, -6.84", radius_m="500"))
    assert made["Location"] == "/geofences/yard/"
    fence = Geofence.objects.for_tenant(tenant).get()
    assert fence.shape == CIRCLE
    page = get(client, "/geofences/yard/")
    assert "33.97, -6.84" in page
    post(client, "/geofences/yard/", **typed(name="Yard 2", kind="polygon", points="0,0\n0,1\n1,1"))
    fence.refresh_from_db()
    assert fence.name == "Yard 2"
    assert fence.shape["rings"] == [[[0, 0], [1, 0], [1, 1]]]


def test_it_lists_what_uses_a_geofence_and_finds_it(client, actor, depot, vehicle):
    geofences.create(actor=actor, name="Harbour", shape=ROUTE)
    post(client, "/geofences/depot/watch", event="enter", severity="high")
    page = get(client, "/geofences")
    assert "radius 500 m" in page
    assert "11.1 km long, 200 m wide" in page
    assert "Depot: enters" in page
    assert "Harbour" not in get(client, "/geofences?q=dep")
    assert "Nothing matches" in get(client, "/geofences?q=%00xyz")


def test_the_rule_of_one_click_raises_an_alert_when_a_vehicle_enters(client, depot, vehicle):
    post(client, "/geofences/depot/watch", event="enter", severity="high")
    rule = Rule.unscoped.get()
    assert rule.name == "Depot: enters"
    store(reading_of(vehicle, ago=20, lat=33.5, lon=-6.84))
    store(reading_of(vehicle, ago=5, lat=33.97, lon=-6.84))
    evaluation.evaluate(for_seconds=0.3)
    alert = Alert.unscoped.get()
    assert alert.severity == "high"
    assert "last" not in alert.title
    assert "ago" in get(client, "/geofences")


def test_dwelling_takes_the_minutes_and_a_second_rule_alike_is_refused(client, depot):
    post(client, "/geofences/depot/watch", event="dwell", minutes="30", severity="low")
    assert Rule.unscoped.get().current.spec.duration_s == 1800
    answer = client.post(
        "/geofences/depot/watch", {"event": "dwell", "minutes": "30", "severity": "low"},
        secure=True, follow=True,
    )  # fmt: skip
    assert "Another rule has this name" in answer.content.decode()
    post(client, "/geofences/depot/watch", event="explode", severity="low")
    assert Rule.unscoped.count() == 1


def test_archiving_switches_its_rules_off_and_the_undo_on_again(client, depot, vehicle):
    post(client, "/geofences/depot/watch", event="enter", severity="high")
    answer = client.post("/geofences/depot/archive", secure=True, follow=True)
    assert "/geofences/depot/restore" in answer.content.decode()
    store(reading_of(vehicle, ago=5, lat=33.97, lon=-6.84))
    evaluation.evaluate(for_seconds=0.3)
    rule = Rule.unscoped.get()
    assert not rule.enabled
    assert "No geofence" not in get(client, "/geofences?state=archived")
    post(client, "/geofences/depot/", status=422, **typed(centre="1, 2", radius_m="3"))
    post(client, "/geofences/depot/watch", event="leave", severity="high")
    assert Rule.unscoped.count() == 1
    entries = AuditEntry.unscoped.filter(action="geofence.archived").count()
    post(client, "/geofences/depot/archive")
    assert AuditEntry.unscoped.filter(action="geofence.archived").count() == entries == 1
    post(client, "/geofences/depot/restore")
    rule.refresh_from_db()
    assert rule.enabled
    assert Geofence.unscoped.get().archived_at is None


def test_a_rule_somebody_switched_off_stays_off_when_its_geofence_returns(client, actor, depot):
    post(client, "/geofences/depot/watch", event="enter", severity="high")
    Rule.unscoped.update(enabled=False)
    post(client, "/geofences/depot/archive")
    post(client, "/geofences/depot/restore")
    assert not Rule.unscoped.get().enabled


# --- Trials ----------------------------------------------------------------------------------------
def drive(vehicle, *places):
    """Readings of the last days, an hour apart."""
    for n, (lat, lon) in enumerate(places):
        moment = timezone.now() - timedelta(hours=len(places) - n)
        VehicleReadingRow.objects.create(
            tenant_id=vehicle.tenant_id, vehicle_id=vehicle.pk, time=moment, received_at=moment,
            reading_id=n, protocol="telemetry.v1", lat=lat, lon=lon,
        )  # fmt: skip


def test_a_draft_is_tried_on_history_before_it_is_saved(client, vehicle, monkeypatch):
    monkeypatch.setattr("alerts.tasks.dry_run.delay", lambda pk: None)
    drive(vehicle, (33.5, -6.84), (33.97, -6.84), (33.5, -6.84), (33.97, -6.84))
    fields = {"kind": "circle", "centre": "33.97, -6.84", "radius_m": "500", "event": "enter"}
    answer = post(client, "/geofences/try", status=202, **fields).json()
    run = DryRun.unscoped.get()
    assert 'data-finished="no"' in get(client, answer["run"])
    run_dry_run(run.pk)
    page = get(client, answer["run"])
    assert "Entered 2 times in the last 7 days" in page
    assert "2×" in page
    assert Geofence.unscoped.count() == 0


def test_a_draft_that_is_no_shape_is_not_tried(client):
    answer = post(client, "/geofences/try", status=422, kind="polygon", points=BOWTIE)
    assert "crosses itself" in answer.json()["errors"]["points"][0]
    assert DryRun.unscoped.count() == 0


def test_only_a_trial_may_bring_its_own_shape(tenant, actor, depot):
    definition = geofences.watching({"shape": CIRCLE}, event="enter", minutes=0)
    assert checked_spec(tenant, definition, as_trial=True)
    with pytest.raises(DomainError, match="Save the geofence first"):
        create_rule(actor=actor, name="X", definition=definition)
    for where in ({}, {"shape": CIRCLE, "geofences": [depot.pk]}, {"shape": {"type": "blob"}}):
        with pytest.raises(DomainError):
            checked_spec(tenant, geofences.watching(where, event="enter", minutes=0), as_trial=True)


# --- Who may, and what it costs -----------------------------------------------------------------
def test_a_viewer_sees_and_changes_nothing(viewer, depot):
    assert "Depot" in get(viewer, "/geofences")
    page = get(viewer, "/geofences/depot/")
    assert 'role="toolbar"' not in page
    assert "fieldset" in page
    get(viewer, "/geofences/new", 403)
    get(viewer, "/geofences/import", 403)
    for path in ("/geofences/depot/", "/geofences/try", "/geofences/depot/archive",
                 "/geofences/depot/watch", "/geofences/depot/restore"):  # fmt: skip
        post(viewer, path, status=403)
    assert Geofence.unscoped.get().archived_at is None


def test_the_map_hears_of_fences_in_use_and_of_places(client, actor, depot, vehicle):
    gone = geofences.create(actor=actor, name="Gone", shape=SQUARE)
    geofences.archive(actor=actor, geofence=gone)
    now = timezone.now()
    VehicleLatest.objects.create(
        vehicle_id=vehicle.pk, tenant_id=vehicle.tenant_id, time=now, received_at=now,
        reading_id=1, protocol="telemetry.v1", lat=1.5, lon=2.5,
    )  # fmt: skip
    found = json.loads(get(client, "/geofences/shapes?vehicles=1"))
    assert [each["id"] for each in found["fences"]] == ["depot"]
    assert found["vehicles"] == [[2.5, 1.5]]
    assert "vehicles" not in json.loads(get(client, "/geofences/shapes"))


@pytest.mark.parametrize(
    ("path", "queries"), [("/geofences", 8), ("/geofences/p7/", 8), ("/geofences/shapes", 4)]
)
def test_pages_cost_the_same_however_many_there_are(
    client, actor, django_assert_max_num_queries, path, queries
):
    for n in range(30):
        fence = geofences.create(actor=actor, name=f"Place {n}", shape=CIRCLE, reference=f"p{n}")
        geofences.watch(actor=actor, geofence=fence, event="enter", minutes=1, severity="low")
    get(client, path)
    with django_assert_max_num_queries(queries):
        get(client, path)


def test_an_organisation_has_so_many_and_no_more(actor, monkeypatch):
    monkeypatch.setattr(geofences, "MAX_GEOFENCES", 1)
    geofences.create(actor=actor, name="A", shape=CIRCLE)
    with pytest.raises(DomainError, match="1 already"):
        geofences.create(actor=actor, name="B", shape=CIRCLE)
