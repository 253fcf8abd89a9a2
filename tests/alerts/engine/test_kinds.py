"""Each kind of rule by itself, and what a rule is refused for."""

import time
from decimal import Decimal

import pytest

from alerts.engine.run import advance
from alerts.engine.spec import InvalidRule
from alerts.engine.state import SubjectState
from alerts.kinds import KINDS
from tests.alerts.engine.build import meter_reading, program, reading, rule, seconds


def changes(compiled, *readings):
    _, transitions = advance(compiled, SubjectState(), readings)
    return [(t.change, seconds(t.at)) for t in transitions]


@pytest.mark.parametrize(
    ("op", "value", "reading_value", "holds"),
    [
        (">", 10, 10.0, False),
        (">=", 10, 10.0, True),
        ("<", 10, 10.0, False),
        ("<=", 10, 10.0, True),
        ("==", 10, 10.0, True),
        ("!=", 10, 10.0, False),
    ],
)
def test_it_compares_at_the_threshold_itself(op, value, reading_value, holds):
    spec = rule(op=op, value=value)
    assert bool(changes(program(spec), reading(0, speed_kmh=reading_value))) is holds


def test_it_reads_attributes_and_is_not_disturbed_by_a_text_among_numbers():
    spec = rule(metric="attributes.tyre_bar", op="<", value=2)
    assert changes(
        program(spec),
        reading(0, attributes={"tyre_bar": "n/a"}),
        reading(1, attributes={"other": 1}),
        reading(2, attributes={"tyre_bar": 1.5}),
    ) == [("opened", 2)]


def test_it_compares_a_boolean():
    spec = rule(metric="ignition", op="==", value=True)
    assert changes(program(spec), reading(0, ignition=False), reading(1, ignition=True)) == [
        ("opened", 1)
    ]


def test_it_takes_a_value_missing_in_a_partial_reading_from_an_earlier_one():
    conditions = [
        {"metric": "speed_kmh", "op": ">", "value": 50},
        {"metric": "soc_pct", "op": "<", "value": 20},
    ]
    both = program(rule(params={"conditions": conditions, "match": "all"}))
    assert changes(both, reading(0, soc_pct=10), reading(1, speed_kmh=60)) == [("opened", 1)]
    either = program(rule(params={"conditions": conditions, "match": "any"}))
    assert changes(either, reading(0, soc_pct=10)) == [("opened", 0)]


def test_it_does_not_judge_a_rule_whose_values_a_reading_lacks():
    assert changes(program(rule()), reading(0, speed_kmh=130), reading(1, soc_pct=4)) == [
        ("opened", 0)
    ]


def test_it_notices_charging_without_energy():
    spec = rule(metric="charging_without_energy", op="==", value=True, duration_s=60)
    idle = [reading(t, charging=True, energy_dc_kwh=Decimal(0)) for t in range(0, 90, 30)]
    assert changes(program(spec), *idle) == [("opened", 60)]
    flows = [reading(t, charging=True, energy_dc_kwh=Decimal("0.1")) for t in range(0, 90, 30)]
    assert changes(program(spec), *flows) == []


def test_it_judges_a_meter():
    spec = rule(metric="power_kw", value=22, subject="m")
    assert changes(program(spec), meter_reading(0, power_kw=23.0)) == [("opened", 0)]


def test_it_measures_the_rate_of_change_over_the_window():
    params = {"metric": "soc_pct", "op": "<", "per_minute": -2, "window_s": 60}
    spec = program(rule("rate_of_change", params=params))
    slow = [reading(t, soc_pct=80 - t / 60) for t in range(0, 300, 5)]
    assert changes(spec, *slow) == []
    fast = [reading(t, soc_pct=80 - t / 20) for t in range(0, 60, 5)]
    assert changes(spec, *fast) == [("opened", 30)]


FENCE = {"type": "circle", "centre": [-6.84, 33.97], "radius_m": 500}
AWAY, NEAR, IN = (
    {"lat": 34.1, "lon": -6.84},
    {"lat": 33.97460, "lon": -6.84},
    {
        "lat": 33.97,
        "lon": -6.84,
    },
)


def fence_rule(event, **fields):
    return rule("geofence", params={"geofences": [1], "event": event}, **fields)


def test_it_opens_on_entering_and_resolves_on_leaving():
    spec = program(fence_rule("enter"), geofences={1: FENCE})
    assert changes(spec, reading(0, **AWAY), reading(1, **IN), reading(2, **AWAY)) == [
        ("opened", 1),
        ("resolved", 2),
    ]


def test_it_does_not_call_it_entering_when_the_vehicle_was_inside_all_along():
    spec = program(fence_rule("enter"), geofences={1: FENCE})
    assert changes(
        spec, reading(0, **IN), reading(1, **IN), reading(2, **AWAY), reading(3, **IN)
    ) == [("opened", 3)]


def test_it_opens_on_leaving():
    spec = program(fence_rule("leave"), geofences={1: FENCE})
    assert changes(
        spec, reading(0, **AWAY), reading(1, **IN), reading(2, **AWAY), reading(3, **IN)
    ) == [("opened", 2), ("resolved", 3)]


def test_it_opens_on_dwelling_only():
    spec = program(fence_rule("dwell", duration_s=600), geofences={1: FENCE})
    passing = [reading(0, **IN), reading(60, **AWAY)]
    staying = [reading(100 + t, **IN) for t in range(0, 700, 100)]
    assert changes(spec, *passing, *staying) == [("opened", 700)]


def test_it_does_not_flap_at_the_border_of_a_fence():
    # 512 m from the centre: outside the fence, within its margin.
    spec = program(fence_rule("enter"), geofences={1: FENCE})
    jitter = [reading(t, **(IN if t % 2 else NEAR)) for t in range(1, 20)]
    assert changes(spec, reading(0, **AWAY), *jitter) == [("opened", 1)]


def test_it_knows_polygons_with_holes_and_corridors_and_the_antimeridian():
    square = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    hole = [[0.4, 0.4], [0.6, 0.4], [0.6, 0.6], [0.4, 0.6]]
    polygon = {"type": "polygon", "rings": [square, hole]}
    corridor = {"type": "corridor", "line": [[0.0, 60.0], [1.0, 60.0]], "width_m": 2000}
    pacific = {"type": "polygon", "rings": [[[179, -1], [-179, -1], [-179, 1], [179, 1]]]}

    def inside(shape, lat, lon):
        spec = program(fence_rule("enter"), geofences={1: shape})
        return bool(changes(spec, reading(0, lat=-40.0, lon=20.0), reading(1, lat=lat, lon=lon)))

    assert inside(polygon, 0.2, 0.2) and not inside(polygon, 0.5, 0.5)
    assert inside(corridor, 60.008, 0.5) and not inside(corridor, 60.011, 0.5)
    # Half the width is a thousand metres to the east as well: 0.0178° at 60° north.
    assert inside(corridor, 60.0, 1.016) and not inside(corridor, 60.0, 1.020)
    assert inside(pacific, 0.0, 179.5) and inside(pacific, 0.0, -179.5)
    assert not inside(pacific, 0.0, 0.0)


def test_it_raises_the_alarms_it_was_asked_for():
    spec = program(rule("device_alarm", params={"alarms": ["sos"]}))
    assert changes(spec, reading(0, alarms=("tow",)), reading(1, alarms=("tow", "sos"))) == [
        ("opened", 1)
    ]


def test_it_leaves_out_a_rule_that_cannot_be_compiled_and_runs_the_others():
    compiled = program(rule(), fence_rule("enter"), geofences={})
    assert [rule_id for rule_id, _ in compiled.broken] == [2]
    assert changes(compiled, reading(0, speed_kmh=130)) == [("opened", 0)]


def test_it_reports_a_rule_that_fails_and_runs_the_others(monkeypatch):
    compiled = program(rule(), rule(value=100))

    def fail(values, is_open):
        raise ZeroDivisionError("by nothing")

    object.__setattr__(compiled.rules[0], "judge", fail)
    assert [c for c, _ in changes(compiled, reading(0, speed_kmh=130))] == ["failed", "opened"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"metric": "warp_factor"},
        {"metric": "ignition", "value": 3, "op": ">"},
        {"value": True},
        {"value": "fast"},
        {"clear": 130},
        {"op": "==", "clear": 3},
        {"duration_s": -1},
        {"duration_s": 10**9},
        {"severity": "apocalyptic"},
        {"schedule": [{"days": [0], "start": 600, "end": 600}]},
        {"schedule": [{"days": [9]}]},
        {"subject": "m"},
        {"kind": "geofence", "params": {"geofences": [], "event": "enter"}},
        {"kind": "geofence", "params": {"geofences": [1], "event": "dwell"}},
        {"kind": "silence", "params": {"after_s": 1}},
        {"kind": "rate_of_change", "params": {"metric": "driver", "op": ">", "per_minute": 1}},
        {"params": {"conditions": []}},
        {"unheard_of": 1},
    ],
)
def test_it_refuses_a_rule_that_makes_no_sense(wrong):
    with pytest.raises(InvalidRule):
        rule(**wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_it_puts_every_kind_into_words(kind):
    samples = {
        "threshold": rule(),
        "silence": rule("silence", params={}),
        "rate_of_change": rule(
            "rate_of_change", params={"metric": "soc_pct", "op": "<", "per_minute": -2}
        ),
        "geofence": fence_rule("enter"),
        "device_alarm": rule("device_alarm", params={}),
        "ingest_lag": rule("ingest_lag", params={}),
    }
    assert KINDS[kind].says(samples[kind], {})


@pytest.mark.parametrize(
    ("fences", "event", "says"),
    [
        ((1,), "enter", "Enters Depot"),
        ((1, 2), "leave", "Leaves Depot or Port"),
        ((1, 2, 3), "dwell", "In Depot or Port or Yard for 90 s"),
        ((1, 2, 3, 4), "enter", "Enters Depot, Port or 2 more geofences"),
        ((9,), "enter", "Enters a geofence"),
    ],
)
def test_it_says_which_geofences_by_name(fences, event, says):
    called = {1: "Depot", 2: "Port", 3: "Yard", 4: "Quay"}
    params = {"geofences": list(fences), "event": event}
    assert KINDS["geofence"].says(rule("geofence", params=params, duration_s=90), called) == says


def test_it_evaluates_ten_rules_fast_enough_to_run_beside_ingestion():
    names = ["speed_kmh", "soc_pct", "battery_temp_c", "range_km", "battery_voltage_v"]
    rules = [rule(metric=name, value=10_000, duration_s=30) for name in names]
    rules += [rule(metric=name, op="<", value=-50, duration_s=30) for name in names]
    compiled = program(*rules)
    readings = [
        reading(
            t,
            speed_kmh=50.0,
            soc_pct=50.0,
            battery_temp_c=30.0,
            range_km=100.0,
            battery_voltage_v=400.0,
        )
        for t in range(2000)
    ]
    began = time.process_time()
    advance(compiled, SubjectState(), readings)
    spent = time.process_time() - began
    # A tenth of a core at 10,000 readings a second would be 10 µs; leave room for a busy CI.
    assert spent / len(readings) < 60e-6
