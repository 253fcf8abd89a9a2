"""Conditions on values that no single reading has: rates of change, ages, the lag."""

import pytest

from alerts.engine.derived import RATE, about
from alerts.engine.run import advance
from alerts.engine.spec import InvalidRule
from alerts.engine.state import SubjectState, pack_state, unpack_state
from alerts.kinds import KINDS
from telemetry.fields import METER_FIELDS, VEHICLE_FIELDS
from tests.alerts.engine.build import meter_reading, program, reading, rule, seconds

WARMING = {"metric": RATE, "of": "battery_temp_c", "window_s": 600, "op": ">", "value": 2}
LOST = {"metric": "age_s", "of": "lat", "op": ">", "value": 60}
MOVING = {"metric": "speed_kmh", "op": ">", "value": 5}


def of(*conditions, match="all", **fields):
    return rule(params={"conditions": list(conditions), "match": match}, **fields)


def story(spec, *readings):
    _, transitions = advance(program(spec), SubjectState(), readings)
    return [(t.change, seconds(t.at)) for t in transitions]


def warming(per_minute, *, until=900, every=30, **values):
    return [
        reading(t, battery_temp_c=30 + per_minute * t / 60, **values)
        for t in range(0, until, every)
    ]


def test_it_opens_on_a_rate_of_change_once_half_of_its_window_is_known():
    assert story(of(WARMING), *warming(3)) == [("opened", 300)]
    assert story(of(WARMING), *warming(1)) == []


def test_it_combines_a_rate_of_change_with_a_value():
    moving = of(WARMING, MOVING)
    assert story(moving, *warming(3, speed_kmh=0.0)) == []
    assert story(moving, *warming(3, speed_kmh=30.0)) == [("opened", 300)]
    either = of(WARMING, MOVING, match="any")
    assert story(either, *warming(1, speed_kmh=30.0)) == [("opened", 0)]
    assert story(either, *warming(3, speed_kmh=0.0)) == [("opened", 300)]


def test_it_takes_the_rate_of_earlier_readings_for_one_that_lacks_the_value():
    parts = [*warming(3, until=330), reading(335, speed_kmh=30.0)]
    assert story(of(WARMING, MOVING), *parts) == [("opened", 335)]


def test_it_does_not_know_a_rate_any_more_when_its_window_is_over():
    parts = [*warming(3, until=330), reading(930, speed_kmh=30.0)]
    assert story(of(WARMING, MOVING), *parts) == []


def test_it_has_a_clear_threshold_on_a_rate_of_change():
    steady = [reading(900 + t, battery_temp_c=75.0) for t in range(0, 900, 30)]
    (_, cleared), (_, late) = (
        story(of(WARMING | more), *warming(3), *steady)[1] for more in ({}, {"clear": 1})
    )
    # Ten minutes at three a minute: two of three are left after 200 s, one after 400 s.
    assert cleared == pytest.approx(1110, abs=30) and late == pytest.approx(1290, abs=30)


@pytest.mark.parametrize(
    "odd", ["n/a", True, [1, 2], {"a": 1}, None, float("nan"), float("inf"), 10**400]
)
def test_it_passes_over_what_is_no_number(odd):
    rate = WARMING | {"of": "attributes.oil", "window_s": 60}
    rising = [reading(t, attributes={"oil": 3 * t}) for t in range(0, 25, 5)]
    odd_ones = [reading(25 + t, attributes={"oil": odd}) for t in range(5)]
    more = [reading(30 + t, attributes={"oil": 3 * (30 + t)}) for t in range(0, 20, 5)]
    assert story(of(rate), *rising, *odd_ones, *more) == [("opened", 30)]


def test_it_follows_what_a_meter_says():
    rate = {"metric": RATE, "of": "power_kw", "window_s": 60, "op": "<", "value": -5}
    falling = [meter_reading(t, power_kw=50.0 - t / 5) for t in range(0, 60, 10)]
    assert story(of(rate, subject="m"), *falling) == [("opened", 30)]


def test_a_slope_does_not_depend_on_where_its_samples_began():
    """So that the record corrected from history is that of the evaluation."""
    chance = [30 + (t * 7919 % 101) / 10 for t in range(1500)]
    readings = [reading(t, battery_temp_c=temp) for t, temp in enumerate(chance)]
    watching = program(of(WARMING | {"value": 0.1, "window_s": 120}))
    _, whole = advance(watching, SubjectState(), readings)
    _, tail = advance(watching, SubjectState(), readings[400:])
    settled = readings[400].time + 240_000_000
    assert tail and [t for t in whole if t.started > settled] == [
        t for t in tail if t.started > settled
    ]


def test_it_opens_when_a_value_was_not_heard_of_for_long_and_others_were():
    silent = [reading(t, speed_kmh=50.0) for t in range(10, 100, 10)]
    back = reading(100, speed_kmh=50.0, lat=52.5, lon=13.4)
    first = reading(0, lat=52.5, lon=13.4)
    assert story(of(LOST), first, *silent, back) == [("opened", 70), ("resolved", 100)]
    assert story(of(LOST, MOVING), first, *silent, back) == [("opened", 70), ("resolved", 100)]
    standing = [reading(t, speed_kmh=0.0) for t in range(10, 100, 10)]
    assert story(of(LOST, MOVING), first, *standing) == []


def test_it_does_not_know_the_age_of_what_it_never_heard_of():
    assert story(of(LOST), *[reading(t, speed_kmh=50.0) for t in range(0, 900, 10)]) == []


def test_a_late_reading_tells_that_a_value_was_heard_of():
    silent = [reading(t, speed_kmh=50.0) for t in range(10, 70, 10)]
    late = reading(45, arrives=66, lat=52.5, lon=13.4)
    after = [reading(t, speed_kmh=50.0) for t in range(70, 120, 10)]
    first = reading(0, lat=52.5, lon=13.4)
    assert story(of(LOST), first, *silent, late, *after) == [("opened", 110)]


def test_it_combines_the_ingest_lag_with_a_value():
    lagging = {"metric": "ingest_lag_s", "op": ">", "value": 20}
    late = reading(10, arrives=40, speed_kmh=50.0)
    assert story(of(lagging, MOVING), reading(0, speed_kmh=50.0), late) == [("opened", 10)]


def test_it_records_what_it_saw_and_says_what_that_is():
    _, transitions = advance(program(of(WARMING, MOVING)), SubjectState(), [
        *warming(3, speed_kmh=30.0)
    ])  # fmt: skip
    values = transitions[0].values
    assert values == {
        "rate_of_change(battery_temp_c,600)": pytest.approx(3),
        "speed_kmh": 30.0,
    }
    described = about("v", "rate_of_change(battery_temp_c,600)")
    assert (described.label, described.unit) == (
        "Battery temperature, change over 10 min",
        "°C/min",
    )
    assert about("v", "age_s(attributes.a(b),1)").label == "a(b),1, age"
    assert about("v", "age_s(lat)").label == "Position, age"


def test_it_forgets_what_no_rule_follows_any_more():
    state, _ = advance(program(of(WARMING), of(LOST)), SubjectState(), warming(3, lat=1.0))
    assert set(state.derived) == {"rate_of_change(battery_temp_c,600)", "age_s(lat)"}
    state = unpack_state(pack_state(state))
    state, _ = advance(program(of(LOST)), state, [reading(1000, speed_kmh=1.0)])
    assert set(state.derived) == {"age_s(lat)"}
    state, _ = advance(program(rule()), state, [reading(1001, speed_kmh=1.0)])
    assert state.derived == {}


def test_it_keeps_few_samples_of_a_dense_signal():
    dense = [reading(t / 10, battery_temp_c=float(t)) for t in range(20_000)]
    state, _ = advance(program(of(WARMING)), SubjectState(), dense)
    assert len(state.derived["rate_of_change(battery_temp_c,600)"]) <= 34


def test_it_costs_nothing_where_no_rule_asks_for_it():
    plain = program(rule(), rule(metric="soc_pct", op="<", value=15))
    assert plain.followed == ()
    # Both fields in one call into C: no placeholder among them.
    assert plain.read(reading(0, speed_kmh=1.0, soc_pct=2.0)) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ({"of": None}, "needs of"),
        ({"of": "warp_factor"}, "no value named"),
        ({"of": "ignition"}, "not a number"),
        ({"of": "driver"}, "not a number"),
        ({"of": RATE}, "no value named"),
        ({"op": "=="}, "above or below"),
        ({"value": True}, "above or below"),
        ({"value": "fast"}, "above or below"),
        ({"window_s": 1}, "window_s"),
        ({"window_s": 10**6}, "window_s"),
        ({"clear": 3}, "beyond"),
        ({"metric": "age_s"}, "no window"),
        ({"metric": "age_s", "window_s": None, "of": "ingest_lag_s"}, "no age"),
        ({"metric": "age_s", "window_s": None, "value": -1}, "between"),
        ({"metric": "age_s", "window_s": None, "value": 1e9}, "between"),
        ({"metric": "speed_kmh"}, "neither of nor window_s"),
        ({"metric": "speed_kmh", "of": None}, "neither of nor window_s"),
        ({"metric": "rate_of_change(battery_temp_c,600)", "of": None}, "no value named"),
    ],
)
def test_it_refuses_a_condition_that_makes_no_sense(condition, says):
    with pytest.raises(InvalidRule, match=says):
        of(WARMING | condition)


def test_no_field_is_called_as_a_derived_value_is():
    assert not {RATE, "age_s"} & (VEHICLE_FIELDS.keys() | METER_FIELDS.keys())


def test_it_puts_them_into_words():
    spec = of(WARMING, LOST, LOST | {"of": "soc_pct", "value": 90}, match="any")
    assert KINDS["threshold"].says(spec, {}) == (
        "Battery temperature changes > 2 °C/min over 10 min or Position > 1 min old"
        " or State of charge > 90 s old"
    )
