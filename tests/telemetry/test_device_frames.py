"""The device protocol's frames: what becomes of each, in JSON and in MessagePack alike."""

import json
import math
from decimal import Decimal

import msgpack
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry import streams
from telemetry.adapters.telemetry_v1 import MAX_BATCH, MAX_ITEMS, FrameTooLarge, Reader
from telemetry.envelope import Envelope, Speaker, array_header
from telemetry.fields import METER_FIELDS, VEHICLE_FIELDS, Kind
from telemetry.records import SCHEMA_VERSION, MeterReading, VehicleReading
from telemetry.validate import Limits

NOW_US = 1_795_000_000_000_000
TIME_MS = 1_794_999_999_000
LIMITS = Limits(ahead_us=300_000_000, kept_days=100_000)
VEHICLE = Speaker(1, 2, "v", 3)
METER = Speaker(1, 2, "m", 3)


def reader(form="json", speaker=VEHICLE, limits=LIMITS):
    return Reader(Envelope(speaker, "telemetry.v1"), form, limits)


def packed(form, value):
    return json.dumps(value) if form == "json" else msgpack.packb(value)


def read(value, form="json", speaker=VEHICLE):
    frame = value if isinstance(value, str | bytes) else packed(form, value)
    records, refused, seq, through = reader(form, speaker).read(frame, NOW_US)
    readings = streams.decode_readings(array_header(len(records)) + b"".join(records))
    return readings, [(r.refusal.code, r.refusal.field, r.seq) for r in refused], seq, through


def accepted(value, **options):
    readings, refused, _, _ = read(value, **options)
    assert refused == []
    return readings[0]


def refusal(value, **options):
    readings, refused, _, _ = read(value, **options)
    assert readings == []
    [(code, field, _)] = refused
    return code, field


def reading(**values):
    return {"seq": 1, "time": TIME_MS, **values}


both = pytest.mark.parametrize("form", ["json", "msgpack"])

EVERYTHING = {
    "lat": 33.97, "lon": -6.84, "altitude_m": 75.5, "heading_deg": 271.5, "speed_kmh": 38.9,
    "accuracy_m": 4.0, "satellites": 9, "odometer_km": 12345.6, "ignition": True,
    "soc_pct": 53.4, "range_km": 120.0, "battery_temp_c": 31.5, "battery_voltage_v": 395.1,
    "battery_current_a": -35.2, "energy_dc_kwh": 0.0123, "charging": False, "fuel_pct": 10.0,
    "engine_rpm": 900.0, "coolant_temp_c": 80.0, "ambient_temp_c": -4.5,
    "supply_voltage_v": 13.8, "driver": "Ines", "alarms": ["sos"],
    "attributes": {"gear": "D", "n": 3, "x": 1.5, "on": True, "none": None},
}  # fmt: skip


@both
def test_it_takes_every_field_of_a_vehicle(form):
    expected = VehicleReading(
        SCHEMA_VERSION, 1, 2, 3, TIME_MS * 1000, NOW_US, 0, "telemetry.v1",
        **{
            **EVERYTHING,
            "energy_dc_kwh": Decimal("0.012300"),
            "alarms": ("sos",),
        },
    )  # fmt: skip
    assert set(EVERYTHING) == {*VEHICLE_FIELDS, "alarms", "attributes"}
    found = accepted(reading(**EVERYTHING), form=form)
    assert msgspec.structs.replace(found, reading_id=0) == expected
    # What the edge puts together from bytes is what the record itself would write.
    records, *_ = reader(form).read(packed(form, reading(**EVERYTHING)), NOW_US)
    assert streams.decode_readings(streams.encode_readings([found])) == [found]
    assert streams.decode_readings(array_header(1) + records[0]) == [found]


@both
def test_it_takes_every_field_of_a_meter(form):
    values = {"energy_ac_kwh": 45.2, "voltage_v": 230.1, "current_a": 16.0, "power_kw": 3.7}
    assert set(values) == set(METER_FIELDS)
    found = accepted(reading(**values, attributes={"phase": 1}), form=form, speaker=METER)
    assert msgspec.structs.replace(found, reading_id=0) == MeterReading(
        SCHEMA_VERSION, 1, 2, 3, TIME_MS * 1000, NOW_US, 0, "telemetry.v1",
        Decimal("45.200000"), 230.1, 16.0, 3.7, {"phase": 1},
    )  # fmt: skip


def test_it_gives_a_reading_the_same_identity_however_it_is_written():
    plain = accepted(reading(lat=1.5, lon=2.0, energy_dc_kwh=45.2, attributes={"a": 1, "b": 2.0}))
    for spelling in (
        '{"seq":9,"time":"2026-11-17T14:06:39+00:00","attributes":{"b":2,"a":1},"lon":2,"lat":1.5,'
        '"energy_dc_kwh":45.20}',
        '{"seq":9,"time":"2026-11-17T15:06:39.000+01:00","attributes":{"a":1.0,"b":2},"lon":2.00,'
        '"lat":15e-1,"energy_dc_kwh":"45.200"}',
    ):
        assert accepted(spelling).reading_id == plain.reading_id
    packed_reading = msgpack.packb(
        reading(energy_dc_kwh=45.2, attributes={"b": 2, "a": 1.0}, lat=1.5, lon=2)
    )
    assert accepted(packed_reading, form="msgpack").reading_id == plain.reading_id
    assert accepted(reading(lat=1.5, lon=2.0)).reading_id != plain.reading_id


def test_it_keeps_the_identities_of_readings_stored_long_ago():
    """These are in history: a change here would store every replayed reading twice."""
    assert accepted(reading(**EVERYTHING)).reading_id == IDENTITY_OF_EVERYTHING
    assert accepted(reading(soc_pct=53.4)).reading_id == IDENTITY_OF_ONE_VALUE


IDENTITY_OF_EVERYTHING = -2107011864
IDENTITY_OF_ONE_VALUE = 2067913037


@pytest.mark.parametrize(
    ("time", "microseconds"),
    [
        (1_700_000_000_123, 1_700_000_000_123_000),
        ("2023-11-14T22:13:20.123456Z", 1_700_000_000_123_456),
        ("2023-11-14T23:13:20.000001+01:00", 1_700_000_000_000_001),
        ("2000-01-01T00:00:00Z", 946_684_800_000_000),
        (NOW_US // 1000 + 300_000, NOW_US + 300_000_000),
    ],
)
def test_it_reads_times_to_the_microsecond(time, microseconds):
    assert accepted({"seq": 1, "time": time, "soc_pct": 1}).time == microseconds


@pytest.mark.parametrize(
    ("time", "code"),
    [
        ("2023-11-14T22:13:20", "bad_time"),
        ("2024-02-30T00:00:00Z", "bad_time"),
        ("yesterday", "bad_time"),
        (1.5, "bad_time"),
        (True, "bad_time"),
        (None, "bad_time"),
        ({}, "bad_time"),
        (0, "bad_time"),
        (-1, "bad_time"),
        (-(10**40), "bad_time"),
        ("0001-01-01T00:00:00+14:00", "bad_time"),
        (946_684_799_999, "bad_time"),
        (NOW_US // 1000 + 300_001, "future_time"),
        (NOW_US // 1000 + 86_400_000, "future_time"),
        ("9999-12-31T23:59:59-14:00", "future_time"),
        (10**40, "future_time"),
    ],
)
def test_it_refuses_a_time_that_cannot_be(time, code):
    assert refusal({"seq": 1, "time": time, "soc_pct": 1}) == (code, "time")


@both
def test_it_refuses_what_retention_would_take_away_again(form):
    midnight = NOW_US - NOW_US % 86_400_000_000
    oldest_ms = (midnight - 30 * 86_400_000_000) // 1000
    short = reader(form, limits=Limits(ahead_us=0, kept_days=30))
    times = enumerate((oldest_ms, oldest_ms - 1), start=1)
    frame = packed(form, [reading(seq=seq, time=time, soc_pct=1) for seq, time in times])
    records, [refused], seq, through = short.read(frame, NOW_US)
    assert (len(records), seq, through) == (1, 1, 2)
    assert (refused.refusal.code, refused.refusal.field) == ("bad_time", "time")
    assert "kept since 2026-10-" in refused.refusal.detail
    long_ago = reader(form, limits=Limits(ahead_us=0, kept_days=36_500))
    _, [refused], _, _ = long_ago.read(packed(form, reading(time=0, soc_pct=1)), NOW_US)
    assert "2000" in refused.refusal.detail


@both
@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({}, "missing_field", ""),
        ({"attributes": {}}, "missing_field", ""),
        ({"soc_pct": None}, "missing_field", ""),
        ({"lat": 33.0}, "missing_field", "lon"),
        ({"lon": 33.0}, "missing_field", "lat"),
        ({"lat": 91.2, "lon": 0}, "out_of_range", "lat"),
        ({"lat": 0, "lon": -180.1}, "out_of_range", "lon"),
        ({"soc_pct": 100.5}, "out_of_range", "soc_pct"),
        ({"satellites": 201}, "out_of_range", "satellites"),
        ({"satellites": 2**60}, "out_of_range", "satellites"),
        ({"energy_dc_kwh": -0.1}, "out_of_range", "energy_dc_kwh"),
        ({"energy_dc_kwh": 1e300}, "out_of_range", "energy_dc_kwh"),
        ({"energy_dc_kwh": "NaN"}, "out_of_range", "energy_dc_kwh"),
        ({"energy_dc_kwh": "sNaN"}, "out_of_range", "energy_dc_kwh"),
        ({"energy_dc_kwh": "Infinity"}, "out_of_range", "energy_dc_kwh"),
        ({"energy_dc_kwh": "a lot"}, "malformed", "energy_dc_kwh"),
        ({"soc_pct": "53"}, "malformed", "soc_pct"),
        ({"soc_pct": True}, "malformed", "soc_pct"),
        ({"soc_pct": [53]}, "malformed", "soc_pct"),
        ({"ignition": 1}, "malformed", "ignition"),
        ({"satellites": 7.5}, "malformed", "satellites"),
        ({"driver": 7}, "malformed", "driver"),
        ({"driver": "a\x00b"}, "malformed", "driver"),
        ({"driver": "x" * 257}, "too_large", "driver"),
        ({"alarms": "sos"}, "malformed", "alarms"),
        ({"alarms": ["x" * 65]}, "too_large", "alarms"),
        ({"alarms": [""]}, "malformed", "alarms"),
        ({"alarms": ["a"] * 17}, "too_large", "alarms"),
        ({"attributes": {"a": {"b": 1}}}, "malformed", "attributes"),
        ({"attributes": {"a": [1]}}, "malformed", "attributes"),
        ({"attributes": {"": 1}}, "malformed", "attributes"),
        ({"attributes": {"a\x00": 1}}, "malformed", "attributes"),
        ({"attributes": {"a": "b\x00"}}, "malformed", "attributes"),
        ({"attributes": {"x" * 65: 1}}, "too_large", "attributes"),
        ({"attributes": {"a": 2**53 + 2}}, "out_of_range", "attributes"),
        ({"attributes": {str(n): n for n in range(65)}}, "too_large", "attributes"),
        ({"schema": 2, "soc_pct": 1}, "unsupported_schema", "schema"),
        ({"speed": 5}, "unknown_field", "speed"),
        ({"energy_ac_kwh": 5}, "unknown_field", "energy_ac_kwh"),
        ({"invalid": ["position"], "soc_pct": 5}, "unknown_field", "invalid"),
        ({"reading_id": 5}, "unknown_field", "reading_id"),
    ],
)
def test_it_refuses_what_a_reading_may_not_hold(form, values, code, field):
    assert refusal(reading(**values), form=form) == (code, field)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_it_refuses_numbers_that_are_none(value):
    assert refusal(reading(soc_pct=value), form="msgpack") == ("out_of_range", "soc_pct")
    attributes = reading(attributes={"a": value})
    assert refusal(attributes, form="msgpack") == ("out_of_range", "attributes")
    assert refusal(reading(energy_dc_kwh=value), form="msgpack")[1] == "energy_dc_kwh"
    # JSON has no such number: the frame as a whole is none.
    assert refusal(json.dumps(reading(soc_pct=value))) == ("malformed", "")


@pytest.mark.parametrize("missing", [{"time": TIME_MS, "soc_pct": 1}, {"seq": 1, "soc_pct": 1}])
def test_it_refuses_a_reading_without_number_or_time(missing):
    assert refusal(missing)[0] == "missing_field"


@pytest.mark.parametrize("seq", [-1, 2**63, 1.0, "1", None, True, 10**400])
def test_it_refuses_a_number_that_does_not_count(seq):
    frame = {"seq": seq, "time": TIME_MS, "soc_pct": 1}
    readings, [(_, field, answered)], _, through = read(frame)
    assert readings == []
    assert (answered, through) == (None, None)
    # Python's own limit on digits makes the longest of them undecodable altogether.
    assert field in ("seq", "")


def test_it_names_the_value_that_is_out_of_range():
    _, [refused], _, _ = reader().read(packed("json", reading(lat=91.2, lon=0)), NOW_US)
    assert refused.refusal.detail == "91.2 is not in [-90, 90]"
    assert refused.seq == 1
    assert json.loads(refused.raw)["lat"] == 91.2


@pytest.mark.parametrize(("lat", "lon"), [(0, -0.0), (0.0, -6.858635), (51.48, 0)])
def test_it_keeps_a_reading_of_a_receiver_without_a_fix_without_its_position(lat, lon):
    found = accepted(reading(lat=lat, lon=lon, speed_kmh=3))
    assert (found.lat, found.lon, found.invalid, found.speed_kmh) == (None, None, ("position",), 3)


def test_it_believes_a_position_beside_the_equator():
    found = accepted(reading(lat=0.000001, lon=-78.45))
    assert (found.lat, found.lon, found.invalid) == (0.000001, -78.45, None)


def test_it_makes_values_canonical():
    found = accepted(reading(heading_deg=360, altitude_m=-0.0, attributes={"a": -0.0, "b": 2.5}))
    assert found.heading_deg == 0
    assert math.copysign(1, found.altitude_m) == 1
    assert found.attributes == {"a": 0, "b": 2.5}
    assert type(found.attributes["a"]) is int
    energy = accepted(reading(energy_dc_kwh=0.00000250001)).energy_dc_kwh
    assert str(energy) == "0.000003"
    assert str(accepted('{"seq":1,"time":%d,"energy_dc_kwh":-0.0}' % TIME_MS).energy_dc_kwh) == (
        "0.000000"
    )


@pytest.mark.parametrize("name", [n for n, f in VEHICLE_FIELDS.items() if f.low is not None])
def test_it_takes_the_ends_of_every_range_and_nothing_beyond(name):
    field = VEHICLE_FIELDS[name]
    partner = {"lat": {"lon": 1}, "lon": {"lat": 1}}.get(name, {})
    for end in (field.low, field.high):
        accepted(reading(**{name: int(end)}, **partner))
    for beyond in (field.low - 1, field.high + 1):
        assert refusal(reading(**{name: int(beyond)}, **partner)) == ("out_of_range", name)


# --- Frames --------------------------------------------------------------------------------
@both
def test_it_answers_for_each_reading_of_an_array(form):
    frame = [
        {"seq": 5, "time": TIME_MS, "soc_pct": 1},
        {"seq": 6, "time": TIME_MS, "soc_pct": 101},
        {"seq": 7, "time": 0, "soc_pct": 2},
        {"seq": 8, "time": TIME_MS, "soc_pct": 3},
        {"nothing": 1},
        [],
    ]
    readings, refused, seq, through = read(frame, form=form)
    assert [r.soc_pct for r in readings] == [1, 3]
    assert refused == [
        ("out_of_range", "soc_pct", 6),
        ("bad_time", "time", 7),
        ("unknown_field", "nothing", None),
        ("malformed", "", None),
    ]
    assert (seq, through) == (8, 8)


@both
def test_it_refuses_each_reading_of_a_frame_that_holds_too_many(form):
    frame = [{"seq": n, "time": TIME_MS, "soc_pct": 1} for n in range(MAX_BATCH + 1)]
    readings, refused, seq, through = read(frame, form=form)
    assert readings == []
    assert refused == [("too_large", "", n) for n in range(MAX_BATCH + 1)]
    assert (seq, through) == (None, MAX_BATCH)
    readings, refused, _, _ = read(frame[:-1], form=form)
    assert (len(readings), refused) == (MAX_BATCH, [])


@both
def test_it_does_not_even_take_a_frame_of_crumbs_apart(form):
    with pytest.raises(FrameTooLarge):
        read([1] * (MAX_ITEMS + 1), form=form)


@pytest.mark.parametrize(
    "frame",
    ["", "nul", "5", "null", '"text"', "[]", "[" * 50_000, '{"a":' * 50_000, '{"seq":1', "\ud800",
     '{"seq":1,"time":1794999999000,"driver":"\\ud800"}'],
)  # fmt: skip
def test_it_refuses_text_that_holds_no_reading(frame):
    assert refusal(frame)[0] in ("malformed", "unknown_field")


@pytest.mark.parametrize(
    "frame",
    [b"", b"\xc1", b"\x91" * 50_000, b"\xdd\xff\xff\xff\xff", b"\xc7\x01\x05a", b"\x80",
     msgpack.packb({1: 2}), msgpack.packb({b"seq": 1}), msgpack.packb(reading(driver=b"\xff")),
     msgpack.packb(reading(driver="x")).replace(b"\xa1x", b"\xa1\xff"),
     msgpack.packb(reading(soc_pct=msgpack.ExtType(5, b"1")))],
)  # fmt: skip
def test_it_refuses_bytes_that_hold_no_reading(frame):
    assert refusal(frame, form="msgpack")[0] in ("malformed", "unknown_field", "missing_field")


def test_it_shows_nothing_of_a_stranger_that_a_database_cannot_hold():
    frame = '{"seq":1,"time":%d,"\\u0000%s":1}' % (TIME_MS, "x" * 500)
    _, [refused], _, _ = reader().read(frame, NOW_US)
    assert "\x00" not in refused.refusal.field
    assert len(refused.refusal.field) <= 80


def test_it_keeps_no_more_than_64_kib_of_a_refused_frame():
    frame = "[" + " " * 500_000
    _, [refused], _, _ = reader().read(frame, NOW_US)
    assert len(refused.raw) == 64 * 1024
    assert refused.raw_size == len(frame)


# --- Anything at all -------------------------------------------------------------------------
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from([TIME_MS, 2**63, 2**64, -1, 0])
)  # fmt: skip
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
names = st.sampled_from([*VEHICLE_FIELDS, "alarms", "attributes", "seq", "time", "schema", "x"])
almost_readings = st.dictionaries(names, anything, max_size=6).map(lambda d: {**reading(), **d})
items = almost_readings | anything


def expected_answers(value):
    return len(value) if isinstance(value, list) and value else 1


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_it_answers_any_bytes(frame):
    for form in ("json", "msgpack"):
        records, refused, _, _ = reader(form).read(frame, NOW_US)
        assert len(records) + len(refused) >= 1


@given(st.lists(items, max_size=5) | items)
@settings(max_examples=500, deadline=None)
def test_it_answers_every_item_exactly_once(value):
    for form, pack in (("json", lambda v: json.dumps(v)), ("msgpack", packb)):
        frame = pack(value)
        if frame is None:
            continue
        records, refused, _, through = reader(form).read(frame, NOW_US)
        whole = form == "json" and any(word in frame for word in ("NaN", "Infinity", "\\ud"))
        if not whole:
            assert len(records) + len(refused) == expected_answers(value)
        readings = streams.decode_readings(array_header(len(records)) + b"".join(records))
        for found in readings:
            assert_in_contract(found)
        if records:
            assert through is not None


def packb(value):
    try:
        return msgspec.msgpack.encode(value)
    except (msgspec.MsgspecError, OverflowError, UnicodeEncodeError):
        return None


def assert_in_contract(found):
    for name, field in VEHICLE_FIELDS.items():
        value = getattr(found, name)
        if value is not None and field.low is not None:
            assert field.low <= value <= field.high
        if field.kind is Kind.TEXT and value is not None:
            assert "\x00" not in value
    json.dumps(found.attributes, allow_nan=False)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_it_survives_a_valid_frame_with_bytes_changed(data):
    form = data.draw(st.sampled_from(["json", "msgpack"]))
    frame = bytearray(msgspec.json.encode(reading(**EVERYTHING)) if form == "json"
                      else msgspec.msgpack.encode(reading(**EVERYTHING)))  # fmt: skip
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    records, refused, _, _ = reader(form).read(bytes(frame), NOW_US)
    assert len(records) + len(refused) >= 1
    for found in streams.decode_readings(array_header(len(records)) + b"".join(records)):
        assert_in_contract(found)
