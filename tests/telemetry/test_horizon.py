"""How far an event stream's id may move."""

from telemetry.horizon import SKEW_S, Sample, Told


def sample(at):
    return Sample(at, int(at), int(at) + 1)


def checked(told, *, until, published=None):
    """A check every ten seconds; what is stored is published at once unless told otherwise."""
    for at in range(10, until + 1, 10):
        told.checked(sample(at), at if published is None else published)
        told.told_until(at)


def test_it_moves_when_two_checks_after_it_was_published_nothing_is_missing():
    told = Told(sample(0))
    checked(told, until=30)
    assert told.reached.at == 0
    checked(told := Told(sample(0)), until=40)
    assert told.reached.at == 10
    checked(told := Told(sample(0)), until=200)
    assert told.reached.at == 170


def test_it_does_not_move_past_what_the_route_has_yet_to_publish():
    told = Told(sample(0))
    checked(told, until=200, published=20 + SKEW_S)
    assert told.reached.at == 20


def test_it_does_not_move_past_what_waits_for_a_slow_reader():
    told = Told(sample(0))
    for at in range(10, 500, 10):
        told.checked(sample(at), at)
        told.told_until(45)
    assert told.reached.at == 10
    told.told_until(500)
    assert told.reached.at > 10
