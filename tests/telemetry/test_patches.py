"""Merging of patches, here and in the browser."""

import itertools
import json
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry import status
from telemetry.patches import decoded, encoded, merged, of_reading, of_readings
from tests.telemetry.readings import T0, vehicle_reading

ROOT = Path(__file__).resolve().parent.parent.parent

small = st.integers(0, 3)
optional = lambda strategy: st.one_of(st.none(), strategy)  # noqa: E731


@st.composite
def readings(draw):
    """Of one vehicle, with times and ids that collide often, each in one version only."""
    stamps = draw(st.lists(st.tuples(small, small), min_size=1, max_size=6, unique=True))
    return [
        vehicle_reading(
            at=T0 + time,
            rid=rid,
            soc_pct=draw(optional(st.sampled_from([10.5, 20.0, 30.25]))),
            speed_kmh=draw(optional(st.sampled_from([0.0, 50.0]))),
            charging=draw(optional(st.booleans())),
            attributes=draw(optional(st.dictionaries(st.sampled_from("ab"), small))),
            invalid=draw(optional(st.just(("position",)))),
        )
        for time, rid in stamps
    ]


@given(readings(), st.randoms())
def test_it_merges_to_the_same_in_any_order_and_however_often(given_readings, random):
    expected = of_readings(given_readings, "V1")
    patches = [of_reading(reading, "V1") for reading in given_readings] * 2
    random.shuffle(patches)
    while len(patches) > 1:
        at = random.randrange(len(patches) - 1)
        patches[at : at + 2] = [merged(patches[at], patches[at + 1])]
    assert patches[0] == expected


def test_it_does_not_move_back_for_a_late_reading():
    newest = vehicle_reading(at=T0, soc_pct=50.0)
    late = vehicle_reading(at=T0 - 1, soc_pct=60.0, speed_kmh=30.0)
    patch = of_readings([newest, late], "V1")
    assert patch["values"] == {"soc_pct": 50.0, "speed_kmh": 30.0}
    assert patch["older"] == {"speed_kmh": [T0 - 1, late.reading_id]}
    assert patch["time_us"] == T0


def test_it_keeps_the_digits_of_an_energy():
    patch = of_reading(vehicle_reading(energy_dc_kwh=Decimal("123456789.123456")), "V1")
    assert b'"energy_dc_kwh":123456789.123456' in encoded(decoded(encoded(patch)))


def in_node(script, cases):
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node, which make setup brings")
    # The browser finds the modules by the page's import map; here their files are named.
    source = f"import {{ readFileSync }} from 'node:fs';\n{script}\n" + (
        "const cases = JSON.parse(readFileSync(0, 'utf8'));\n"
        "console.log(JSON.stringify(cases.map(answer)));\n"
    )
    done = subprocess.run(
        [node, "--input-type=module", "-e", source],
        input=json.dumps(cases), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_it_merges_in_the_browser_as_on_the_server():
    cases, expected = [], []
    choices = itertools.product((0, 1), (1, 2), (None, 40.0), ({"a": 1}, {"b": 2}, None))
    versions = [
        of_reading(vehicle_reading(at=T0 + t, rid=i, soc_pct=soc, attributes=attributes), "V1")
        for t, i, soc, attributes in choices
    ]
    for left, right in itertools.product(versions, versions):
        if left is not right and (left["time_us"], left["reading_id"]) == (
            right["time_us"], right["reading_id"],
        ):  # fmt: skip
            continue  # One reading has one content.
        for third in versions[:3]:
            cases.append([left, right, third])
            expected.append(merged(merged(left, right), third))
    module = (ROOT / "static/js/live/merge.mjs").as_uri()
    answer = "const answer = ([a, b, c]) => merged(merged(a, b), c);"
    assert in_node(f"import {{ merged }} from '{module}';\n{answer}", cases) == expected


def test_it_decides_the_status_in_the_browser_as_on_the_server():
    now, limit = T0, 300
    moments = [now, now - limit * 10**6, now - limit * 10**6 - 1, now + 1_000_000]
    cases, expected = [[None, limit, now, status.rule()]], ["no_data"]
    for time, received, speed, charging, ignition in itertools.product(
        moments, moments, (None, 0.0, 2.9, 3.0), (None, True, False), (None, True, False)
    ):
        named = {"speed_kmh": speed, "charging": charging, "ignition": ignition}
        values = {name: value for name, value in named.items() if value is not None}
        state = {"time_us": time, "received_us": received, "values": values, "older": {}}
        cases.append([state, limit, now, status.rule()])
        expected.append(
            status.status_of(
                values, time_us=time, received_us=received, silent_after_s=limit, now_us=now
            )
        )
    module = (ROOT / "static/js/live/rule.mjs").as_uri()
    answer = "const answer = (each) => statusOf(...each);"
    assert in_node(f"import {{ statusOf }} from '{module}';\n{answer}", cases) == expected
    assert set(expected) == {"no_data", "offline", "moving", "charging", "idle", "parked"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"speed_kmh": 3.0, "charging": True}, "moving"),
        ({"speed_kmh": 2.9, "charging": True, "ignition": True}, "charging"),
        ({"ignition": True}, "idle"),
        ({"soc_pct": 40.0}, "parked"),
    ],
)
def test_it_tells_the_status_by_the_first_rule_that_holds(values, expected):
    told = status.status_of(values, time_us=T0, received_us=T0, silent_after_s=300, now_us=T0)
    assert told == expected


def test_it_calls_a_backlog_of_last_week_offline_however_fresh_it_arrived():
    week = 7 * 86400 * 10**6
    told = status.status_of(
        {"speed_kmh": 80.0}, time_us=T0 - week, received_us=T0, silent_after_s=300, now_us=T0
    )
    assert told == "offline"
