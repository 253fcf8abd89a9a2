"""Redelivery and batching change nothing, whatever the signal."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.engine.run import advance
from alerts.engine.state import SubjectState, pack_state, unpack_state
from alerts.kinds import KINDS
from tests.alerts.engine.build import program, reading, rule

BOTH = [
    {"metric": "speed_kmh", "op": ">", "value": 50},
    {"metric": "soc_pct", "op": "<", "value": 30},
]
OFFICE_HOURS = [{"days": list(range(7)), "start": 177, "end": 178}]
"""A minute of every day, soon after the drives begin."""
FENCE = {"type": "circle", "centre": [0.0, 0.0], "radius_m": 1000}
SQUARE = {
    "type": "polygon",
    "rings": [[[-0.01, -0.01], [0.01, -0.01], [0.01, 0.01], [-0.01, 0.01]]],
}
ROAD = {"type": "corridor", "line": [[-0.1, 0.0], [0.1, 0.0]], "width_m": 500}
RATE = {"metric": "soc_pct", "op": "<", "per_minute": -30, "window_s": 10}
FILLING = {"metric": "soc_pct", "op": ">", "per_minute": 20, "window_s": 6, "clear": 5}

DRAINING = {"metric": "rate_of_change", "of": "soc_pct", "window_s": 10, "op": "<", "value": -30}
UNHEARD = {"metric": "age_s", "of": "speed_kmh", "op": ">", "value": 3}
LAGGING = {"metric": "ingest_lag_s", "op": ">=", "value": 2}

RULES = program(
    # Every kind that is judged by readings, with every part of its timing.
    rule(),
    rule(duration_s=5, clear=100, clear_duration_s=4),
    rule(cooldown_s=20, clear_duration_s=2),
    rule(duration_s=3, max_gap_s=6),
    rule(schedule=OFFICE_HOURS, clear=100),
    rule(lateness_s=3, duration_s=2, cooldown_s=5),
    rule("device_alarm", params={}, clear_duration_s=3),
    rule("device_alarm", params={"alarms": ["sos"]}, cooldown_s=10),
    rule("rate_of_change", params=RATE),
    rule("rate_of_change", params=FILLING, duration_s=2, cooldown_s=6),
    rule("geofence", params={"geofences": [7], "event": "enter", "margin_m": 10}),
    rule("geofence", params={"geofences": [8], "event": "leave"}, cooldown_s=8),
    rule("geofence", params={"geofences": [7, 9], "event": "dwell"}, duration_s=6),
    rule(params={"conditions": BOTH}, duration_s=3),
    rule(params={"conditions": BOTH, "match": "any"}, clear_duration_s=2, schedule=OFFICE_HOURS),
    # Derived values, by themselves and together with others.
    rule(params={"conditions": [DRAINING | {"clear": -10}]}, clear_duration_s=2),
    rule(params={"conditions": [UNHEARD]}, duration_s=2, cooldown_s=5),
    rule(params={"conditions": [DRAINING, BOTH[0]]}, lateness_s=3),
    rule(params={"conditions": [DRAINING, UNHEARD, LAGGING], "match": "any"}, duration_s=3),
    rule(params={"conditions": [UNHEARD, LAGGING, BOTH[1]]}),
    geofences={7: FENCE, 8: SQUARE, 9: ROAD},
)


def test_it_holds_every_kind_that_is_judged_by_readings_against_these():
    assert not RULES.broken and len(RULES.rules) == 20
    judged = {key for key, kind in KINDS.items() if kind.sense is not None}
    assert judged == {"threshold", "device_alarm", "rate_of_change", "geofence"}


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
    (state, found), (once_state, once) = run(batches), run([readings])
    assert found == once and state.derived == once_state.derived


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
    assert (state.rules, state.derived) == (once_state.rules, once_state.derived)


def test_the_signals_open_every_one_of_the_rules():
    """A rule that nothing sets off would prove nothing."""
    opened = set()

    @settings(max_examples=400, deadline=None, database=None, derandomize=True)
    @given(arrivals())
    def look(readings):
        opened.update(one.rule_id for one in run([readings])[1] if one.change == "opened")

    look()
    assert opened == {one.timing.rule_id for one in RULES.rules}


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
