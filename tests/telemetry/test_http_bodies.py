"""HTTP bodies: both camelCase bodies to the letter, and what may not be mixed."""

import json
from decimal import Decimal

import pytest

from telemetry.adapters import http_v1
from telemetry.adapters.http_v1 import ALIASES, MAX_ITEMS, BodyMalformed, BodyTooLarge
from telemetry.envelope import Envelope, Speaker, array_header
from telemetry.streams import decode_readings
from telemetry.validate import EARLIEST_US

NOW_US = 1_795_000_000_000_000
TIME = "2024-02-08T12:00:00Z"
TIME_US = 1_707_393_600_000_000

METER_BODY = (
    b'{"meterId":"M123","kwhConsumedAc":45.2,"voltage":230.1,"timestamp":"2024-02-08T12:00:00Z"}'
)
VEHICLE_BODY = (
    b'{"vehicleId":"V456","soc":82.5,"kwhDeliveredDc":38.1,"batteryTemp":32.2,'
    b'"timestamp":"2024-02-08T12:00:00Z"}'
)


def judge(body, reader=http_v1.read_json):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return reader(raw, (EARLIEST_US, NOW_US))


def accepted(body):
    [answer] = judge(body)
    assert answer.refused is None
    reading = answer.reading
    envelope = Envelope(Speaker(1, None, reading.kind, 7), "http.v1")
    record = envelope.record(reading.time_us, NOW_US, 0, reading.content)
    [decoded] = decode_readings(array_header(1) + record)
    return reading, decoded


def refusal(body):
    [answer] = judge(body)
    assert answer.reading is None
    return answer.refused.refusal.code, answer.refused.refusal.field


def test_it_takes_the_meter_body():
    reading, decoded = accepted(METER_BODY)
    assert (reading.kind, reading.reference, reading.time_us) == ("m", "M123", TIME_US)
    assert (decoded.energy_ac_kwh, decoded.voltage_v) == (Decimal("45.200000"), 230.1)
    assert (decoded.current_a, decoded.attributes) == (None, None)


def test_it_takes_the_vehicle_body():
    reading, decoded = accepted(VEHICLE_BODY)
    assert (reading.kind, reading.reference, reading.time_us) == ("v", "V456", TIME_US)
    assert (decoded.soc_pct, decoded.battery_temp_c) == (82.5, 32.2)
    assert decoded.energy_dc_kwh == Decimal("38.100000")
    assert decoded.lat is None


def test_it_knows_a_reading_by_canonical_names_as_the_same():
    canonical = {
        "vehicle_id": "V456", "soc_pct": 82.5, "energy_dc_kwh": 38.1, "battery_temp_c": 32.2,
        "time": 1_707_393_600_000,
    }  # fmt: skip
    assert accepted(canonical)[0]._replace(name="") == accepted(VEHICLE_BODY)[0]._replace(name="")


@pytest.mark.parametrize("alias", ALIASES)
def test_it_refuses_an_alias_beside_its_canonical_twin(alias):
    subject = (
        {"meterId": "M1"}
        if ALIASES[alias] in ("energy_ac_kwh", "voltage_v")
        else {"vehicleId": "V1"}
    )
    body = {**subject, "time": TIME, alias: 1, ALIASES[alias]: 1}
    assert refusal(body) == ("malformed", alias)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"vehicleId": "V1", "vehicle_id": "V1", "soc": 1, "time": TIME}, "malformed", "vehicle_id"),
        ({"vehicleId": "V1", "meterId": "M1", "soc": 1, "time": TIME}, "malformed", "meterId"),
        ({"soc": 1, "time": TIME}, "missing_field", "vehicle_id"),
        ({"vehicleId": "V1", "soc": 1}, "missing_field", "time"),
        ({"vehicleId": "V1", "soc": 1, "time": TIME, "timestamp": TIME}, "malformed", "timestamp"),
        ({"vehicleId": "V1", "soc": 1, "timestamp": "soon"}, "bad_time", "timestamp"),
        ({"vehicleId": "V1", "soc": 1, "timestamp": "2029-01-01T00:00:00Z"}, "future_time", "timestamp"),
        ({"vehicleId": "V1", "kwhConsumedAc": 1, "time": TIME}, "unknown_field", "kwhConsumedAc"),
        ({"vehicleId": "V1", "voltage_v": 1, "time": TIME}, "unknown_field", "voltage_v"),
        ({"meterId": "M1", "soc": 1, "time": TIME}, "unknown_field", "soc"),
        ({"meterId": "M1", "alarms": ["a"], "time": TIME}, "unknown_field", "alarms"),
        ({"vehicleId": "V1", "seq": 1, "soc": 1, "time": TIME}, "unknown_field", "seq"),
        ({"vehicleId": "V1", "VIN": "x", "soc": 1, "time": TIME}, "unknown_field", "VIN"),
        ({"vehicleId": "V1", "soc": 101, "time": TIME}, "out_of_range", "soc"),
        ({"meterId": "M1", "kwhConsumedAc": -1, "time": TIME}, "out_of_range", "kwhConsumedAc"),
        ({"vehicleId": "V1", "time": TIME}, "missing_field", ""),
        ({"meterId": "M1", "time": TIME}, "missing_field", ""),
        ({"vehicleId": "", "soc": 1, "time": TIME}, "malformed", "vehicleId"),
        ({"vehicleId": "V 1", "soc": 1, "time": TIME}, "malformed", "vehicleId"),
        ({"vehicleId": "V1\n", "soc": 1, "time": TIME}, "malformed", "vehicleId"),
        ({"vehicleId": 1, "soc": 1, "time": TIME}, "malformed", "vehicleId"),
        ({"vehicleId": "V1", "soc": 1, "time": TIME, "schema": 2}, "unsupported_schema", "schema"),
        ({}, "missing_field", "vehicle_id"),
    ],
)  # fmt: skip
def test_it_refuses_what_a_body_may_not_hold(body, code, field):
    assert refusal(body) == (code, field)


def test_it_takes_attributes_of_either_kind():
    for subject, value in (("vehicleId", "soc"), ("meterId", "voltage")):
        body = {subject: "X1", value: 1, "time": TIME, "attributes": {"site": "north"}}
        assert accepted(body)[1].attributes == {"site": "north"}


def test_it_answers_for_each_item_of_an_array_in_its_place():
    body = b"[" + METER_BODY + b',{"x":1},5,' + VEHICLE_BODY + b"]"
    answers = judge(body)
    assert [a.refused is None for a in answers] == [True, False, False, True]
    assert [answers[1].refused.raw, answers[2].refused.raw] == [b'{"x":1}', b"5"]


def test_it_reads_a_line_each():
    answers = judge(
        METER_BODY + b"\r\n\n  \n" + VEHICLE_BODY + b"\nnonsense\n{}", http_v1.read_lines
    )
    assert [a.refused is None for a in answers] == [True, True, False, False]
    assert answers[2].refused.refusal.code == "malformed"


@pytest.mark.parametrize(
    "body", [b"", b"nul", b"5", b'"text"', b"null", b"[1", b"{", b"[" * 9999, b"\xff", b"{} {}"]
)
def test_it_says_where_the_body_as_a_whole_is_nothing(body):
    with pytest.raises(BodyMalformed):
        judge(body)


def test_it_bounds_the_items_of_a_body():
    item = {"vehicleId": "V1", "soc": 1, "time": TIME}
    assert len(judge([item] * MAX_ITEMS)) == MAX_ITEMS
    for body in ([item] * (MAX_ITEMS + 1), [1] * (MAX_ITEMS + 1)):
        with pytest.raises(BodyTooLarge):
            judge(body)
    with pytest.raises(BodyTooLarge):
        judge(b"{}\n" * (MAX_ITEMS + 1), http_v1.read_lines)
