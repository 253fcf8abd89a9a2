"""Energy and use: the sums, whose they are, and what the page shows of them."""

from __future__ import annotations

import csv
import io
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
from telemetry import energy
from telemetry.models import MeterHour, VehicleHour
from telemetry.pages import energy as energy_pages
from tenants.models import Role
from tests.console.conftest import Company
from tests.console.test_vehicle_pages import text_of
from tests.people import acting, an_organisation, client_of, the_owner


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


@pytest.mark.parametrize(
    ("most", "values"),
    [(0, []), (4712, [2000, 4000]), (9900, [2000, 4000, 6000, 8000]), (10, [5, 10]),
     (3.9, [1, 2, 3]), (0.5, [0.2, 0.4])],
)  # fmt: skip
def test_the_bars_stand_before_round_values(most: float, values: list[float]) -> None:
    levels = energy_pages._levels(most)
    assert [level["value"] for level in levels] == pytest.approx(values)
    assert all(0 < level["share"] <= 100 for level in levels)
