"""Readers of the stored log."""

import threading

import pytest
from redis.exceptions import RedisError

from telemetry import routes
from telemetry.streams import STORED, encode_readings
from tests.telemetry.readings import meter_reading, vehicle_reading

pytestmark = pytest.mark.usefixtures("committed", "empty_logs")

heard = []
troubles = []


def listen(readings):
    if troubles:
        raise troubles.pop()
    heard.append(readings)


gaps = []
listen.on_gap = gaps.append


@pytest.fixture(autouse=True)
def declared_routes(settings, committed, empty_logs):
    for kept in (heard, troubles, gaps):
        kept.clear()
    settings.TELEMETRY_ROUTES = [
        {"name": "all", "kinds": ["v", "m"], "handler": f"{__name__}.listen"},
        {"name": "meters", "kinds": ["m"], "handler": f"{__name__}.listen"},
    ]
    for partition in range(STORED.partitions):
        routes.prepare(partition)


def publish(*readings, partition=0):
    STORED.append(partition, encode_readings(readings), len(readings))


def consume(name):
    routes.consume(name, threading.Event(), once=True)


def test_every_route_hears_its_kinds_and_the_entry_goes_with_the_last():
    vehicle, meter = vehicle_reading(), meter_reading(energy="1.5")
    publish(vehicle, meter)
    consume("all")
    assert heard == [[vehicle, meter]]
    assert STORED.depth(0).entries == 1
    consume("meters")
    assert heard[1:] == [[meter]]
    assert STORED.depth(0).entries == 0


def test_it_refuses_a_route_nobody_declared():
    with pytest.raises(LookupError):
        consume("nobody")


def test_it_gives_a_handler_that_was_cut_off_the_entry_again():
    troubles.append(RedisError("away"))
    reading = vehicle_reading()
    publish(reading)
    consume("all")
    assert heard == [[reading]]


def test_it_goes_on_past_an_entry_that_no_try_can_handle(monkeypatch):
    # Once with all that was taken, then the bad one by itself.
    troubles.extend(ValueError("no") for _ in range(1 + routes.TRIES))
    bad, good = vehicle_reading(1), vehicle_reading(2)
    publish(bad)
    publish(good)
    consume("all")
    assert heard == [[good]]
    assert STORED.lag(0, "all").entries == 0


def test_it_tells_a_route_that_entries_went_before_it_saw_them(monkeypatch):
    monkeypatch.setattr(STORED, "max_bytes", 2000)
    for n in range(40):
        publish(vehicle_reading(n + 1))
    consume("all")
    assert gaps == [0]
    left = [reading.vehicle_id for readings in heard for reading in readings]
    assert 0 < len(left) < 40
    assert left[-1] == 40
    consume("all")
    assert gaps == [0]


def test_a_route_no_longer_declared_holds_nothing_back(settings):
    publish(vehicle_reading())
    settings.TELEMETRY_ROUTES = settings.TELEMETRY_ROUTES[:1]
    assert routes.forget_undeclared() == ["meters"]
    consume("all")
    assert STORED.depth(0).entries == 0
