"""What the edge asks history: by the writer's own rows, and never more than it must."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from telemetry.storage import known
from telemetry.storage.connection import connect
from telemetry.storage.known import stored_among
from telemetry.storage.store import Store
from tests.telemetry.readings import SECOND, T0, meter_reading, vehicle_reading

pytestmark = pytest.mark.usefixtures("committed")

DAY = 86_400 * SECOND


def store(*readings):
    with connect("outrider tests") as writer:
        Store(writer).store(readings)


def identity_of(reading):
    vehicle = hasattr(reading, "vehicle_id")
    subject_id = reading.vehicle_id if vehicle else reading.meter_id
    return "v" if vehicle else "m", subject_id, reading.time, reading.reading_id


def test_it_knows_exactly_what_history_has():
    history = [
        *(vehicle_reading(1, at=T0 - days * DAY, rid=days) for days in (0, 1, 9, 300)),
        vehicle_reading(1, at=T0, rid=-5),
        meter_reading(1, at=T0, rid=7, energy="1"),
    ]
    store(*history)
    had = [identity_of(reading) for reading in history]
    lacking = [
        ("v", 1, T0, 1),
        ("v", 1, T0 - 1, 0),
        ("v", 1, T0 - 300 * DAY - 1, 300),
        ("v", 1, T0 + 1, 0),
        ("v", 2, T0, 0),
        ("m", 1, T0, 0),
        ("m", 2, T0, 7),
    ]
    assert stored_among([*had, *lacking]) == set(had)


def test_it_does_not_search_history_for_what_is_ahead():
    store(*(vehicle_reading(vehicle_id, at=T0) for vehicle_id in range(50)))
    ahead = [("v", vehicle_id, T0 + 1, 0) for vehicle_id in range(60)]
    with CaptureQueriesContext(connection) as queries:
        assert stored_among(ahead) == set()
    assert len(queries) == 1
    assert "telemetry_vehicle_reading" not in queries[0]["sql"]


def test_it_searches_one_chunk_for_each_day_however_much_history_there_is():
    store(*(vehicle_reading(1, at=T0 - days * DAY, rid=1) for days in range(20)))
    with CaptureQueriesContext(connection) as queries:
        assert len(stored_among([("v", 1, T0 - 3 * DAY, 1), ("v", 1, T0 - 5 * DAY, 1)])) == 2
    searches = [q["sql"] for q in queries if "telemetry_vehicle_reading" in q["sql"]]
    assert len(searches) == 2
    for search in searches:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {search}")
            plan = " ".join(line for (line,) in cursor.fetchall())
        assert plan.count("_hyper_") >= 1
        chunks = {word for word in plan.replace("(", " ").split() if word.startswith("_hyper_")}
        assert len({"_".join(chunk.split("_")[:4]) for chunk in chunks}) == 1, plan


def test_it_counts_as_new_what_it_cannot_find_in_time(monkeypatch):
    reading = vehicle_reading(1, at=T0)
    store(reading)
    monkeypatch.setattr(known, "LOOKUP_S", 0)
    assert stored_among([identity_of(reading)]) == set()


def test_it_survives_times_at_the_ends():
    reading = vehicle_reading(1, at=T0)
    store(reading)
    earliest, latest = 946_684_800_000_000, 253_402_300_799_999_999
    asked = [("v", 1, earliest, 1), ("v", 1, latest, -(2**31)), identity_of(reading)]
    assert stored_among(asked) == {identity_of(reading)}
