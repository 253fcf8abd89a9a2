"""What a vehicle did, told from its readings: the same however they are cut into pages."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry import sampling
from telemetry.arrays import COLUMNS, Rows
from telemetry.journey import Journey
from telemetry.status import Status

SECOND = 1_000_000
MINUTE = 60 * SECOND
T0 = 1_772_366_400 * SECOND
GAP = 5 * MINUTE


def rows(times, *, lag=200_000, **values) -> Rows:
    """Readings at these seconds; a value may be one for all, None is "not sent"."""
    time = np.array([T0 + int(t * SECOND) for t in times], dtype=np.int64)
    columns = {}
    for name in (*COLUMNS, "alarms", "invalid"):
        given_values = values.get(name, 0.0 if name.endswith("_count") else None)
        if not isinstance(given_values, list):
            given_values = [given_values] * len(time)
        columns[name] = np.array([np.nan if v is None else v for v in given_values], dtype=float)
    lags = lag if isinstance(lag, list) else [lag] * len(time)
    return Rows(time, time + np.array(lags, dtype=np.int64), columns)


def journey(*pages: Rows, seconds=3600, now=None, **options) -> Journey:
    made = Journey(T0, T0 + seconds * SECOND, GAP, **options)
    for page in pages:
        made.add(page)
    made.close(T0 + (seconds if now is None else now) * SECOND)
    return made


def test_it_tells_driving_from_idling_and_charging():
    found = journey(
        rows(
            range(0, 60, 10),
            speed_kmh=[50.0, 50.0, 0.0, 0.0, 0.0, 0.0],
            ignition=[1.0, 1.0, 1.0, 1.0, 0.0, 0.0],
            charging=[0.0, 0.0, 0.0, 0.0, 1.0, 1.0],
        ),
        seconds=60,
    )
    assert (found.totals.moving_s, found.totals.idle_s, found.totals.charging_s) == (20, 20, 10)
    assert [state.status for state in found.states] == [
        Status.MOVING,
        Status.IDLE,
        Status.CHARGING,
    ]


def test_it_counts_no_time_across_a_gap_and_says_what_was_before_it():
    found = journey(rows([0, 10, 1000, 1010], speed_kmh=40.0, ignition=1.0), seconds=1020)
    assert found.totals.moving_s == 20
    [gap] = found.gaps
    assert (gap.start, gap.end) == (T0 + 10 * SECOND, T0 + 1000 * SECOND)
    assert gap.was_moving is True and not gap.is_open


def test_it_breaks_the_line_where_it_was_silent():
    time, values = journey(rows([0, 10, 1000, 1010], speed_kmh=40.0), seconds=1020).series(
        "speed_kmh"
    )
    assert np.isnan(values).tolist() == [False, False, True, False, False]
    assert time[2] == T0 + 10 * SECOND + 1


def test_it_calls_the_edges_silent_too_but_not_what_has_not_happened_yet():
    found = journey(rows([1000, 1010]), seconds=7200, now=3600)
    assert [(gap.start - T0, gap.end - T0) for gap in found.gaps] == [
        (0, 1000 * SECOND),
        (1010 * SECOND, 3600 * SECOND),
    ]
    assert all(gap.is_open for gap in found.gaps)


def test_it_takes_the_distance_from_the_odometer_where_there_is_one():
    assert journey(rows([0, 10, 20], odometer_km=[1000.0, None, 1012.5])).totals.distance_km == 12.5


def test_it_else_measures_the_way_but_not_the_noise_of_a_standing_receiver():
    degree_km = np.pi / 180 * 6371.0088
    moving = journey(rows([0, 10], lat=[0.0, 0.0], lon=[0.0, 1.0], speed_kmh=90.0))
    assert moving.totals.distance_km == pytest.approx(degree_km)
    standing = journey(rows([0, 10], lat=[0.0, 0.0], lon=[0.0, 1.0], speed_kmh=0.0))
    assert standing.totals.distance_km == 0


def test_it_integrates_power_and_leaves_charging_out_of_what_was_used():
    found = journey(
        rows(
            [0, 60, 120, 180],
            battery_voltage_v=400.0,
            battery_current_a=[-90.0, 30.0, 100.0, 100.0],
            charging=[0.0, 0.0, 1.0, 1.0],
        )
    )
    # 36 kW out for a minute, 12 kW back for a minute; the 40 kW of the charger are no use.
    energy, estimated = found.totals.spent_kwh(None)
    assert energy == pytest.approx((36 - 12) / 60)
    assert not estimated


def test_it_estimates_energy_from_the_charge_lost_and_says_so():
    from decimal import Decimal

    totals = journey(rows([0, 60, 120], soc_pct=[80.0, 78.0, 75.0])).totals
    assert totals.spent_kwh(Decimal("50")) == (pytest.approx(2.5), True)
    assert totals.spent_kwh(None) == (None, False)


def test_it_finds_a_charging_session_with_its_energy():
    found = journey(
        rows(
            range(0, 60, 10),
            charging=[0.0, 1.0, 1.0, 1.0, 0.0, 0.0],
            soc_pct=[50.0, 50.0, 51.0, 52.0, 53.0, 53.0],
            energy_dc_kwh=[None, None, 0.1, 0.1, 0.1, None],
        ),
        seconds=60,
    )
    [charge] = found.charges
    assert (charge.start, charge.end) == (T0 + 10 * SECOND, T0 + 40 * SECOND)
    assert (charge.soc, charge.soc_end) == (50.0, 53.0)
    assert charge.kwh_millionths == 300_000
    assert str(found.totals.charged_kwh) == "0.300000"


def test_it_marks_late_readings_as_one_run():
    late = [200_000, 400 * SECOND, 500 * SECOND, 200_000]
    [span] = journey(rows([0, 10, 20, 30], lag=late)).late
    assert (span.start, span.end) == (T0 + 10 * SECOND, T0 + 20 * SECOND)
    assert (span.count, span.most) == (2, 500 * SECOND)


def test_what_a_vehicle_did_before_it_came_here_was_not_late():
    found = journey(
        rows([0, 10, 20, 30], lag=400 * SECOND, odometer_km=[1.0, 2.0, 3.0, 4.0]),
        known_since=T0 + 20 * SECOND,
    )
    assert [(span.start, span.end) for span in found.late] == [(T0 + 20 * SECOND, T0 + 30 * SECOND)]
    assert found.late_readings == 2
    assert found.punctual is not None and found.punctual.distance_km == 1


def test_it_is_the_same_in_one_page_or_in_many():
    chance = np.random.default_rng(7)
    n = 500
    values = {
        "speed_kmh": np.where(chance.random(n) < 0.3, np.nan, chance.random(n) * 60),
        "odometer_km": np.cumsum(chance.random(n)),
        "ignition": (chance.random(n) < 0.8) * 1.0,
        "charging": (chance.random(n) < 0.2) * 1.0,
        "soc_pct": 90 - np.cumsum(chance.random(n)) / 20,
        "battery_voltage_v": np.full(n, 380.0),
        "battery_current_a": chance.normal(0, 50, n),
        "energy_dc_kwh": np.where(chance.random(n) < 0.5, np.nan, 0.001),
        "lat": 34 + np.cumsum(chance.random(n)) / 1000,
        "lon": -6 + np.cumsum(chance.random(n)) / 1000,
    }
    values = {name: column.tolist() for name, column in values.items()}
    times = np.cumsum(np.where(chance.random(n) < 0.01, 400, 5)).tolist()
    whole = rows(times, **values)

    def part(low, high):
        return Rows(
            whole.time[low:high],
            whole.received[low:high],
            {name: column[low:high] for name, column in whole.values.items()},
        )

    seconds = times[-1] + 1
    one = journey(whole, seconds=seconds)
    many = journey(*(part(at, at + 37) for at in range(0, n, 37)), seconds=seconds)
    for name, value in vars(one.totals).items():
        assert getattr(many.totals, name) == pytest.approx(value), name
    assert many.gaps == one.gaps
    assert [c.start for c in many.charges] == [c.start for c in one.charges]
    assert sum(c.kwh_millionths for c in many.charges) == sum(c.kwh_millionths for c in one.charges)


def test_it_never_sends_more_points_than_asked_for_however_many_there_are():
    n = 50_000
    page = rows(range(n), speed_kmh=(np.arange(n) % 97).astype(float).tolist())
    time, _values = journey(page, seconds=n, points=400).series("speed_kmh")
    assert len(time) <= 400


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=3000),
    st.integers(16, 400),
)
def test_it_keeps_the_extremes_and_the_ends(values, points):
    times = np.arange(len(values), dtype=np.int64) * SECOND
    column = np.array(values)
    kept_times, kept = sampling.thinned(times, column, points)
    assert kept.min() == column.min() and kept.max() == column.max()
    assert kept_times[0] == times[0] and kept_times[-1] == times[-1]
    assert (np.diff(kept_times) >= 0).all()


def test_it_keeps_where_a_vehicle_stood_and_for_how_long():
    n = 20_000
    standing = np.zeros(n // 2)
    lon = np.concatenate((standing, np.linspace(0, 1, n // 2)))
    kept = sampling.landmarks(np.arange(n, dtype=np.int64) * SECOND, lon, np.zeros(n), 200)
    assert len(kept) < 500
    # Half of the time it stood: a playback must not creep from the first place to the last.
    assert (kept < n // 2).sum() >= 80


def test_it_finds_stops_with_their_place_and_length():
    found = journey(
        rows(
            [0, 10, 20, 400, 410, 420, 500, 510],
            speed_kmh=[40.0, 40.0, 0.0, 0.0, 40.0, 0.0, 40.0, 40.0],
            lat=[1.0, 1.1, 1.2, 1.2, 1.3, 1.4, 1.5, 1.6],
            lon=[5.0, 5.1, 5.2, 5.2, 5.3, 5.4, 5.5, 5.6],
        ),
        seconds=520,
    )
    # From 20 s to 410 s, its silence included; 80 s at a light are none.
    [stop] = found.stops
    assert (stop.start, stop.end) == (T0 + 20 * SECOND, T0 + 410 * SECOND)
    assert (stop.lat, stop.lon, stop.is_cut) == (1.2, 5.2, False)


def test_it_says_of_a_stop_at_the_edge_that_it_lasted_longer():
    found = journey(rows(range(0, 700, 100), speed_kmh=0.0), seconds=700)
    [stop] = found.stops
    assert stop.is_cut and stop.length == 600 * SECOND


def test_it_does_not_take_silence_while_moving_for_a_stop():
    assert journey(rows([0, 10, 2000, 2010], speed_kmh=40.0), seconds=2020).stops == []


def test_stops_and_what_late_readings_changed_are_the_same_in_one_page_or_in_many():
    chance = np.random.default_rng(11)
    n = 400
    moving = np.repeat(chance.random(n // 40) < 0.5, 40)
    values = {
        "speed_kmh": np.where(moving, 50.0, 0.0).tolist(),
        "odometer_km": np.cumsum(moving / 10).tolist(),
        "battery_voltage_v": [400.0] * n,
        "battery_current_a": chance.normal(-20, 10, n).tolist(),
    }
    lags = np.where((np.arange(n) > 150) & (np.arange(n) < 220), 900 * SECOND, SECOND).tolist()
    times = list(range(0, n * 10, 10))
    whole = rows(times, lag=lags, **values)
    cuts = [whole.where((np.arange(n) >= at) & (np.arange(n) < at + 33)) for at in range(0, n, 33)]
    one = journey(whole, seconds=n * 10)
    many = journey(*cuts, seconds=n * 10)
    assert one.stops and many.stops == one.stops
    assert one.punctual is not None and many.punctual is not None
    assert one.late_readings == many.late_readings == 69
    for name, value in vars(one.punctual).items():
        assert getattr(many.punctual, name) == pytest.approx(value), name


def test_it_tells_what_the_totals_were_before_late_readings_came():
    lags = [1 * SECOND] * 3 + [1000 * SECOND] * 2 + [1 * SECOND]
    found = journey(
        rows([0, 10, 20, 30, 40, 50], lag=lags, odometer_km=[10.0, 11.0, 12.0, 13.0, 99.0, 14.0])
    )
    assert found.totals.distance_km == 89
    assert found.punctual is not None and found.punctual.distance_km == 4
    assert journey(rows([0, 10], odometer_km=[1.0, 2.0])).punctual is None
