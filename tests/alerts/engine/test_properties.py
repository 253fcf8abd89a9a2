"""Redelivery and batching change nothing, whatever the signal."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.engine.program import advance
from alerts.engine.state import SubjectState, pack_state, unpack_state
from tests.alerts.engine.build import program, reading, rule

RULES = program(
    rule(),
    rule(duration_s=5, clear=100, clear_duration_s=4),
    rule(cooldown_s=20, clear_duration_s=2),
    rule("device_alarm", params={}, clear_duration_s=3),
    rule(
        "rate_of_change",
        params={"metric": "soc_pct", "op": "<", "per_minute": -30, "window_s": 10},
    ),
    rule(
        "geofence",
        params={"geofences": [7], "event": "enter", "margin_m": 10},
    ),
    rule(
        params={
            "conditions": [
                {"metric": "speed_kmh", "op": ">", "value": 50},
                {"metric": "soc_pct", "op": "<", "value": 30},
            ]
        },
        duration_s=3,
    ),
    geofences={7: {"type": "circle", "centre": [0.0, 0.0], "radius_m": 1000}},
)


@st.composite
def arrivals(draw):
    """Readings in the order in which the server got them: mostly in order, some late."""
    steps = draw(
        st.lists(
            st.tuples(
                st.integers(1, 4),  # seconds to the next reading
                st.sampled_from([None, 60.0, 110.0, 125.0, 140.0]),
                st.sampled_from([None, 10.0, 50.0, 90.0]),
                st.sampled_from([None, (), ("sos",)]),
                st.sampled_from([None, 0.0, 0.02]),
                st.sampled_from([0, 0, 0, 2, 7, 300]),  # how late it comes
                st.booleans(),  # in the same frame as the one before
            ),
            min_size=1,
            max_size=40,
        )
    )
    made, clock, arrival = [], 0.0, 1000.0
    for number, (step, speed, soc, alarms, lat, lateness, same_frame) in enumerate(steps):
        clock += step
        arrival += 0 if same_frame else step
        made.append(
            reading(
                clock + 1000 - lateness,
                arrives=arrival,
                rid=number,
                speed_kmh=speed,
                soc_pct=soc,
                alarms=alarms,
                lat=lat,
                lon=lat,
            )
        )
    return made


def run(batches):
    state, found = SubjectState(), []
    for batch in batches:
        state, transitions = advance(RULES, unpack_state(pack_state(state)), batch)
        found += transitions
    return state, found


@settings(max_examples=300, deadline=None)
@given(arrivals(), st.lists(st.integers(0, 40), max_size=8))
def test_it_gives_the_same_alerts_however_the_readings_are_split_into_batches(readings, cuts):
    edges = sorted({0, len(readings), *(cut for cut in cuts if cut < len(readings))})
    batches = [readings[a:b] for a, b in pairwise(edges)]
    assert run(batches)[1] == run([readings])[1]


@settings(max_examples=300, deadline=None)
@given(arrivals(), st.data())
def test_it_gives_the_same_alerts_in_any_order_of_redelivery(readings, data):
    batches = []
    for end in range(1, len(readings) + 1):
        batches.append([readings[end - 1]])
        again = data.draw(st.lists(st.sampled_from(readings[:end]), max_size=3))
        if again:
            batches.append(again)
    once_state, once = run([readings])
    state, found = run(batches)
    assert found == once
    assert state.rules == once_state.rules


@settings(max_examples=100, deadline=None)
@given(arrivals())
def test_it_never_opens_twice_without_resolving_between(readings):
    open_rules = set()
    for transition in run([readings])[1]:
        if transition.change == "opened":
            assert transition.rule_id not in open_rules
            open_rules.add(transition.rule_id)
        elif transition.change == "resolved":
            open_rules.remove(transition.rule_id)
