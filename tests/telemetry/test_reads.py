"""Latest state, history, track and performance, over the API."""

import re
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection as django_connection
from django.utils import timezone

from fleet import services as fleet_services
from telemetry.storage.connection import connect
from telemetry.storage.store import Store
from telemetry.storage.subjects import METERS, VEHICLES
from tenants.models import Scope
from tests import people
from tests.telemetry.readings import SECOND, meter_reading, vehicle_reading

# Not the django_db mark: its transaction would hold the locks that `committed` took.
pytestmark = pytest.mark.usefixtures("committed")

AT = datetime.fromisoformat("2026-02-08T12:00:00+00:00")
AT_US = int(AT.timestamp()) * SECOND
HOUR = 3600 * SECOND


@pytest.fixture
def world(committed, db):
    tenant = people.an_organisation()
    fleet = people.a_fleet(tenant)
    vehicle = people.a_vehicle(tenant, "V456", fleet=fleet)
    meter = people.a_meter(tenant, "M123", fleet=fleet)
    return tenant, vehicle, meter


@pytest.fixture
def store(committed):
    with connect("outrider tests") as connection:
        yield Store(connection)


@pytest.fixture
def api(world):
    return api_of(world[0])


def api_of(tenant, scope=Scope.TELEMETRY_READ):
    return people.client_with(people.a_token(tenant, scope))


def of(thing, make, at=AT_US, **values):
    return make(thing.pk, at=at, tenant_id=thing.tenant_id, **values)


def test_performance_answers_for_the_two_bodies_to_the_letter(world, store, api):
    _, vehicle, meter = world
    store.store(
        [
            of(meter, meter_reading, energy="45.2", voltage_v=230.1),
            of(vehicle, vehicle_reading, soc_pct=82.5, energy_dc_kwh=Decimal("38.1"),
               battery_temp_c=32.2),
        ]
    )  # fmt: skip
    answer = api.get("/v1/analytics/performance/V456", {"at": "2026-02-08T12:00:00Z"})
    assert answer.status_code == 200
    assert answer.content.decode().startswith(
        '{"vehicleId":"V456","totalAcKwh":45.20,"totalDcKwh":38.10,'
        '"efficiency":0.8429,"avgBatteryTemp":32.20,"acSource":"fleet"'
    )


def test_performance_is_null_where_nothing_was_reported(world, api):
    body = api.get("/v1/analytics/performance/V456").json()
    assert [body[k] for k in ("totalAcKwh", "totalDcKwh", "efficiency", "avgBatteryTemp")] == [
        None
    ] * 4


def test_performance_counts_its_end_and_not_its_start(world, store, api):
    _, vehicle, _ = world
    day = 24 * HOUR
    for at, energy in [(AT_US - day, "1"), (AT_US - day + 1, "2"), (AT_US, "4"), (AT_US + 1, "8")]:
        store.store([of(vehicle, vehicle_reading, at, energy_dc_kwh=Decimal(energy))])
    body = api.get("/v1/analytics/performance/V456", {"at": AT.isoformat()}).json()
    assert body["totalDcKwh"] == 6


@pytest.mark.parametrize("offset_s", [0, 1, 1799, 3599])
def test_performance_equals_a_sum_over_history(world, store, api, offset_s):
    _, vehicle, _ = world
    readings = [
        of(vehicle, vehicle_reading, AT_US - 26 * HOUR + n * 600 * SECOND + 7,
           energy_dc_kwh=Decimal(n).scaleb(-3), battery_temp_c=round(20 + n * 0.37, 2))
        for n in range(170)
    ]  # fmt: skip
    store.store(readings)
    end = AT_US + offset_s * SECOND
    inside = [r for r in readings if end - 24 * HOUR < r.time <= end]
    at = (AT + timedelta(seconds=offset_s)).isoformat()
    body = api.get("/v1/analytics/performance/V456", {"at": at}).json()
    assert body["totalDcKwh"] == float(
        sum(r.energy_dc_kwh for r in inside).quantize(Decimal("0.01"), "ROUND_HALF_UP")
    )
    mean = sum(Decimal(str(r.battery_temp_c)) for r in inside) / len(inside)
    assert abs(Decimal(str(body["avgBatteryTemp"])) - mean) <= Decimal("0.005")


def test_performance_prefers_mapped_meters_and_only_while_they_were(world, store, api):
    tenant, vehicle, meter = world
    other = people.a_meter(tenant, "M2", fleet=vehicle.fleet)
    fleet_services.map_meter(
        actor=people.acting(tenant), meter=meter, vehicle=vehicle,
        valid_from=AT - timedelta(hours=3, minutes=30), valid_to=AT - timedelta(minutes=30),
    )  # fmt: skip
    store.store([of(other, meter_reading, energy="100")])
    for hours, energy in [(4, "1"), (3.5, "2"), (2, "4"), (0.75, "8"), (0.5, "16")]:
        store.store([of(meter, meter_reading, AT_US - int(hours * HOUR), energy=energy)])
    body = api.get("/v1/analytics/performance/V456", {"at": AT.isoformat()}).json()
    assert (body["totalAcKwh"], body["acSource"]) == (14, "mapped")


def test_latest_dates_every_value_by_itself(world, store, api):
    _, vehicle, _ = world
    store.store(
        [
            of(vehicle, vehicle_reading, AT_US - 60 * SECOND, soc_pct=50.0,
               energy_dc_kwh=Decimal("0.5"), attributes={"gear": "D"}),
            of(vehicle, vehicle_reading, AT_US, speed_kmh=33.5, alarms=("door",),
               invalid=("position",)),
        ]
    )  # fmt: skip
    body = api.get("/v1/telemetry/V456/latest").json()
    assert (body["vehicle_id"], body["time"]) == ("V456", "2026-02-08T12:00:00Z")
    assert body["values"]["speed_kmh"]["value"] == 33.5
    assert body["values"]["speed_kmh"]["unit"] == "km/h"
    assert body["values"]["soc_pct"]["time"] == "2026-02-08T11:59:00Z"
    assert body["values"]["soc_pct"]["age_s"] - body["age_s"] == pytest.approx(60, abs=0.01)
    assert body["values"]["alarms"]["value"] == ["door"]
    assert body["attributes"]["gear"]["value"] == "D"
    assert body["invalid"] == ["position"]
    assert set(body["values"]) == {"soc_pct", "energy_dc_kwh", "speed_kmh", "alarms"}


def test_latest_of_what_never_spoke_is_empty(world, api):
    body = api.get("/v1/telemetry/meters/M123/latest").json()
    assert body == {
        "meter_id": "M123", "time": None, "received_at": None, "age_s": None,
        "values": {}, "attributes": {}, "invalid": [],
    }  # fmt: skip


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_history_pages_meet_every_reading_once(world, store, api, order):
    _, vehicle, _ = world
    times = [AT_US - n * 5 * 24 * HOUR // 3 for n in range(25)] + [AT_US] * 6
    readings = [of(vehicle, vehicle_reading, at, soc_pct=1.0 * n) for n, at in enumerate(times)]
    store.store(readings)
    seen, cursor = [], None
    for _ in range(20):
        query = {"from": "2025-11-01T00:00:00Z", "to": "2026-03-01T00:00:00Z", "limit": 4,
                 "order": order}  # fmt: skip
        body = api.get(
            "/v1/telemetry/V456/history", query | ({"cursor": cursor} if cursor else {})
        ).json()
        seen += [(r["time"], r["soc_pct"]) for r in body["readings"]]
        cursor = body["next"]
        if cursor is None:
            break
    expected = sorted(readings, key=lambda r: (r.time, r.reading_id), reverse=order == "desc")
    assert [soc for _, soc in seen] == [r.soc_pct for r in expected]


def test_history_is_half_open_and_gives_the_fields_asked_for(world, store, api):
    _, vehicle, _ = world
    store.store(
        [of(vehicle, vehicle_reading, AT_US + n * SECOND, soc_pct=n * 1.0, speed_kmh=1.0,
            energy_dc_kwh=Decimal("45.20")) for n in range(3)]
    )  # fmt: skip
    answer = api.get(
        "/v1/telemetry/V456/history",
        {"from": "2026-02-08T12:00:00Z", "to": "2026-02-08T12:00:02Z", "order": "asc",
         "fields": "soc_pct,energy_dc_kwh"},
    )  # fmt: skip
    readings = answer.json()["readings"]
    assert [r["soc_pct"] for r in readings] == [0, 1]
    assert set(readings[0]) == {"time", "received_at", "soc_pct", "energy_dc_kwh"}
    assert b'"energy_dc_kwh":45.200000' in answer.content


@pytest.mark.parametrize(
    "query",
    [
        {"from": "yesterday"}, {"from": "2026-02-08T12:00:00"}, {"from": "9999-12-31T23:59:59Z"},
        {"from": "0001-01-01T00:00:00+14:00"}, {"limit": "0"}, {"limit": "1001"}, {"limit": "x"},
        {"limit": "٣"}, {"fields": "soc"}, {"fields": "time; DROP TABLE x"}, {"order": "up"},
        {"cursor": "!"}, {"cursor": "AAAA"}, {"cursor": "OTk5OTk5OTk5OTk5OTk5OTk5OTkuMQ=="},
        {"frm": "2026-02-08T12:00:00Z"}, {"from": "2026-02-08T12:00:00Z\0"}, {"cursor": "é"},
        {"from": "2026-02-09T00:00:00Z", "to": "2026-02-08T00:00:00Z"},
    ],
)  # fmt: skip
def test_history_refuses_what_it_does_not_understand(world, api, query):
    answer = api.get("/v1/telemetry/V456/history", query)
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    ["telemetry/V456/latest", "telemetry/V456/history", "telemetry/V456/track",
     "telemetry/meters/M123/latest", "telemetry/meters/M123/history",
     "analytics/performance/V456"],
)  # fmt: skip
def test_another_tenant_finds_nothing_and_a_wrong_scope_gets_nowhere(world, path):
    outsider = api_of(people.an_organisation())
    assert outsider.get(f"/v1/{path}").status_code == 404
    assert api_of(world[0]).get(f"/v1/{path}").status_code == 200
    assert api_of(world[0], Scope.FLEET_READ).get(f"/v1/{path}").status_code == 403
    assert people.Browser().get(f"/v1/{path}").status_code == 401


@pytest.mark.parametrize("reference", ["V%00456", "%F0%9F%9A%97", "a b", "x" * 200, "V999"])
def test_a_reference_that_cannot_be_is_not_found(world, api, reference):
    assert api.get(f"/v1/telemetry/{reference}/latest").status_code == 404


def test_track_cuts_gaps_and_simplifies_by_zoom(world, store, api):
    _, vehicle, _ = world
    store.store(
        [
            of(vehicle, vehicle_reading, AT_US + n * 10 * SECOND + (n >= 50) * 900 * SECOND,
               lat=33.0 + n * 1e-4, lon=-6.0 + (n % 2) * 1e-5)
            for n in range(100)
        ] + [of(vehicle, vehicle_reading, AT_US + 5 * SECOND, speed_kmh=4.0)]
    )  # fmt: skip

    def lines(zoom):
        query = {"from": AT.isoformat(), "to": (AT + timedelta(hours=2)).isoformat(), "zoom": zoom}
        body = api.get("/v1/telemetry/V456/track", query).json()
        assert body["properties"]["positions"] == 100
        shape = [len(line) for line in body["geometry"]["coordinates"]]
        assert shape == [len(line) for line in body["properties"]["times"]]
        return shape

    assert lines(5) == [2, 2]
    assert lines(22) == [50, 50]


def test_a_track_is_bounded(world, store, api, monkeypatch):
    from telemetry import track

    monkeypatch.setattr(track, "MAX_POINTS", 10)
    monkeypatch.setattr(track, "_PAGE", 7)
    _, vehicle, _ = world
    store.store([of(vehicle, vehicle_reading, AT_US + n * SECOND, lat=1.0 + (n % 3), lon=2.0)
                 for n in range(33)])  # fmt: skip
    query = {"from": AT.isoformat(), "to": (AT + timedelta(hours=2)).isoformat(), "zoom": 22}
    body = api.get("/v1/telemetry/V456/track", query).json()
    assert body["properties"]["positions"] == 33
    assert body["properties"]["every"] == 4
    week = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
    assert api.get("/v1/telemetry/V456/track", week).status_code == 400


@pytest.mark.parametrize("subject", [VEHICLES, METERS], ids=["vehicles", "meters"])
def test_a_page_of_history_reads_one_index_range_of_the_chunks_in_question(store, subject):
    make = vehicle_reading if subject is VEHICLES else meter_reading
    day = 24 * HOUR
    store.store([make(n % 4 + 1, at=AT_US - n * day // 4000) for n in range(20_000)])
    with django_connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {subject.history_table}")
        cursor.execute(
            f"EXPLAIN SELECT time, reading_id FROM {subject.history_table}"  # noqa: S608
            f" WHERE {subject.key} = 3 AND time >= %s AND time < %s"
            " AND (time, reading_id) < (%s, 7) ORDER BY time DESC, reading_id DESC LIMIT 100",
            [AT - timedelta(days=2), AT, AT],
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Seq Scan" not in plan and "Sort" not in plan, plan
    scans = re.findall(r"Index (?:Only )?Scan\b.* on (\S+_chunk)", plan)
    assert 1 <= len(scans) <= 3, plan


def test_latest_takes_few_queries(world, store, api, django_assert_max_num_queries):
    _, vehicle, _ = world
    store.store([of(vehicle, vehicle_reading, int(timezone.now().timestamp()) * SECOND)])
    api.get("/v1/telemetry/V456/latest")
    with django_assert_max_num_queries(4):
        api.get("/v1/telemetry/V456/latest")
