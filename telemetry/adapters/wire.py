"""What the wire schemas of our own adapters have in common. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from telemetry.fields import METER_FIELDS, VEHICLE_FIELDS
from telemetry.records import SCHEMA_VERSION
from telemetry.validate import Alarms, Attributes, Refusal, RefusalCode, wire_type

_FIELDS: Final = VEHICLE_FIELDS | METER_FIELDS
_OTHERS: Final[dict[str, Any]] = {"alarms": Alarms | None, "attributes": Attributes | None}

WireField = tuple[str, Any, Any]


def optional(name: str, field: str | None = None) -> WireField:
    """A member of a wire schema that may be missing: a field, under this name."""
    field = field or name
    return name, _OTHERS[field] if field in _OTHERS else wire_type(_FIELDS[field]), None


def optionals(names: Iterable[str]) -> list[WireField]:
    return [optional(name) for name in names]


SCHEMA: Final[WireField] = ("schema", int, SCHEMA_VERSION)
UNSUPPORTED_SCHEMA: Final = Refusal(
    RefusalCode.UNSUPPORTED_SCHEMA, "schema", f"this server reads schema {SCHEMA_VERSION}"
)
