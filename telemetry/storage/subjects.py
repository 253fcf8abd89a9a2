"""The two things readings are about, and how each lies in its tables.

Everything that storage does is the same for vehicles and meters but for the names and the
columns; this table holds the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

from telemetry.fields import METER_FIELDS, VEHICLE_FIELDS, Field, Kind
from telemetry.records import MeterReading, VehicleReading
from telemetry.storage.binary import Column, Type

if TYPE_CHECKING:
    from collections.abc import Callable

_TYPES = {
    Kind.NUMBER: Type.FLOAT8,
    Kind.INTEGER: Type.INT2,
    Kind.BOOLEAN: Type.BOOL,
    Kind.TEXT: Type.TEXT,
    Kind.ENERGY: Type.ENERGY,
}


@dataclass(frozen=True)
class Metric:
    """A field and what an hour keeps of it. The number of its values is always kept with a sum."""

    field: str
    sum: bool = False
    count: bool = False
    min: bool = False
    max: bool = False
    ends: bool = False
    """The first and the last value, by (time, reading_id)."""


@dataclass(frozen=True)
class Subject:
    """One kind of thing that readings are about.

    `row` is a reading as a tuple in the order of `history`: the record less its schema number.
    """

    kind: Literal["v", "m"]
    noun: str
    record: type[VehicleReading] | type[MeterReading]
    fields: dict[str, Field]
    metrics: tuple[Metric, ...]
    history: tuple[Column, ...]
    merged: tuple[str, ...]
    """Columns of the latest state that merge one by one (attributes merge name by name)."""

    @property
    def key(self) -> str:
        return f"{self.noun}_id"

    @property
    def history_table(self) -> str:
        return f"telemetry_{self.noun}_reading"

    @property
    def latest_table(self) -> str:
        return f"telemetry_{self.noun}_latest"

    @property
    def hour_table(self) -> str:
        return f"telemetry_{self.noun}_hour"

    @property
    def day_table(self) -> str:
        return f"telemetry_{self.noun}_day"

    def position(self, column: str) -> int:
        """Where a column stands in a row."""
        return next(at for at, known in enumerate(self.history) if known.name == column)

    def merged_values(self) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
        """A function from a row to its values of `merged`."""
        return itemgetter(*(self.position(name) for name in self.merged))


def _history(key: str, fields: dict[str, Field], after: tuple[Column, ...]) -> tuple[Column, ...]:
    return (
        Column("tenant_id", Type.INT8),
        Column("device_id", Type.INT8),
        Column(key, Type.INT8),
        Column("time", Type.TIMESTAMP),
        Column("received_at", Type.TIMESTAMP),
        Column("reading_id", Type.INT4),
        Column("protocol", Type.TEXT),
        *(Column(field.name, _TYPES[field.kind]) for field in fields.values()),
        *after,
    )


_REST = (Column("attributes", Type.JSON), Column("invalid", Type.TEXTS))

VEHICLES = Subject(
    kind="v",
    noun="vehicle",
    record=VehicleReading,
    fields=VEHICLE_FIELDS,
    metrics=(
        Metric("speed_kmh", sum=True, count=True, max=True),
        Metric("odometer_km", min=True, max=True),
        Metric("soc_pct", count=True, min=True, max=True, ends=True),
        Metric("battery_temp_c", sum=True, count=True, min=True, max=True),
        Metric("energy_dc_kwh", sum=True, count=True),
    ),
    history=_history("vehicle_id", VEHICLE_FIELDS, (Column("alarms", Type.TEXTS), *_REST)),
    merged=(*VEHICLE_FIELDS, "alarms"),
)

METERS = Subject(
    kind="m",
    noun="meter",
    record=MeterReading,
    fields=METER_FIELDS,
    metrics=(
        Metric("energy_ac_kwh", sum=True, count=True),
        Metric("power_kw", sum=True, count=True, max=True),
    ),
    history=_history("meter_id", METER_FIELDS, _REST),
    merged=tuple(METER_FIELDS),
)

SUBJECTS = (VEHICLES, METERS)

# A row is the record as it lies in memory: a field appended to one must be appended to the other.
for _subject in SUBJECTS:
    _names = tuple(column.name for column in _subject.history)
    if _subject.record.__struct_fields__[1:] != _names:
        raise TypeError(f"{_subject.record.__name__} and its columns differ")
