"""From decoded values to the canonical content of a reading, and its identity.

Canonical means: the same reading gives the same bytes whichever format and spelling it came
in. Energy has six decimals, a heading of 360° is 0°, there is no negative zero, a whole number
in `attributes` is an integer, attributes are sorted, and a coordinate of exactly 0 makes no
position. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any, Final

import msgspec

from telemetry.envelope import array_header
from telemetry.fields import METER_FIELDS, VEHICLE_FIELDS
from telemetry.records import MeterReading, VehicleReading
from telemetry.validate import Refusal, RefusalCode, out_of_range

Values = tuple[Any, ...]
"""Values of a reading in the order of `VEHICLE_VALUES` or `METER_VALUES`; None: not sent."""

_COMMON: Final = 8
"""Fields of a record before its values: schema … protocol."""


def _values_of(record: type[msgspec.Struct]) -> tuple[str, ...]:
    names = record.__struct_fields__[_COMMON:]
    if names[-1] != "invalid":
        raise AssertionError("`invalid` closes a record: content() appends it")
    return names[:-1]


VEHICLE_VALUES: Final = _values_of(VehicleReading)
METER_VALUES: Final = _values_of(MeterReading)
NO_VEHICLE_VALUES: Final = (None,) * len(VEHICLE_VALUES)
NO_METER_VALUES: Final = (None,) * len(METER_VALUES)

_LAT, _LON, _HEADING, _ENERGY_DC, _VEHICLE_ATTRIBUTES = (
    VEHICLE_VALUES.index(name)
    for name in ("lat", "lon", "heading_deg", "energy_dc_kwh", "attributes")
)
_ENERGY_AC, _METER_ATTRIBUTES = (
    METER_VALUES.index(name) for name in ("energy_ac_kwh", "attributes")
)
_MILLIWATT_HOUR: Final = Decimal("0.000001")
_NO_ENERGY: Final = Decimal("0.000000")
_NIL: Final = b"\xc0"
_NEGATIVE_ZERO: Final = b"\xcb\x80\x00\x00\x00\x00\x00\x00\x00"
_EXACT_INTEGER: Final = 2**53

_VEHICLE_HEADER: Final = len(array_header(len(VEHICLE_VALUES) + 1))
_METER_HEADER: Final = len(array_header(len(METER_VALUES) + 1))

_encode = msgspec.msgpack.Encoder(order="sorted").encode


def reading_id(content: bytes) -> int:
    """Signed 32-bit BLAKE2b digest of canonical content (the values only).

    Without the trailing nils: a field appended to the record in a later version does not
    change the identity of a reading that does not have it.
    """
    digest = blake2b(content.rstrip(_NIL), digest_size=4).digest()
    return int.from_bytes(digest, "big", signed=True)


def vehicle_content(values: Values) -> bytes | Refusal:
    """Canonical content of a vehicle's values (in range already), or why there is none.

    The content is the tail of a record: its values in msgpack, without an array's header.
    """
    if values == NO_VEHICLE_VALUES:
        return _EMPTY
    invalid = None
    changed: list[Any] | None = None
    lat = values[_LAT]
    lon = values[_LON]
    if lat is None or lon is None:
        if lat is not lon:
            missing = "lat" if lat is None else "lon"
            return Refusal(
                RefusalCode.MISSING_FIELD, missing, "lat and lon make a position only together"
            )
    elif lat == 0 or lon == 0:
        # What a receiver without a fix reports: both, or the one that it lost.
        changed = list(values)
        changed[_LAT] = changed[_LON] = None
        invalid = ("position",)
    if values[_HEADING] == 360:
        changed = changed or list(values)
        changed[_HEADING] = 0.0
    energy = values[_ENERGY_DC]
    if energy is not None:
        exact = _energy("energy_dc_kwh", energy)
        if type(exact) is Refusal:
            return exact
        changed = changed or list(values)
        changed[_ENERGY_DC] = exact
    if values[_VEHICLE_ATTRIBUTES] is not None:
        changed = changed or list(values)
        changed[_VEHICLE_ATTRIBUTES] = _attributes(values[_VEHICLE_ATTRIBUTES])
        if not any(value is not None for value in changed) and invalid is None:
            return _EMPTY
    return _content((*(changed or values), invalid), _VEHICLE_HEADER)


def meter_content(values: Values) -> bytes | Refusal:
    """Canonical content of a meter's values (in range already), or why there is none."""
    changed = list(values)
    energy = values[_ENERGY_AC]
    if energy is not None:
        exact = _energy("energy_ac_kwh", energy)
        if type(exact) is Refusal:
            return exact
        changed[_ENERGY_AC] = exact
    if values[_METER_ATTRIBUTES] is not None:
        changed[_METER_ATTRIBUTES] = _attributes(values[_METER_ATTRIBUTES])
    if not any(value is not None for value in changed):
        return _EMPTY
    return _content((*changed, None), _METER_HEADER)


CONTENT: Final[dict[str, Callable[[Values], bytes | Refusal]]] = {
    "v": vehicle_content,
    "m": meter_content,
}

_EMPTY: Final = Refusal(RefusalCode.MISSING_FIELD, "", "the reading carries no value")


def _content(values: Values, header: int) -> bytes:
    content = _encode(values)
    if _NEGATIVE_ZERO in content:
        content = _encode([value + 0.0 if type(value) is float else value for value in values])
    return content[header:]


def _energy(name: str, energy: Decimal) -> Decimal | Refusal:
    field = (VEHICLE_FIELDS | METER_FIELDS)[name]
    try:
        if field.low <= energy <= field.high:  # type: ignore[operator]
            return energy.quantize(_MILLIWATT_HOUR) or _NO_ENERGY
    except InvalidOperation:  # not a number
        pass
    return out_of_range(name, field, energy)


def _attributes(attributes: dict[str, Any]) -> dict[str, Any] | None:
    for value in attributes.values():
        if type(value) is float:
            return {name: _whole(value) for name, value in attributes.items()}
    return attributes or None


def _whole(value: Any) -> Any:
    if type(value) is float and value.is_integer() and abs(value) <= _EXACT_INTEGER:
        return int(value)
    return value
