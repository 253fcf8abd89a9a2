"""Kept frames as people see them: bytes as sent, what was understood, what became of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from telemetry.clock import from_us
from telemetry.fields import METER_FIELDS, VEHICLE_FIELDS
from telemetry.frames import hex_dump, readable, reason
from telemetry.inspection.kept import KeptFrame, KeptRefusal, Record, masked_text, readings_of
from telemetry.models import MeterReadingRow, VehicleReadingRow
from telemetry.records import VehicleReading

STATES: Final[dict[str, str | Promise]] = {
    "stored": _("Stored"),
    "duplicate": _("Duplicate"),
    "waiting": _("Taken in"),
    "refused": _("Refused"),
}

_HISTORY: Final[dict[str, tuple[Any, str]]] = {
    "v": (VehicleReadingRow, "vehicle_id"),
    "m": (MeterReadingRow, "meter_id"),
}

Key = tuple[str, int, datetime, int]
"""Kind and id of the subject, time, reading id: by what storage knows a reading."""


@dataclass(frozen=True, slots=True)
class ShownReading:
    """`state`: "stored", "duplicate" (stored before, by another frame), or "waiting"."""

    time: datetime
    state: str
    values: list[tuple[str, str, Any]]
    invalid: tuple[str, ...]

    @property
    def word(self) -> str | Promise:
        return STATES[self.state]


@dataclass(frozen=True, slots=True)
class ShownRefusal:
    reason: Any
    field: str
    detail: str
    seq: int | None


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """`fate` changes as the frame's readings are stored: a page compares it."""

    id: str
    at: datetime
    format: str
    size: int
    text: str
    bytes: str
    is_cut: bool
    readings: list[ShownReading]
    more_readings: int
    refused: int
    refusals: list[ShownRefusal]
    problem: ShownRefusal | None
    counts: list[tuple[str, str | Promise, int]] = field(default_factory=list)

    @property
    def understood(self) -> int:
        return len(self.readings) + self.more_readings

    @property
    def more_refused(self) -> int:
        return self.refused - len(self.refusals)

    @property
    def fate(self) -> str:
        return " ".join(f"{state}:{n}" for state, _word, n in self.counts)


def shown(frames: Sequence[KeptFrame], tenant_id: int) -> list[ShownFrame]:
    """In the order they are given. Two queries at most."""
    readings = [readings_of(frame) for frame in frames]
    arrived = _when_stored((each for some in readings for each in some), tenant_id)
    return [_shown(frame, some, arrived) for frame, some in zip(frames, readings, strict=True)]


def _shown(frame: KeptFrame, records: Sequence[Record], arrived: dict[Key, datetime]) -> ShownFrame:
    at = from_us(frame.received_at)
    seen: set[Key] = set()
    readings = []
    for record in records:
        key = _key_of(record)
        stored = arrived.get(key)
        again = key in seen or (stored is not None and stored != at)
        state = "duplicate" if again else "waiting" if stored is None else "stored"
        seen.add(key)
        readings.append(
            ShownReading(from_us(record.time), state, _values_of(record), record.invalid or ())
        )
    counted = {state: sum(each.state == state for each in readings) for state in STATES}
    counted["refused"] = frame.refused + (frame.problem is not None)
    return ShownFrame(
        id=blake2b(frame.raw + b"%d" % frame.received_at, digest_size=8).hexdigest(),
        at=at,
        format=frame.format,
        size=frame.raw_size,
        text=_as_text(frame),
        bytes=hex_dump(frame.raw),
        is_cut=frame.raw_size > len(frame.raw),
        readings=readings,
        more_readings=frame.understood - len(readings),
        refused=frame.refused,
        refusals=[_refusal(each) for each in frame.refusals],
        problem=_refusal(frame.problem) if frame.problem else None,
        counts=[(state, STATES[state], n) for state, n in counted.items() if n],
    )


def _as_text(frame: KeptFrame) -> str:
    """Text to the letter; what is none, as `readable` has it. Escapes of JSON may have hidden
    from the mask what is plain once they are read, so it is masked again."""
    raw = frame.raw
    for end in range(len(raw), max(len(raw) - 4, 0), -1) if frame.raw_size > len(raw) else ():
        # The cut may have gone through a character.
        try:
            raw[:end].decode()
        except UnicodeDecodeError:
            continue
        raw = raw[:end]
        break
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return masked_text(readable(raw))
    plain = all(c.isprintable() or c in "\r\n\t" for c in text)
    return masked_text(text if plain and "\\u" not in text else readable(raw))


def _refusal(refusal: KeptRefusal) -> ShownRefusal:
    return ShownRefusal(reason(refusal.code), refusal.field, refusal.detail, refusal.seq)


def _values_of(record: Record) -> list[tuple[str, str, Any]]:
    """Label, unit, value of everything that the reading carries."""
    fields = VEHICLE_FIELDS if isinstance(record, VehicleReading) else METER_FIELDS
    pairs = ((each, getattr(record, each.name)) for each in fields.values())
    values: list[tuple[str, str, Any]] = [
        (each.label, each.unit, value) for each, value in pairs if value is not None
    ]
    if isinstance(record, VehicleReading) and record.alarms:
        values.append((str(_("Alarms")), "", ", ".join(record.alarms)))
    return values + [(name, "", value) for name, value in (record.attributes or {}).items()]


# --- What became of it ---------------------------------------------------------------------
def _when_stored(records: Iterable[Record], tenant_id: int) -> dict[Key, datetime]:
    """When what history has of these readings had come: a later frame with it is a duplicate."""
    asked: dict[str, dict[int, list[datetime]]] = {"v": defaultdict(list), "m": defaultdict(list)}
    for record in records:
        kind, subject_id, time, _reading_id = _key_of(record)
        asked[kind][subject_id].append(time)
    found: dict[Key, datetime] = {}
    for kind, by_subject in asked.items():
        model, key = _HISTORY[kind]
        for subject_id, times in by_subject.items():
            rows = model.objects.filter(
                **{key: subject_id},
                tenant_id=tenant_id,
                time__in=times,
                time__gte=min(times),
                time__lte=max(times),
            )
            columns = rows.values_list("time", "reading_id", "received_at")
            for time, reading_id, received_at in columns:
                found[kind, subject_id, time, reading_id] = received_at
    return found


def _key_of(record: Record) -> Key:
    if isinstance(record, VehicleReading):
        return "v", record.vehicle_id, from_us(record.time), record.reading_id
    return "m", record.meter_id, from_us(record.time), record.reading_id
