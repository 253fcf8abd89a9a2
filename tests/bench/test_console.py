"""What the benchmark of the console makes of what it saw."""

from bench.phases.console import _waits


def test_it_finds_each_reading_that_came_to_the_screen():
    said = [(31, 1000.0), (32, 1400.0), (33, 1800.0)]
    assert _waits(said, [[31, 1200], [33, 1900]]) == [0.2, 0.1]


def test_what_another_sent_is_passed_over():
    said = [(31, 1000.0), (32, 1400.0)]
    assert _waits(said, [[45, 900], [31, 1100], [60, 1300], [32, 1500]]) == [0.1, 0.1]
    assert _waits(said, [[32, 1200]]) == [], "not sent yet"
