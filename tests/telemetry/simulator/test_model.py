"""The model of the fleet: what physics and arithmetic demand of every drive."""

import math
import random
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.simulator.battery import KWH, Battery
from telemetry.simulator.corridors import DEPOTS
from telemetry.simulator.fleet import LastSeen, depot_of, paths_of, place
from telemetry.simulator.geometry import Path, distance_m, heading_deg
from telemetry.simulator.meters import CHARGER_EFFICIENCY, STANDBY_KW, SimulatedMeter
from telemetry.simulator.reading import reading_of
from telemetry.simulator.vehicle import Activity
from tests.telemetry.simulator.contract import assert_allowed

KINDS = ("van", "truck", "car", "bus")


def battery(soc=0.5, temperature_c=25.0):
    return Battery(capacity_kwh=60, nominal_v=380, soc=soc, temperature_c=temperature_c)


@given(
    st.floats(0, 1),
    st.lists(st.tuples(st.floats(-150_000, 150_000), st.floats(0.1, 600)), max_size=30),
)
def test_it_never_leaves_the_range_of_its_charge_and_keeps_its_energy(soc, flows):
    pack = battery(soc)
    for power_w, seconds in flows:
        before = pack.soc
        passed_j = pack.flow(power_w, seconds, 20)
        stored_j = (pack.soc - before) * 60 * KWH
        assert 0 <= pack.soc <= 1
        assert -60 < pack.temperature_c < 120
        # The inner resistance takes its share, whichever way the current flows.
        assert stored_j <= passed_j + 1e-3


def test_a_hot_pack_protects_itself():
    """Driven to and fro at two and a half times its capacity, for hours."""
    pack = battery(0.8)
    for power_w in (-150_000, 150_000) * 30:
        pack.flow(power_w, 600, 20)
        assert pack.temperature_c < 100
    assert pack.temperature_c > 50
    assert battery(0.5, 57.5).flow(-60_000, 1, 20) == pytest.approx(-30_000)
    assert battery(0.5, 66.0).flow(-60_000, 1, 20) == 0


def test_it_takes_a_tapering_charge_until_it_is_full():
    pack, powers = battery(0.5), []
    while not pack.full:
        power = pack.accepts_w(22_000)
        powers.append(power)
        pack.flow(power, 60, 20)
    assert powers == sorted(powers, reverse=True)
    assert powers[-1] < powers[0] / 10
    assert pack.accepts_w(22_000) == 0


def test_it_warms_under_load_and_cools_back_to_the_air():
    pack = battery(0.9, 20)
    for _ in range(30):
        pack.flow(-60_000, 60, 20)
    warm = pack.temperature_c
    pack.rest(12 * 3_600, 20)
    assert warm > 25
    assert 20 <= pack.temperature_c < 21


@pytest.mark.parametrize("kind", KINDS)
def test_it_uses_as_much_energy_as_such_vehicles_do(kind):
    plausible_kwh_per_100_km = {
        "van": (15, 35),
        "truck": (50, 110),
        "car": (9, 22),
        "bus": (60, 150),
    }
    vehicles = [place(index, kind, None, 3, None) for index in range(12)]
    started = [vehicle.odometer_km for vehicle in vehicles]
    for _ in range(2 * 3_600):
        for vehicle in vehicles:
            vehicle.step(1.0, 20)
    km = sum(v.odometer_km - start for v, start in zip(vehicles, started, strict=True))
    kwh = sum(vehicle.drawn_j for vehicle in vehicles) / KWH
    low, high = plausible_kwh_per_100_km[kind]
    assert km > 100
    assert low < kwh / km * 100 < high


def test_it_drives_without_jumping_and_within_what_tyres_can_do():
    vehicle = place(1, "van", None, 5, None)
    vehicle.begin_trip()
    where, speed = vehicle.position()[0], vehicle.speed_ms
    for _ in range(3_600):
        vehicle.step(1.0, 20)
        there = vehicle.position()[0]
        if vehicle.activity is Activity.DRIVING and not vehicle.in_depot:
            assert distance_m(where, there) <= (speed + vehicle.speed_ms) / 2 + 1.0
            assert -3.5 <= vehicle.speed_ms - speed <= vehicle.build.acceleration + 1e-9
        where, speed = there, vehicle.speed_ms


def test_it_shows_every_kind_of_activity_from_the_start_and_after_hours():
    vehicles = [place(index, "van", None, 1, None) for index in range(120)]
    assert set(Counter(v.activity for v in vehicles)) == set(Activity)
    for _ in range(1_440):
        for vehicle in vehicles:
            vehicle.step(10.0, 20)
    assert set(Counter(v.activity for v in vehicles)) == set(Activity)


def test_it_reports_only_fields_and_values_that_the_contract_allows():
    vehicles = [place(index, KINDS[index % 4], None, 9, None) for index in range(40)]
    for second in range(0, 7_200, 10):
        for vehicle in vehicles:
            vehicle.step(10.0, 20)
            assert_allowed(reading_of(vehicle, 1_763_640_000_000 + second * 1000, 20))


def test_it_hands_over_every_joule_that_was_charged_once():
    vehicle = place(3, "van", None, 1, None)
    vehicle.activity, vehicle.battery.soc, vehicle.charge_to = Activity.CHARGING, 0.3, 0.9
    charged, reported = 0.0, Decimal(0)
    while vehicle.activity is Activity.CHARGING:
        before = vehicle.charged_j
        vehicle.step(5.0, 20)
        charged += vehicle.charged_j - before
        reported += reading_of(vehicle, 0, 20).get("energy_dc_kwh", Decimal(0))
    assert float(reported) == pytest.approx(charged / KWH, abs=2e-6)
    assert 0.6 * 68 * 0.99 < float(reported) < 0.6 * 68 * 1.1


def test_it_meters_what_goes_into_the_packs_and_what_the_charger_loses():
    vehicle = place(3, "van", None, 1, None)
    vehicle.activity, vehicle.battery.soc, vehicle.charge_to = Activity.CHARGING, 0.3, 0.7
    meter = SimulatedMeter("M1", [vehicle], random.Random(1))
    delivered, counted, seconds = Decimal(0), Decimal(0), 0
    while True:
        vehicle.step(1.0, 20)
        if vehicle.activity is not Activity.CHARGING:
            break
        meter.step(1.0)
        seconds += 1
        delivered += reading_of(vehicle, 0, 20).get("energy_dc_kwh", Decimal(0))
        counted += meter.take_reading(0)["energy_ac_kwh"]
    standby = STANDBY_KW * seconds / 3_600
    assert float(delivered) / (float(counted) - standby) == pytest.approx(
        CHARGER_EFFICIENCY, rel=2e-3
    )


def test_it_is_the_same_fleet_for_the_same_seed():
    def history(seed):
        vehicle = place(4, "van", None, seed, None)
        for _ in range(600):
            vehicle.step(1.0, 20)
        return vehicle.position(), vehicle.battery.soc

    assert history(1) == history(1)
    assert history(1) != history(2)


@pytest.mark.parametrize("index", range(10))
def test_it_goes_on_from_where_it_was_last_seen(index):
    before = place(index, "van", None, 1, None)
    for _ in range(900):
        before.step(1.0, 20)
    (lat, lon), _ = before.position()
    charging = before.activity is Activity.CHARGING
    soc = before.battery.soc * 100
    last = LastSeen(lat, lon, soc, before.odometer_km, before.battery.temperature_c, charging)
    after = place(index, "van", None, 2, last)
    assert distance_m(after.position()[0], (lat, lon)) < 130
    assert after.battery.soc == pytest.approx(before.battery.soc)
    assert after.odometer_km == before.odometer_km
    assert (after.activity is Activity.CHARGING) == charging


def test_it_goes_on_charging_by_the_roadside():
    stranded = place(1, "van", None, 1, None)
    stranded.begin_trip(0)
    stranded.metres = stranded.path.length_m / 2
    here, _ = stranded.position()
    after = place(1, "van", None, 2, LastSeen(*here, 4.0, 10.0, 20.0, True))
    assert after.activity is Activity.CHARGING
    assert distance_m(after.position()[0], here) < 130
    driven = 0.0
    while after.activity is not Activity.DRIVING:
        before, _ = after.position()
        after.step(60.0, 20)
        driven = max(driven, distance_m(after.position()[0], before))
    assert driven == 0.0 and not after.outbound


def test_it_goes_on_where_it_was_though_it_was_given_the_number_of_another_depot():
    before = place(7, "van", None, 1, None)
    before.begin_trip(0)
    before.metres = before.path.length_m / 2
    here, _ = before.position()
    after = place(0, "van", None, 1, LastSeen(*here, 50.0, 10.0, 20.0, False))
    assert depot_of(7) != depot_of(0)
    assert distance_m(after.position()[0], here) < 130
    assert after.odometer_km == 10.0
    assert after.paths == before.paths


def test_it_starts_afresh_where_the_last_position_is_on_none_of_its_roads():
    last = LastSeen(48.85, 2.35, 50.0, 10.0, 20.0, False)
    assert place(1, "van", None, 1, last).position() == place(1, "van", None, 1, None).position()


@pytest.mark.parametrize("depot", DEPOTS, ids=lambda depot: depot.name)
def test_its_roads_are_smooth_and_begin_at_the_depot(depot):
    for path, route in zip(paths_of(depot), depot.routes, strict=True):
        assert distance_m(path.points[0], depot.at) < 1
        assert len(path.points) >= 40, route.name
        gaps = [distance_m(a, b) for a, b in zip(path.points, path.points[1:], strict=False)]
        assert max(gaps) < 200, route.name
        # Every point that was drawn is still on the smoothed road.
        assert all(path.nearest_m(point)[1] < 1 for point in route.points)


def test_it_slows_down_for_a_bend():
    corner = Path([(34.0, -6.8), (34.01, -6.8), (34.01, -6.79)], cruise_kmh=90)
    bend_m, _ = corner.nearest_m((34.01, -6.8))
    assert min(corner.limit_ms(bend_m + gap) for gap in range(-130, 130, 10)) < 20
    assert corner.limit_ms(10) == pytest.approx(25)


@pytest.mark.parametrize(("there", "degrees"), [((1, 0), 0), ((0, 1), 90), ((-1, 0), 180)])
def test_it_counts_headings_clockwise_from_north(there, degrees):
    assert math.isclose(heading_deg((0, 0), there), degrees, abs_tol=0.01)


def test_it_stands_still_in_no_time():
    vehicle = place(1, "van", None, 5, None)
    vehicle.begin_trip()
    vehicle.step(1.0, 20)
    before = vehicle.position()
    vehicle.step(0.0, 20)
    assert vehicle.position() == before
