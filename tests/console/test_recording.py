"""What a vehicle's page draws: attributes, stops, revisions, and extremes that are never lost."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
import time_machine
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.models import Vehicle
from telemetry import attribute_series
from telemetry.models import VehicleLatest, VehicleReadingRow
from tests.console.conftest import Company
from tests.console.test_vehicle_pages import DAY, NOON, drive, page, recording, store

AT_NOON = 12 * 3_600_000


def latest(company: Company, **values: Any) -> None:
    VehicleLatest.objects.create(
        vehicle_id=company.vehicle.pk, tenant_id=company.tenant.pk, device_id=company.device.pk,
        time=NOON, received_at=NOON, reading_id=1, protocol="telemetry.v1", **values,
    )  # fmt: skip


def charted(found: dict[str, Any]) -> dict[str, Any]:
    return {field["name"]: field for field in found["fields"]}


def test_it_charts_the_attributes_that_are_asked_for(company: Company) -> None:
    for n, value in enumerate((21.5, 22, None, 20)):
        sent = {"gear": "D"} if value is None else {"cell_max_c": value, "gear": "D"}
        store(company, NOON + timedelta(seconds=n), attributes=sent)
    latest(company, attributes={"cell_max_c": 20, "gear": "D", "is_open": True})
    offered = recording(company)
    assert offered["more"] == [{"name": "attributes.cell_max_c", "label": "Cell max", "unit": "°C"}]
    assert offered["fields"] == []
    drawn = charted(recording(company, f"?day={DAY}&attribute=cell_max_c&attribute=gear"))
    assert list(drawn) == ["attributes.cell_max_c"]
    assert drawn["attributes.cell_max_c"]["t"] == [AT_NOON, AT_NOON + 1000, AT_NOON + 3000]
    assert drawn["attributes.cell_max_c"]["v"] == [21.5, 22.0, 20.0]


@pytest.mark.parametrize("name", ["x'; DROP TABLE fleet_vehicle; --", "%s", "%(name)s", "a" * 64])
def test_a_hostile_attribute_is_a_name_like_any_other(company: Company, name: str) -> None:
    store(company, NOON, attributes={name: 5})
    latest(company, attributes={name: 5})
    answer = page(company, "vehicle-recording", "")
    assert answer.status_code == 200
    drawn = charted(recording(company, "?" + urlencode({"day": DAY, "attribute": name})))
    assert drawn[f"attributes.{name}"]["v"] == [5.0]


def test_a_number_that_no_float_holds_fails_no_chart(company: Company) -> None:
    store(company, NOON, attributes={"n": 1})
    store(company, NOON + timedelta(seconds=1))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE telemetry_vehicle_reading SET attributes = ('{\"n\": 1' || repeat('0', 400)"
            " || '}')::jsonb WHERE time > %s",
            [NOON],
        )
    latest(company, attributes={"n": 1})
    assert charted(recording(company, f"?day={DAY}&attribute=n"))["attributes.n"]["v"] == [1.0]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=300), st.sampled_from([16, 64, 400]))
def test_sql_buckets_keep_the_extremes_and_the_ends(
    company: Company, values: list[float], points: int
) -> None:
    VehicleReadingRow.objects.all().delete()
    for n, value in enumerate(values):
        store(company, NOON + timedelta(seconds=n), rid=n, attributes={"x": value})
    time, kept = attribute_series.series(
        company.vehicle.pk, "x", start=NOON, end=NOON + timedelta(seconds=300), points=points
    )
    assert len(kept) <= points and (np.diff(time) > 0).all()
    assert (kept.min(), kept.max()) == (min(values), max(values))
    assert (kept[0], kept[-1]) == (values[0], values[-1])
    assert set(kept.tolist()) <= set(values)


def test_one_reading_among_a_day_of_them_still_peaks_in_the_chart(company: Company) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO telemetry_vehicle_reading (vehicle_id, time, reading_id, tenant_id,"
            " received_at, protocol, speed_kmh, attributes)"
            " SELECT %s, t, 1, %s, t, 'telemetry.v1', 40 + n %% 7,"
            " jsonb_build_object('cell', 20 + n %% 5) FROM (SELECT n, %s::timestamptz"
            " + n * interval '2 s' AS t FROM generate_series(0, 19999) n) s",
            [company.vehicle.pk, company.tenant.pk, NOON.replace(hour=0)],
        )
        cursor.execute(
            "UPDATE telemetry_vehicle_reading SET speed_kmh = 133.25,"
            " attributes = '{\"cell\": 77.5}' WHERE time = %s",
            [NOON.replace(hour=0) + timedelta(seconds=24_690)],
        )
    latest(company, speed_kmh=1, attributes={"cell": 20})
    found = recording(company, f"?day={DAY}&attribute=cell")
    assert found["readings"] == 20_000
    for name, peak in (("speed_kmh", 133.25), ("attributes.cell", 77.5)):
        field = charted(found)[name]
        assert len(field["v"]) <= 1700
        assert max(v for v in field["v"] if v is not None) == peak
        assert field["t"][field["v"].index(peak)] == 24_690_000


def test_it_shows_where_it_stood_and_for_how_long(company: Company) -> None:
    drive(company, 3)
    for minutes in range(2, 30):
        store(company, NOON + timedelta(minutes=minutes), speed_kmh=0.0, lat=34.5, lon=-6.9)
    store(company, NOON + timedelta(minutes=30), speed_kmh=50.0, lat=34.6, lon=-6.9)
    found = recording(company)
    [stop] = found["stops"]
    assert (stop["lat"], stop["lon"], stop["text"]) == (34.5, -6.9, "28 min")
    assert (stop["from"], stop["to"]) == (AT_NOON + 120_000, AT_NOON + 1_800_000)
    assert "Stood for 28 min" in found["events"]


def known_for_long(company: Company) -> None:
    Vehicle.objects.for_tenant(company.tenant).update(created_at=NOON - timedelta(days=30))


def test_it_marks_totals_that_late_readings_revised_with_what_they_were(company: Company) -> None:
    known_for_long(company)
    drive(company, 10)
    assert "Revised" not in recording(company)["summary"]
    late = NOON + timedelta(seconds=200)
    store(company, late, odometer_km=1051.0, received_at=late + timedelta(hours=3))
    summary = recording(company)["summary"]
    assert "51.0 km" in summary
    assert "Revised" in summary and "was 1.0 km" in summary
    # It was under way for longer, too; of its charge nothing came late.
    assert summary.count(">Revised<") == 2
    assert "Revised" not in summary.partition(">Charge<")[2]


def test_what_was_brought_along_revised_nothing(company: Company) -> None:
    drive(company, 10)
    late = NOON + timedelta(seconds=200)
    store(company, late, odometer_km=1051.0, received_at=late + timedelta(hours=3))
    found = recording(company)
    assert "51.0 km" in found["summary"] and "Revised" not in found["summary"]
    assert found["late"] == []


def test_a_drive_that_came_late_as_a_whole_revised_nothing(company: Company) -> None:
    known_for_long(company)
    for n in range(5):
        at = NOON + timedelta(seconds=n)
        store(company, at, speed_kmh=50.0, received_at=at + timedelta(days=9))
    assert "Revised" not in recording(company)["summary"]


def test_it_lists_every_signal_with_its_own_age(company: Company) -> None:
    older = (NOON - timedelta(hours=2)).timestamp() * 1e6
    latest(company, soc_pct=55.0, heading_deg=268.8, ignition=True, attributes={"mode": "<i>"},
           older={"soc_pct": [int(older), 4]})  # fmt: skip
    signals = recording(company)["signals"]
    assert "2026-03-02T10:00:00" in signals and "2026-03-02T12:00:00" in signals
    assert "269°" in signals and "268.8" not in signals
    assert "&lt;i&gt;" in signals and "<i>" not in signals


@pytest.mark.parametrize(
    ("minutes_ago", "shown"), [((), "Today"), ((5,), "1 h"), ((300, 5), "Today")]
)
def test_it_opens_with_the_period_that_has_something_to_show(
    company: Company, minutes_ago: tuple[int, ...], shown: str
) -> None:
    now = NOON + timedelta(hours=3)
    for minutes in minutes_ago:
        store(company, now - timedelta(minutes=minutes), speed_kmh=30.0)
    if minutes_ago:
        latest(company, speed_kmh=30.0)
    with time_machine.travel(now, tick=False):
        html = page(company, "vehicle", "").content.decode()
    assert re.search(rf'aria-current="true">{shown}</a>', html)
