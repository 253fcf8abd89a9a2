"""The life of one alert, told in readings."""

from datetime import UTC, datetime

from alerts.engine.run import advance
from alerts.engine.state import SubjectState, pack_state, unpack_state
from tests.alerts.engine.build import START, program, reading, rule, seconds


def story(spec, *readings, zone="UTC"):
    """[(change, seconds, late)] of one rule over readings in one batch."""
    _, transitions = advance(program(spec, zone=zone), SubjectState(), readings)
    return [(t.change, seconds(t.at), t.late) for t in transitions]


def speeds(*pairs):
    return [reading(at, speed_kmh=speed) for at, speed in pairs]


def test_it_opens_and_resolves_at_the_readings_that_say_so():
    changes = story(rule(), *speeds((0, 100), (1, 121), (2, 130), (3, 119)))
    assert changes == [("opened", 1, False), ("resolved", 3, False)]


def test_it_opens_nothing_for_a_single_sample_spike_where_a_duration_is_set():
    spike = speeds((0, 100), (1, 180), (2, 100), (3, 180), (4, 100))
    assert story(rule(duration_s=2), *spike) == []


def test_it_opens_when_the_condition_has_held_for_the_duration():
    changes = story(rule(duration_s=10), *speeds(*[(t, 130) for t in range(0, 20, 3)]))
    assert changes == [("opened", 12, False)]


def test_it_does_not_take_a_gap_between_readings_for_proof():
    changes = story(rule(duration_s=10, max_gap_s=60), *speeds((0, 130), (100, 130), (105, 130)))
    assert changes == []


def test_it_opens_one_alert_for_a_flapping_signal():
    flapping = speeds(*[(t, 130 if t % 2 else 100) for t in range(60)])
    assert story(rule(clear_duration_s=5), *flapping) == [("opened", 1, False)]


def test_it_stays_open_between_clear_threshold_and_threshold():
    changes = story(rule(clear=110), *speeds((0, 125), (1, 115), (2, 121), (3, 111), (4, 109)))
    assert changes == [("opened", 0, False), ("resolved", 4, False)]


def test_it_waits_for_the_cooldown_before_it_opens_again():
    changes = story(rule(cooldown_s=60), *speeds((0, 130), (1, 100), (5, 130), (6, 100), (70, 130)))
    assert changes == [("opened", 0, False), ("resolved", 1, False), ("opened", 70, False)]


def test_it_opens_only_within_the_schedule_of_the_organisations_time_zone():
    local = datetime.fromtimestamp(START, UTC)
    # 09:00-17:00 every day in a zone two hours ahead is 07:00-15:00 UTC.
    spec = rule(schedule=[{"days": list(range(7)), "start": 540, "end": 1020}])
    to_seven = (7 * 60 - (local.hour * 60 + local.minute)) * 60 - local.second
    before, after = to_seven - 10, to_seven + 10
    readings = speeds((before, 130), (after, 130)) if before > 0 else None
    if readings is None:
        readings = speeds((before + 86_400, 130), (after + 86_400, 130))
    assert [s for _, s, _ in story(spec, *readings, zone="Africa/Johannesburg")] == [
        seconds(readings[1].time)
    ]


def test_it_marks_what_a_late_reading_opens_and_tells_nobody():
    late = [reading(t, arrives=1000 + t, speed_kmh=130) for t in range(3)]
    assert story(rule(lateness_s=120), *late) == [("opened", 0, True)]


def test_it_confirms_a_late_alert_that_is_still_true_now():
    changes = story(
        rule(lateness_s=120),
        reading(0, arrives=1000, speed_kmh=130),
        reading(999, arrives=1001, speed_kmh=131),
    )
    assert changes == [("opened", 0, True), ("confirmed", 999, False)]


def test_it_closes_by_a_late_reading_in_order():
    changes = story(rule(), reading(0, speed_kmh=130), reading(10, arrives=900, speed_kmh=50))
    assert changes == [("opened", 0, False), ("resolved", 10, False)]


def test_it_records_an_episode_found_in_readings_that_arrive_after_newer_ones():
    backlog = [reading(t, arrives=1000 + t, speed_kmh=130) for t in range(0, 40, 5)]
    end = reading(40, arrives=1040, speed_kmh=90)
    changes = story(rule(duration_s=10), reading(500, speed_kmh=60), *backlog, end)
    assert changes == [("recorded", 10, True), ("annotated", 35, True)]


def test_it_tells_of_a_moment_that_arrived_a_little_out_of_order():
    changes = story(
        rule("device_alarm", params={}),
        reading(10, speed_kmh=0.0),
        reading(9, arrives=11, alarms=("sos",)),
    )
    assert changes == [("recorded", 9, False)]


def test_it_notes_once_that_a_late_reading_contradicts_an_open_alert():
    changes = story(
        rule(),
        reading(0, speed_kmh=130),
        reading(20, speed_kmh=130),
        reading(10, arrives=400, speed_kmh=50),
        reading(11, arrives=401, speed_kmh=50),
    )
    assert changes == [("opened", 0, False), ("annotated", 10, True)]


def test_it_counts_a_duration_anew_when_a_late_reading_breaks_it():
    changes = story(
        rule(duration_s=10),
        reading(0, speed_kmh=130),
        reading(8, speed_kmh=130),
        reading(4, arrives=9, speed_kmh=50),
        reading(12, speed_kmh=130),
        reading(18, speed_kmh=130),
    )
    assert changes == [("opened", 18, False)]


def test_it_keeps_its_state_across_a_restart():
    spec = program(rule(duration_s=10, clear_duration_s=10))
    first, nothing = advance(spec, SubjectState(), speeds((0, 130), (5, 130)))
    second, transitions = advance(
        spec, unpack_state(pack_state(first)), speeds((11, 130), (12, 90))
    )
    assert nothing == [] and [t.change for t in transitions] == ["opened"]
    _, transitions = advance(spec, unpack_state(pack_state(second)), speeds((25, 90)))
    assert [t.change for t in transitions] == ["resolved"]


def test_it_does_not_change_the_state_it_was_given():
    spec = program(rule())
    before = SubjectState()
    advance(spec, before, speeds((0, 130)))
    assert before == SubjectState() and before.rules == {}


def test_it_remembers_nothing_about_a_vehicle_with_which_nothing_is_the_matter():
    after, _ = advance(program(rule(duration_s=5)), SubjectState(), speeds((0, 130), (1, 90)))
    assert after.rules == {}
