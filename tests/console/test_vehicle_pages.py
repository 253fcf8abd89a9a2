"""The vehicle's page: who may see what, that what it says is true, and its exports."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from fleet import services
from fleet.models import Vehicle
from telemetry import arrays
from telemetry.clock import to_us
from telemetry.models import VehicleReadingRow
from tenants.models import AuditEntry, Role
from tests.console.conftest import Company, hear
from tests.people import NORTH_AMERICAN_VIN, acting

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = "2026-03-02"
GPX = "{http://www.topografix.com/GPX/1/1}"
PAGES = ("vehicle", "vehicle-recording", "vehicle-readings", "vehicle-csv", "vehicle-gpx",
         "vehicle-geojson")  # fmt: skip


def store(company: Company, at: datetime, rid: int = 1, **values: Any) -> None:
    VehicleReadingRow.objects.create(
        **{
            "vehicle_id": company.vehicle.pk,
            "tenant_id": company.tenant.pk,
            "device_id": company.device.pk,
            "time": at,
            "received_at": at + timedelta(milliseconds=200),
            "reading_id": rid,
            "protocol": "telemetry.v1",
            **values,
        }
    )


def drive(company: Company, readings: int = 30) -> None:
    for n in range(readings):
        store(
            company,
            NOON + timedelta(seconds=10 * n),
            lat=34.0 + n / 1000,
            lon=-6.8,
            speed_kmh=40.0,
            soc_pct=80 - n / 10,
            odometer_km=1000 + n / 9,
        )


def page(company: Company, name: str, query: str = f"?day={DAY}", role: str = Role.VIEWER) -> Any:
    return company.browser(role).get(reverse(name, args=["V1"]) + query)


def text_of(response: Any) -> str:
    return b"".join(response.streaming_content).decode()


def recording(company: Company, query: str = f"?day={DAY}") -> dict[str, Any]:
    return page(company, "vehicle-recording", query).json()  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", PAGES)
def test_it_shows_every_role_the_vehicle(company: Company, name: str) -> None:
    drive(company)
    for role in Role.values:
        assert page(company, name, role=role).status_code == 200


@pytest.mark.parametrize("name", PAGES)
def test_it_hides_the_vehicle_of_another_organisation(
    company: Company, stranger: Company, name: str
) -> None:
    services.create_vehicle(
        actor=acting(company.tenant), reference="ONLY", name="Only", fleet=company.fleet
    )
    assert stranger.browser().get(reverse(name, args=["ONLY"])).status_code == 404


def test_it_draws_what_was_recorded(company: Company) -> None:
    drive(company)
    found = recording(company)
    fields = {field["name"]: field for field in found["fields"]}
    assert set(fields) == {"speed_kmh", "soc_pct", "odometer_km"}
    at_noon = 12 * 3600 * 1000
    assert fields["soc_pct"]["t"][:2] == [at_noon, at_noon + 10_000]
    assert fields["soc_pct"]["v"][-1] == 77.1
    assert found["readings"] == 30
    assert found["way"]["lat"][0] == 34.0 and len(found["way"]["t"]) == 30
    assert "3.2 km" in found["summary"]


def test_it_follows_the_clock_of_the_organisation(company: Company) -> None:
    company.tenant.time_zone = "Europe/Berlin"
    company.tenant.save()
    # The night when clocks go forward: a day of 23 hours.
    found = recording(company, "?day=2026-03-29")
    assert found["end"] - found["start"] == 23 * 3_600_000
    assert [ahead for _since, ahead in found["clock"]] == [3600, 7200]
    assert found["clock"][1][0] == datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp() * 1000


def test_it_names_why_the_vehicle_was_silent(company: Company) -> None:
    store(company, NOON, speed_kmh=50.0)
    store(company, NOON + timedelta(minutes=30), speed_kmh=0.0, ignition=False)
    whys = [gap["why"] for gap in recording(company)["gaps"]]
    assert "moving" in whys[1] and "asleep" in whys[2]


def test_it_remarks_on_late_readings_alarms_and_invalid_values(company: Company) -> None:
    Vehicle.objects.for_tenant(company.tenant).update(created_at=NOON - timedelta(days=1))
    store(company, NOON, received_at=NOON + timedelta(minutes=38), speed_kmh=1.0)
    store(company, NOON + timedelta(seconds=5), alarms=["harsh_braking"], invalid=["soc_pct"])
    events = recording(company)["events"]
    assert "38 min late" in events
    assert "Harsh braking" in events
    assert "soc_pct" in events


def test_it_opens_on_the_last_day_it_was_heard(company: Company) -> None:
    hear(company, ago=timedelta(days=9))
    shown = page(company, "vehicle", "").content.decode()
    last = (timezone.now() - timedelta(days=9)).astimezone(UTC)
    assert f'value="{last:%Y-%m-%d}"' in shown


def test_it_opens_the_day_of_a_linked_moment(company: Company) -> None:
    shown = page(company, "vehicle", "?t=2026-03-02T12:00:10Z").content.decode()
    assert f'value="{DAY}"' in shown
    assert str(int(NOON.timestamp()) * 1000 + 10_000) in shown


@pytest.mark.parametrize(
    "query",
    ["?day=2026-02-31", "?day=0001-01-01", "?from=x", "?range=ever",
     "?from=2026-03-02&to=2020-01-01", "?t=%00", "?from=9999-12-31T23:59:59Z", "?after=@@@"],
)  # fmt: skip
def test_it_takes_nonsense_for_no_period(company: Company, query: str) -> None:
    for name in ("vehicle", "vehicle-recording", "vehicle-readings"):
        assert page(company, name, query).status_code == 200


def test_it_says_when_more_was_asked_for_than_it_shows(company: Company) -> None:
    shown = page(company, "vehicle", "?from=2025-01-01T00:00Z&to=2026-01-01T00:00Z")
    assert "31 days" in shown.content.decode()
    period = shown.context["period"]
    assert period.end - period.start == timedelta(days=31)


def test_it_exports_what_the_database_holds(company: Company) -> None:
    drive(company)
    store(company, NOON + timedelta(hours=1), energy_dc_kwh=Decimal("0.100001"), driver="=1+1")
    rows = list(csv.DictReader(io.StringIO(text_of(page(company, "vehicle-csv")).lstrip("\ufeff"))))
    stored = list(VehicleReadingRow.objects.filter(vehicle_id=company.vehicle.pk).order_by("time"))
    assert len(rows) == len(stored) == 31
    for row, reading in zip(rows, stored, strict=True):
        assert datetime.fromisoformat(row["time"]) == reading.time
        assert row["speed_kmh [km/h]"] == ("" if reading.speed_kmh is None else "40.0")
    assert rows[-1]["energy_dc_kwh [kWh]"] == "0.100001"
    assert rows[-1]["driver"] == "'=1+1"


def test_it_exports_the_way_as_gpx_in_a_segment_for_each_stretch(company: Company) -> None:
    drive(company, 3)
    store(company, NOON + timedelta(hours=1), lat=35.0, lon=-7.0, altitude_m=75.5)
    root = ET.fromstring(text_of(page(company, "vehicle-gpx")))  # noqa: S314
    segments = root.findall(f".//{GPX}trkseg")
    assert [len(segment) for segment in segments] == [3, 1]
    point = segments[1][0]
    assert (point.get("lat"), point.get("lon")) == ("35.0", "-7.0")
    assert point.findtext(f"{GPX}ele") == "75.5"
    assert point.findtext(f"{GPX}time") == "2026-03-02T13:00:00Z"


def test_it_exports_an_empty_way_as_files_that_can_be_read(company: Company) -> None:
    root = ET.fromstring(text_of(page(company, "vehicle-gpx")))  # noqa: S314
    assert root.find(f"{GPX}trk") is not None
    assert json.loads(text_of(page(company, "vehicle-geojson")))["features"] == []


def test_it_exports_points_with_their_values_as_geojson(company: Company) -> None:
    drive(company, 2)
    store(company, NOON + timedelta(minutes=1), lat=1.0, lon=2.0, energy_dc_kwh=Decimal("0.25"))
    store(company, NOON + timedelta(minutes=2), soc_pct=5.0)
    features = json.loads(text_of(page(company, "vehicle-geojson")))["features"]
    assert len(features) == 3
    assert features[2]["geometry"]["coordinates"] == [2.0, 1.0]
    assert features[2]["properties"]["energy_dc_kwh"] == 0.25


def test_it_pages_through_raw_readings_without_losing_any(company: Company) -> None:
    drive(company, 250)
    seen: list[datetime] = []
    after = ""
    for _page in range(3):
        shown = page(company, "vehicle-readings", f"?day={DAY}&after={after}")
        seen += [row["time"] for row in shown.context["rows"]]
        after = shown.context["older"]
    assert after == ""
    assert len(seen) == len(set(seen)) == 250
    assert seen == sorted(seen, reverse=True)


def test_it_reveals_a_vin_to_those_who_may_and_records_why(company: Company) -> None:
    services.update_vehicle(
        actor=acting(company.tenant), vehicle=company.vehicle, vin_number=NORTH_AMERICAN_VIN
    )
    address = reverse("vehicle-vin", args=["V1"])
    shown = page(company, "vehicle").content.decode()
    assert NORTH_AMERICAN_VIN not in shown and "Reveal" not in shown
    for role in (Role.VIEWER, Role.DISPATCHER):
        assert company.browser(role).post(address, {"reason": "curious"}).status_code == 403
    manager = company.browser(Role.MANAGER)
    assert manager.post(address, {"reason": " "}).status_code == 422
    revealed = manager.post(address, {"reason": "insurance"})
    assert NORTH_AMERICAN_VIN in revealed.content.decode()
    assert "no-store" in revealed["Cache-Control"]
    entry = AuditEntry.objects.for_tenant(company.tenant).get(action="vehicle.vin_revealed")
    assert entry.reason == "insurance"


def test_the_pages_of_a_vehicle_cost_the_same_however_much_there_is(
    company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    drive(company, 120)
    for name, most in (("vehicle", 10), ("vehicle-recording", 9), ("vehicle-readings", 9)):
        page(company, name)
        with django_assert_max_num_queries(most):
            page(company, name)


def test_it_reads_a_page_of_arrays_as_they_are_stored(company: Company) -> None:
    store(company, NOON, rid=-7, soc_pct=12.5, ignition=True, energy_dc_kwh=Decimal("0.000001"))
    store(company, NOON, rid=3, satellites=9, alarms=["power_cut"], invalid=[])
    store(company, NOON, rid=4, alarms=["sos", "tow"], invalid=["soc_pct"])
    [rows] = arrays.pages(company.vehicle.pk, start=NOON, end=NOON + timedelta(seconds=1))
    assert rows.time.tolist() == [to_us(NOON)] * 3
    assert rows.received[0] - rows.time[0] == 200_000
    assert rows.values["soc_pct"][0] == 12.5 and rows.values["ignition"][0] == 1
    assert rows.values["energy_dc_kwh"][0] == 0.000001
    assert rows.values["satellites"][1] == 9
    assert rows.values["alarms"].tolist() == [0, 1, 1]
    assert rows.values["invalid"].tolist() == [0, 0, 1]
    assert rows.values["soc_pct"][1] != rows.values["soc_pct"][1]  # NaN: not sent


def test_it_goes_on_where_a_page_of_arrays_ended(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rid in (-5, 2, 9):
        store(company, NOON, rid=rid, soc_pct=float(rid + 10))
    store(company, NOON + timedelta(seconds=1), soc_pct=99.0)
    monkeypatch.setattr(arrays, "PAGE", 2)
    pages = list(arrays.pages(company.vehicle.pk, start=NOON, end=NOON + timedelta(seconds=5)))
    assert [v for rows in pages for v in rows.values["soc_pct"]] == [5.0, 12.0, 19.0, 99.0]
