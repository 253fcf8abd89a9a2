"""From a row of a recording to a reading of the device protocol, as a TOML file says.

Pure. The rule of the house: a value that cannot be converted is sent as it stands, so that
the server refuses it with its reason. This module never drops and never repairs a value.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from telemetry.fields import VEHICLE_FIELDS, Kind
from telemetry.replay.units import CONVERSIONS, Conversion

Reading = dict[str, Any]

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_BOOLEANS = {"true": True, "1": True, "on": True, "yes": True} | {
    "false": False,
    "0": False,
    "off": False,
    "no": False,
}


class MappingError(Exception):
    """The mapping file is wrong; the message names the place."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column's way into a reading."""

    target: str
    source: str
    kind: Kind
    convert: Conversion
    in_attributes: bool

    def value_of(self, text: str) -> Any:
        """The converted value, or the text as it stands."""
        if self.kind is Kind.TEXT:
            return text
        if self.kind is Kind.BOOLEAN:
            return _BOOLEANS.get(text.strip().lower(), text)
        if _NUMBER.fullmatch(text.strip()) is None:
            return text
        number = self.convert(Decimal(text.strip()))
        if self.kind is Kind.ENERGY:
            return number
        if number == number.to_integral_value() and abs(number) < 2**53:
            return int(number)
        return float(number)


@dataclass(frozen=True, slots=True)
class VehicleTemplate:
    """What a vehicle created for a recording looks like; `{stem}` is the file's name."""

    name: str = "{stem}"
    kind: str = "other"
    battery_capacity_kwh: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """A parsed mapping file: see `docs/tools.md` for the format."""

    delimiter: str
    encoding: str
    missing: frozenset[str]
    time_columns: tuple[str, ...]
    time_format: str
    zone: ZoneInfo
    columns: tuple[Column, ...]
    vehicle: VehicleTemplate

    def sources(self) -> set[str]:
        """Every column the recording must have."""
        return {column.source for column in self.columns} | set(self.time_columns)


class Clock:
    """Wall-clock texts of one recording, in their order, to UTC.

    A time that the clocks showed twice is the first of the two that does not step back
    behind the row before it. A time that the clocks skipped, or that no calendar has,
    is None: it never was.
    """

    def __init__(self, mapping: Mapping) -> None:
        self._format = mapping.time_format
        self._zone = mapping.zone
        self._previous: datetime | None = None

    def read(self, text: str) -> datetime | None:
        try:
            wall = datetime.strptime(text, self._format)
        except ValueError:
            return None
        if wall.tzinfo is not None:
            return wall.astimezone(UTC)
        moments = [moment for fold in (0, 1) if (moment := self._moment(wall, fold)) is not None]
        if not moments:
            return None
        forward = [at for at in moments if self._previous is None or at >= self._previous]
        self._previous = forward[0] if forward else moments[0]
        return self._previous

    def _moment(self, wall: datetime, fold: int) -> datetime | None:
        moment = wall.replace(tzinfo=self._zone, fold=fold).astimezone(UTC)
        round_trip = moment.astimezone(self._zone).replace(tzinfo=None)
        return moment if round_trip == wall else None


def readings(
    rows: Iterator[list[str]], header: list[str], mapping: Mapping, shift: timedelta
) -> Iterator[Reading]:
    """One reading per row, numbered from 1 in the order of the recording.

    `shift` is added to every time that could be read. A row that has not one cell per
    column of the header is sent whole as `row`, which the server does not know.
    """
    clock = Clock(mapping)
    at = {name: index for index, name in enumerate(header)}
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            yield {"seq": number, "row": row}
            continue
        text = time_text(row, at, mapping)
        moment = clock.read(text)
        yield {
            "seq": number,
            "time": text if moment is None else milliseconds(moment + shift),
            **_values(row, at, mapping),
        }


def time_text(row: list[str], at: dict[str, int], mapping: Mapping) -> str:
    return " ".join(row[at[name]] for name in mapping.time_columns)


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _values(row: list[str], at: dict[str, int], mapping: Mapping) -> Reading:
    values: Reading = {}
    attributes: Reading = {}
    for column in mapping.columns:
        text = row[at[column.source]]
        if text.strip() in mapping.missing:
            continue
        (attributes if column.in_attributes else values)[column.target] = column.value_of(text)
    if attributes:
        values["attributes"] = attributes
    return values


# --- The file -------------------------------------------------------------------------


def load(path: Path) -> Mapping:
    """Read and check a mapping file. Raises MappingError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MappingError(f"{path.name}: {error}") from error
    return parse(document)


def parse(document: dict[str, Any]) -> Mapping:
    """The same for a document already read."""
    _only(document, "the mapping", {"file", "time", "vehicle", "fields", "attributes"})
    file = _section(document, "file", {"delimiter", "encoding", "missing"})
    time = _section(document, "time", {"columns", "format", "zone"})
    vehicle = _section(document, "vehicle", {"name", "kind", "battery_capacity_kwh"})
    for key in ("columns", "format", "zone"):
        if key not in time:
            raise MappingError(f"[time] needs {key}")
    columns = [
        *(_field(name, entry) for name, entry in _section(document, "fields").items()),
        *(_attribute(name, entry) for name, entry in _section(document, "attributes").items()),
    ]
    if not columns:
        raise MappingError("no [fields] and no [attributes]: nothing would be sent")
    capacity = vehicle.get("battery_capacity_kwh")
    return Mapping(
        delimiter=file.get("delimiter", ","),
        encoding=file.get("encoding", "utf-8"),
        missing=frozenset(file.get("missing", [])) | {""},
        time_columns=tuple(time["columns"]),
        time_format=time["format"],
        zone=_zone(time["zone"]),
        columns=tuple(columns),
        vehicle=VehicleTemplate(
            name=vehicle.get("name", "{stem}"),
            kind=vehicle.get("kind", "other"),
            battery_capacity_kwh=None if capacity is None else Decimal(str(capacity)),
        ),
    )


def _field(name: str, entry: Any) -> Column:
    known = VEHICLE_FIELDS.get(name)
    if known is None:
        raise MappingError(f"[fields] {name}: no such field; what has no name is an attribute")
    _only(entry, f"[fields] {name}", {"column", "unit"})
    return Column(
        target=name,
        source=_source(entry, f"[fields] {name}"),
        kind=known.kind,
        convert=_conversion(f"[fields] {name}", entry.get("unit", known.unit), known.unit),
        in_attributes=False,
    )


def _attribute(name: str, entry: Any) -> Column:
    place = f"[attributes] {name}"
    _only(entry, place, {"column", "type", "unit", "to"})
    kinds = {"number": Kind.NUMBER, "text": Kind.TEXT, "boolean": Kind.BOOLEAN}
    kind = kinds.get(entry.get("type", "number"))
    if kind is None:
        raise MappingError(f"{place}: type is one of {', '.join(kinds)}")
    unit = entry.get("unit", "")
    return Column(
        target=name,
        source=_source(entry, place),
        kind=kind,
        convert=_conversion(place, unit, entry.get("to", unit)),
        in_attributes=True,
    )


def _conversion(place: str, unit: str, to: str) -> Conversion:
    try:
        return CONVERSIONS[to][unit]
    except KeyError:
        known = ", ".join(CONVERSIONS.get(to, ())) or "nothing"
        raise MappingError(f"{place}: cannot convert {unit!r} to {to!r} (known: {known})") from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise MappingError(f"[time] zone: {name!r} is not a time zone") from None


def _source(entry: dict[str, Any], place: str) -> str:
    if not isinstance(entry.get("column"), str):
        raise MappingError(f"{place} needs column")
    return str(entry["column"])


def _section(document: dict[str, Any], name: str, known: set[str] | None = None) -> dict[str, Any]:
    section = document.get(name, {})
    _only(section, f"[{name}]", known)
    return dict(section)


def _only(section: Any, place: str, known: set[str] | None) -> None:
    if not isinstance(section, dict):
        raise MappingError(f"{place} must be a table")
    if known is not None and (strange := sorted(set(section) - known)):
        raise MappingError(f"{place}: unknown {', '.join(strange)}")
