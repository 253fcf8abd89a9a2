"""The vehicle's page, energy and operations: who may see them, and that what they say is true."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from fleet import services
from fleet.models import Vehicle
from telemetry import arrays, energy
from telemetry.clock import to_us
from telemetry.models import MeterHour, VehicleHour, VehicleReadingRow
from telemetry.pages import energy as energy_pages
from tenants.models import AuditEntry, Role
from tests.console.conftest import Company, hear
from tests.people import NORTH_AMERICAN_VIN, acting, an_organisation, client_of, the_owner

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
    store(company, NOON, rid=3, satellites=9)
    [rows] = arrays.pages(company.vehicle.pk, start=NOON, end=NOON + timedelta(seconds=1))
    assert rows.time.tolist() == [to_us(NOON)] * 2
    assert rows.received[0] - rows.time[0] == 200_000
    assert rows.values["soc_pct"][0] == 12.5 and rows.values["ignition"][0] == 1
    assert rows.values["energy_dc_kwh"][0] == 0.000001
    assert rows.values["satellites"][1] == 9
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


# --- Energy and use -------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def nothing_cached() -> None:
    cache.clear()


def use_hour(company: Company, hour: datetime, **values: Any) -> None:
    counts = {f"{f}_count": 0 for f in ("speed_kmh", "soc_pct", "battery_temp_c", "energy_dc_kwh")}
    VehicleHour.objects.create(
        vehicle_id=company.vehicle.pk, hour=hour, tenant_id=company.tenant.pk, readings=60, late=0,
        first_time=hour, last_time=hour + timedelta(minutes=30), **{**counts, **values},
    )  # fmt: skip


def meter_hour(company: Company, hour: datetime, kwh: str) -> None:
    MeterHour.objects.create(
        meter_id=company.meter.pk, hour=hour, tenant_id=company.tenant.pk, readings=1, late=0,
        first_time=hour, last_time=hour, energy_ac_kwh_sum=Decimal(kwh), energy_ac_kwh_count=1,
        power_kw_count=0,
    )  # fmt: skip


def this_hour() -> datetime:
    return timezone.now().replace(minute=0, second=0, microsecond=0)


def used(company: Company, days: int = 30) -> energy.Use:
    end = this_hour() + timedelta(hours=1)
    return energy.use_of(
        [company.vehicle.pk],
        [company.meter.pk],
        start=end - timedelta(days=days),
        end=end,
    )


def test_it_adds_up_energy_to_the_last_digit_and_distance_between_the_hours(
    company: Company,
) -> None:
    hour = this_hour()
    use_hour(company, hour - timedelta(days=20), energy_dc_kwh_sum=Decimal("0.100001"),
             odometer_km_min=100.0, odometer_km_max=110.0)  # fmt: skip
    use_hour(company, hour, energy_dc_kwh_sum=Decimal("0.200002"),
             odometer_km_min=150.0, odometer_km_max=160.0)  # fmt: skip
    meter_hour(company, hour, "0.400000")
    found = used(company)
    assert found.dc_kwh == Decimal("0.300003")
    assert found.ac_kwh == Decimal("0.400000")
    assert found.km == 60
    assert found.efficiency == pytest.approx(0.7500075)


def test_it_estimates_distance_from_speed_where_there_is_no_odometer(company: Company) -> None:
    use_hour(company, this_hour(), speed_kmh_sum=Decimal(1200), speed_kmh_count=30)
    one = used(company).vehicles[company.vehicle.pk]
    assert one.is_estimated
    assert one.km == pytest.approx(20)  # 40 km/h for half an hour


def test_it_gives_a_vehicle_the_ac_of_its_mapped_meter_only_while_it_was_mapped(
    company: Company,
) -> None:
    hour = this_hour()
    services.map_meter(
        actor=acting(company.tenant), meter=company.meter, vehicle=company.vehicle,
        valid_from=hour - timedelta(hours=2), valid_to=hour,
    )  # fmt: skip
    use_hour(company, hour - timedelta(hours=1))
    for back in range(4):
        meter_hour(company, hour - timedelta(hours=back), "1.5")
    found = used(company)
    assert found.vehicles[company.vehicle.pk].ac_kwh == Decimal("3.0")
    assert found.ac_kwh == Decimal("6.0")


def test_it_asks_no_more_of_a_year_than_of_a_week(
    company: Company, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    use_hour(company, this_hour() - timedelta(days=300), energy_dc_kwh_sum=Decimal(1))
    meter_hour(company, this_hour() - timedelta(days=2), "1.5")
    for days, dc_kwh in ((7, None), (365, Decimal(1))):
        with django_assert_num_queries(8):
            assert used(company, days).dc_kwh == dc_kwh


def test_the_energy_page_and_its_exports_say_the_same(company: Company) -> None:
    use_hour(company, this_hour(), energy_dc_kwh_sum=Decimal("12.345678"),
             odometer_km_min=0.0, odometer_km_max=50.0)  # fmt: skip
    for role in Role.values:
        shown = company.browser(role).get(reverse("energy"))
        assert shown.status_code == 200
        assert "12.3 kWh" in shown.content.decode()
    exported = company.browser().get(reverse("energy-export"))
    [row] = csv.DictReader(io.StringIO(text_of(exported).lstrip("\ufeff")))
    assert (row["id"], row["dc [kWh]"], row["distance [km]"]) == ("V1", "12.345678", "50.0")
    assert company.browser().get(reverse("energy-export") + "?format=xlsx").content[:2] == b"PK"


def test_bars_bear_the_days_of_the_organisations_zone(company: Company) -> None:
    company.tenant.time_zone = "Pacific/Auckland"
    company.tenant.save()
    with time_machine.travel(datetime(2026, 6, 10, 3, tzinfo=UTC), tick=False):
        # In Auckland it is 15:00 of the tenth, and its midnight was at noon of the ninth.
        use_hour(company, datetime(2026, 6, 9, 13, tzinfo=UTC), energy_dc_kwh_sum=Decimal("7.5"))
        shown = company.browser().get(reverse("energy") + "?period=7d").content.decode()
    assert 'title="10 Jun 2026 · AC 0.0 kWh · DC 7.5 kWh' in shown
    assert "Pacific/Auckland" in shown


def test_the_energy_of_another_organisation_is_not_counted(
    company: Company, stranger: Company
) -> None:
    use_hour(company, this_hour(), energy_dc_kwh_sum=Decimal("77.7"))
    shown = stranger.browser().get(reverse("energy")).content.decode()
    assert "77.7" not in shown and "Atlas" not in shown


def test_an_organisation_without_vehicles_is_told_what_to_do(db: Any) -> None:
    owner = the_owner(an_organisation("Empty"))
    shown = client_of(owner).get(reverse("energy")).content.decode()
    assert "Add a vehicle" in shown


def test_the_energy_page_asks_the_same_number_of_questions_for_any_fleet(
    company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(20):
        services.create_vehicle(
            actor=acting(company.tenant), reference=f"E{n}", name=f"E{n}", fleet=company.fleet
        )
    company.browser().get(reverse("energy"))
    with django_assert_max_num_queries(9 + 8):
        company.browser().get(reverse("energy") + "?period=7d")


# --- Operations -----------------------------------------------------------------------------


def test_it_shows_operations_to_owners_and_to_staff_alone(company: Company) -> None:
    hear(company)
    answers = {
        role: company.browser(role).get(reverse("operations")).status_code for role in Role.values
    }
    assert answers == {"owner": 200, "manager": 403, "dispatcher": 403, "viewer": 403}
    staff = company.people[Role.VIEWER]
    staff.is_staff = True
    staff.save()
    assert client_of(staff).get(reverse("operations")).status_code == 200


def test_it_measures_rates_between_two_looks(company: Company) -> None:
    owner = company.browser(Role.OWNER)
    with time_machine.travel(timezone.now() - timedelta(seconds=30), tick=False):
        first = owner.get(reverse("operations"))
    assert first.context["rates"] is None
    use_hour(company, this_hour())
    second = owner.get(reverse("operations"), {"before": first.context["token"]})
    readings, refused = second.context["rates"]
    assert readings == pytest.approx(2, rel=0.1)  # sixty in half a minute
    assert refused == 0


def test_it_believes_no_made_up_counters(company: Company, stranger: Company) -> None:
    theirs = stranger.browser(Role.OWNER).get(reverse("operations")).context["token"]
    for token in ("nonsense", theirs):
        shown = company.browser(Role.OWNER).get(reverse("operations"), {"before": token})
        assert shown.context["rates"] is None


def test_the_ranking_shows_some_at_first_and_more_when_asked(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energy_pages, "RANKED", 1)
    monkeypatch.setattr(energy_pages, "MOST_RANKED", 2)
    use_hour(company, this_hour(), odometer_km_min=0.0, odometer_km_max=90.0)
    for n in (2, 3):
        other = services.create_vehicle(
            actor=acting(company.tenant), reference=f"R{n}", name=f"Other {n}", fleet=company.fleet
        )
        use_hour(replace(company, vehicle=other), this_hour(), odometer_km_min=0.0,
                 odometer_km_max=float(n))  # fmt: skip
    browser = company.browser(Role.VIEWER)
    few = browser.get(reverse("energy") + "?sort=km").content.decode()
    assert "Atlas van" in few and "Other 3" not in few and "2 more in the export" in few
    assert "ranked=all" in few
    more = browser.get(reverse("energy") + "?sort=km&ranked=all").content.decode()
    assert "Other 3" in more and "Other 2" not in more and "1 more in the export" in more
    assert "ranked=all" not in more
