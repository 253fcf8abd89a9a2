"""What changed of a vehicle or meter: the unit of the live stream. Pure.

A patch and a whole state have one shape, so a snapshot is merged like any event:

    {"id": "V456",               the customer's reference
     "time_us": ..., "reading_id": ..., "received_us": ...,   of the newest reading in it
     "values": {"soc_pct": 82.5, ...},                        only what was sent
     "older": {"soc_pct": [time_us, reading_id]}}             values from earlier readings

Each value stands with the (time, reading_id) of the reading it came from: its entry in
`older`, or else that of the patch. Merging keeps the newest of each, so it is idempotent,
commutative and associative: overlap, repetition and late readings do no harm, and the
latest state in the database (`telemetry.models.state`) merges by the same rule.
Attributes merge one by one; their stamps are under "attributes.NAME". `invalid` speaks of
one reading only and goes with the newest.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from telemetry.fields import METER_FIELDS, VEHICLE_FIELDS
from telemetry.records import Reading, VehicleReading

Patch = dict[str, Any]
Stamp = tuple[int, int]

VEHICLE_VALUES = (*VEHICLE_FIELDS, "alarms", "attributes")
METER_VALUES = (*METER_FIELDS, "attributes")

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=Decimal)


def encoded(patch: Patch) -> bytes:
    """As JSON. Energies keep their digits."""
    return _encoder.encode(patch)


def decoded(raw: bytes) -> Patch:
    patch: Patch = _decoder.decode(raw)
    return patch


def of_reading(reading: Reading, reference: str) -> Patch:
    """The patch that says what one reading said."""
    names = VEHICLE_VALUES if isinstance(reading, VehicleReading) else METER_VALUES
    values = {name: value for name in names if (value := getattr(reading, name)) is not None}
    if reading.invalid:
        values["invalid"] = list(reading.invalid)
    return {
        "id": reference,
        "time_us": reading.time,
        "reading_id": reading.reading_id,
        "received_us": reading.received_at,
        "values": values,
        "older": {},
    }


def of_readings(readings: Iterable[Reading], reference: str) -> Patch:
    """One patch for several readings of the same vehicle or meter; at least one."""
    first, *rest = readings
    patch = of_reading(first, reference)
    for reading in rest:
        patch = merged(patch, of_reading(reading, reference))
    return patch


def merged(left: Patch, right: Patch) -> Patch:
    """Both, each value as of its newest reading."""
    new, old = (left, right) if _stamp(left) >= _stamp(right) else (right, left)
    values: dict[str, Any] = dict(new["values"])
    older: dict[str, Any] = dict(new["older"])
    for name, value in old["values"].items():
        if name == "attributes":
            _merge_attributes(new, old, values, older)
        elif name != "invalid" and (name not in values or _stamp(new, name) < _stamp(old, name)):
            values[name] = value
            older[name] = list(_stamp(old, name))
    same_reading = _stamp(left) == _stamp(right)
    return {
        "id": new["id"],
        "time_us": new["time_us"],
        "reading_id": new["reading_id"],
        # A reading that came twice was first received the first time.
        "received_us": min(left["received_us"], right["received_us"])
        if same_reading
        else new["received_us"],
        "values": values,
        "older": {name: at for name, at in older.items() if tuple(at) != _stamp(new)},
    }


def _stamp(patch: Patch, name: str | None = None) -> Stamp:
    """(time, reading_id) of the value, or of the newest reading in the patch."""
    at = patch["older"].get(name) if name else None
    return (at[0], at[1]) if at else (patch["time_us"], patch["reading_id"])


def _merge_attributes(
    new: Patch, old: Patch, values: dict[str, Any], older: dict[str, Any]
) -> None:
    attributes = dict(values.get("attributes") or {})
    for name, value in old["values"]["attributes"].items():
        key = f"attributes.{name}"
        if name not in attributes or _stamp(new, key) < _stamp(old, key):
            attributes[name] = value
            older[key] = list(_stamp(old, key))
    values["attributes"] = attributes
