"""The week before: continuous, within physics, the same for the same seed."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from telemetry.simulator.duty import Part, hours_of, parts_before
from telemetry.simulator.filling import read_meter
from telemetry.simulator.geometry import distance_m
from telemetry.simulator.meters import CHARGER_EFFICIENCY, STANDBY_KW
from telemetry.simulator.past import (
    METER_S,
    PARTS,
    Setting,
    Subject,
    past_of,
    present_of,
    told_of,
)
from telemetry.simulator.stories import STORIES, begins_before
from telemetry.simulator.vehicle import Activity
from tests.telemetry.simulator.contract import assert_allowed

ZONE = ZoneInfo("Africa/Casablanca")
FRIDAY_NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
VAN, TRUCK, BUS = Subject(1, "van", 68), Subject(19, "truck", 300), Subject(8, "bus", 350)
WITH_STORIES = [Subject(0, "van", 68), Subject(3, "truck", 240), Subject(11, "van", 68)]
EVERYBODY = [VAN, TRUCK, BUS, Subject(5, "car", 52), *WITH_STORIES]


def setting(until=FRIDAY_NOON, seed=1):
    return Setting(until, ZONE, seed)


def week(subject, where):
    """Its readings in the order of time."""
    stretches = list(past_of(subject, where))
    readings = [one for lived in stretches for one in (*lived.readings, *lived.told)]
    return sorted(readings, key=lambda reading: reading["time"])


def local(reading):
    return datetime.fromtimestamp(reading["time"] / 1000, ZONE)


@pytest.fixture(scope="module")
def weeks():
    return {subject.number: week(subject, setting()) for subject in EVERYBODY}


def any_case(number):
    """A vehicle and a moment, both by chance."""
    chance = random.Random(number)
    moment = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(270 * 86_400))
    kind = chance.choice(["van", "truck", "bus", "car"])
    # Some with a story.
    return Subject(chance.choice([0, 3, 11, *range(100)]), kind, None), moment.timestamp()


@pytest.mark.parametrize("case", range(12))
def test_it_never_jumps_whenever_it_ends(case):
    subject, until = any_case(case)
    readings = week(subject, setting(until))
    top_ms = 42.0
    for one, next_ in pairwise(readings):
        seconds = (next_["time"] - one["time"]) / 1000
        assert 0 < seconds < 245  # a vehicle silent for five minutes would be dark
        way = distance_m((one["lat"], one["lon"]), (next_["lat"], next_["lon"]))
        # Into its bay, and what a receiver adds.
        assert way <= top_ms * seconds + 120
        assert next_["odometer_km"] - one["odometer_km"] + 1e-9 >= 0
        assert next_["odometer_km"] - one["odometer_km"] <= top_ms * seconds / 1000
        assert abs(next_["soc_pct"] - one["soc_pct"]) <= 0.05 * seconds + 0.1
        if subject.number not in STORIES:
            assert abs(next_["battery_temp_c"] - one["battery_temp_c"]) < 4
    assert readings[0]["time"] / 1000 < until - 7 * 86_400
    assert until - 245 < readings[-1]["time"] / 1000 <= until


@pytest.mark.parametrize("subject", EVERYBODY, ids=lambda subject: str(subject.number))
def test_it_goes_on_live_from_where_it_ends(subject, weeks):
    last, vehicle = weeks[subject.number][-1], present_of(subject, setting())
    seconds = setting().until - last["time"] / 1000
    here = vehicle.position()[0]
    assert distance_m((last["lat"], last["lon"]), here) <= 42 * seconds + 90
    assert 0 <= vehicle.odometer_km - last["odometer_km"] + 1e-9 <= 42 * seconds / 1000 + 0.001
    assert abs(vehicle.battery.soc * 100 - last["soc_pct"]) < 0.05 * seconds + 0.1
    assert vehicle.orders is None
    assert vehicle.haste == 1


def test_it_leaves_the_depot_after_its_past_without_orders():
    vehicles = [present_of(Subject(number, "van", 68), setting()) for number in range(20)]
    before = [vehicle.odometer_km for vehicle in vehicles]
    for _ in range(1_200):
        for vehicle in vehicles:
            vehicle.step(3.0, 20)
    assert sum(v.odometer_km > km for v, km in zip(vehicles, before, strict=True)) >= 12


def test_it_shows_a_lively_fleet_where_it_ends():
    for hour in (2, 8, 13, 21):
        until = datetime(2026, 11, 18, hour, tzinfo=UTC).timestamp()
        doing = [
            present_of(Subject(number, "van", 68), setting(until)).activity for number in range(40)
        ]
        assert sum(one is Activity.DRIVING for one in doing) >= 6, hour


def test_it_is_the_same_past_for_the_same_seed():
    assert week(TRUCK, setting()) == week(TRUCK, setting())
    assert week(TRUCK, setting()) != week(TRUCK, setting(seed=2))
    assert week(TRUCK, setting()) != week(Subject(20, "truck", 300), setting())


@pytest.mark.parametrize("subject", EVERYBODY, ids=lambda subject: str(subject.number))
def test_it_reports_only_what_the_contract_allows(subject, weeks):
    for reading in weeks[subject.number]:
        assert_allowed(reading)


@pytest.mark.parametrize(
    ("subject", "kwh_per_100_km"),
    [(VAN, (15, 40)), (TRUCK, (50, 110)), (BUS, (60, 160))],
    ids=["van", "truck", "bus"],
)
def test_it_charges_what_it_drives(subject, kwh_per_100_km, weeks):
    readings = weeks[subject.number]
    km = readings[-1]["odometer_km"] - readings[0]["odometer_km"]
    charged = float(sum(reading.get("energy_dc_kwh", Decimal(0)) for reading in readings))
    stored = (readings[-1]["soc_pct"] - readings[0]["soc_pct"]) / 100 * subject.capacity_kwh
    low, high = kwh_per_100_km
    assert 300 < km < 3_000
    assert low < (charged - stored) / km * 100 < high
    # And it can be added up from voltage and current, as the pages do.
    seen = sum(
        -one["battery_voltage_v"] * one["battery_current_a"] * (next_["time"] - one["time"]) / 3.6e9
        for one, next_ in pairwise(readings)
        if not one["charging"]
    )
    assert seen / (charged - stored) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("subject", [VAN, TRUCK], ids=["van", "truck"])
def test_it_works_by_day_on_weekdays_and_charges_at_night(subject, weeks):
    # Its last hours are those of the live fleet, which keeps no hours.
    readings = [one for one in weeks[subject.number] if one["time"] / 1000 < FRIDAY_NOON - 10_000]
    driving = [local(one) for one in readings if one["speed_kmh"] > 3]
    assert {moment.weekday() for moment in driving} >= {0, 1, 2, 3}
    assert all(6 <= moment.hour < 21 for moment in driving)
    weekend = [moment for moment in driving if moment.weekday() >= 5]
    assert len(weekend) < len(driving) / 8
    charging = [local(one) for one in readings if one["charging"]]
    at_night = [moment for moment in charging if moment.hour >= 20 or moment.hour < 5]
    assert len(at_night) > len(charging) / 2


def test_it_gives_everybody_the_same_five_in_the_morning():
    parts = parts_before(FRIDAY_NOON, ZONE, PARTS)
    assert parts[0].ends == FRIDAY_NOON
    assert all(newer.begins == older.ends for newer, older in pairwise(parts))
    assert {datetime.fromtimestamp(part.begins, ZONE).hour for part in parts} == {5}


@pytest.mark.parametrize("hour", range(24))
def test_it_has_a_newest_part_that_is_long_enough_at_any_hour(hour):
    until = datetime(2026, 11, 18, hour, 30, tzinfo=UTC).timestamp()
    newest = parts_before(until, ZONE, PARTS)[0]
    assert 3 * 3_600 <= newest.ends - newest.begins < 27 * 3_600
    sets_off = begins_before(until, ZONE)
    assert 7 <= datetime.fromtimestamp(sets_off, ZONE).hour <= 19
    assert 12 * 3_600 < until - sets_off < 28 * 3_600


def test_it_gives_a_day_off_to_most_at_weekends():
    saturday = date(2026, 11, 14)
    working = [
        bool(hours_of("van", saturday, ZONE, random.Random(number))) for number in range(200)
    ]
    assert 20 < sum(working) < 70


@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_it_tells_its_stories_at_any_hour(hour):
    where = setting(datetime(2026, 11, 18, hour, 10, tzinfo=UTC).timestamp())
    fast, hot, far = (told_of(subject, where) for subject in WITH_STORIES)
    assert sum(one["speed_kmh"] > 120 for one in fast) > 5
    assert sum(one["battery_temp_c"] > 80 for one in hot) > 5
    assert far[0]["soc_pct"] > 16
    assert far[-1]["soc_pct"] < 14.5
    for told in (fast, hot, far):
        assert told[-1]["odometer_km"] - told[0]["odometer_km"] > 8
        assert max(b["time"] - a["time"] for a, b in pairwise(told)) <= 35_000


def test_it_tells_none_of_others():
    assert told_of(VAN, setting()) == []


def test_it_meters_what_goes_into_the_packs():
    behind = list(past_of(VAN, setting()))[2], list(past_of(TRUCK, setting()))[2]
    part = behind[0].part
    items = read_meter("M1", part, behind)
    times = [item["time"] / 1000 for item in items]
    assert all(b - a == METER_S for a, b in pairwise(times))
    assert part.begins < times[0] < times[-1] < part.ends
    counted = float(sum(item["energy_ac_kwh"] for item in items))
    charged = sum(sum(lived.charged_j.values()) for lived in behind) / 3.6e6
    standby = STANDBY_KW * (part.ends - part.begins) / 3_600
    assert charged > 50
    assert (counted - standby) * CHARGER_EFFICIENCY == pytest.approx(charged, rel=1e-4)
    reported = [one for lived in behind for one in lived.readings]
    delivered = float(sum(one.get("energy_dc_kwh", Decimal(0)) for one in reported))
    assert delivered == pytest.approx(charged, rel=1e-4)


def test_it_meters_a_part_that_ends_in_the_middle():
    part = Part(date(2026, 11, 18), 1_000 * METER_S, 1_003.5 * METER_S)
    items = read_meter("M1", part, [])
    assert [item["time"] / 1000 for item in items] == [
        1_001 * METER_S - 1, 1_002 * METER_S - 1, 1_003 * METER_S - 1, 1_003.5 * METER_S - 1,
    ]  # fmt: skip
    assert float(items[0]["energy_ac_kwh"]) == pytest.approx(STANDBY_KW / 6, abs=1e-6)
    assert float(items[-1]["energy_ac_kwh"]) == pytest.approx(STANDBY_KW / 12, abs=1e-6)
