"""Latest state: of each field and attribute the value with the greatest (time, reading_id).

History is walked from its new end, a week at a time, until every value has been found, or to
`since`. A stored value from before that must have the very reading that it claims to be from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from telemetry.storage.latest import MAX_ATTRIBUTES, Version
from telemetry.storage.subjects import Subject
from telemetry.verification.difference import SPAN, Cursor, Difference, Limits, time_of, version

_HEADER = ("time", "reading_id", "received_at", "device_id", "tenant_id", "protocol", "invalid")
_ATTRIBUTE = "attributes."
_TICK = timedelta(microseconds=1)

Value = tuple[Version, Any]


def check(
    cursor: Cursor, subject: Subject, subject_id: int, limits: Limits
) -> Iterator[Difference]:
    """Compare the stored latest state of a subject with its history."""
    where = f"{subject.noun} {subject_id}"
    stored = cursor.execute(
        f"SELECT * FROM {subject.latest_table} WHERE {subject.key} = %s",  # noqa: S608
        [subject_id],
    ).fetchone()
    newest = _newest(cursor, subject, subject_id, "true")
    if stored is None or newest is None:
        expected = stored is None or limits.must_be_there(stored["time"])
        if (stored is None) != (newest is None) and expected:
            yield Difference("latest state", where, _brief(newest), _brief(stored))
        return
    for name in _HEADER:
        if stored[name] != newest[name]:
            yield Difference(
                "latest state", f"{where}, {name}", str(newest[name]), str(stored[name])
            )
    walk = _Walk(cursor, subject, subject_id)
    walk.back_to(limits.from_when)
    yield from _values(walk, stored, limits, where)
    yield from _attributes(walk, stored, limits, where)


@dataclass
class _Walk:
    """What history says, as far as it has been walked."""

    cursor: Cursor
    subject: Subject
    subject_id: int
    values: dict[str, Value] = field(default_factory=dict)
    attributes: dict[str, Value] = field(default_factory=dict)

    def back_to(self, limit: datetime | None) -> None:
        """Week by week from the newest reading; weeks without any are leapt over."""
        end = self._newest_before(None)
        while end is not None and (limit is None or end >= limit):
            high, low = end + _TICK, end + _TICK - SPAN
            low = low if limit is None else max(low, limit)
            self._learn(low, high)
            end = self._newest_before(low)

    def _newest_before(self, time: datetime | None) -> datetime | None:
        condition = "true" if time is None else "time < %s"
        row = self.cursor.execute(
            f"SELECT time FROM {self.subject.history_table} WHERE {self.subject.key} = %s"  # noqa: S608
            f" AND {condition} ORDER BY time DESC LIMIT 1",
            [self.subject_id, *([] if time is None else [time])],
        ).fetchone()
        return None if row is None else row["time"]

    def _learn(self, low: datetime, high: datetime) -> None:
        span = [self.subject_id, low, high]
        within = f"{self.subject.key} = %s AND time >= %s AND time < %s"
        missing = [name for name in self.subject.merged if name not in self.values]
        flags = [f"bool_or({name} IS NOT NULL) AS {name}" for name in missing]
        held = self.cursor.execute(
            f"SELECT {', '.join([*flags, 'bool_or(attributes IS NOT NULL) AS any_attributes'])}"  # noqa: S608
            f" FROM {self.subject.history_table} WHERE {within}",
            span,
        ).fetchone()
        assert held is not None  # noqa: S101  (an aggregate has one row)
        for name in missing:
            if held[name]:
                row = self.cursor.execute(
                    f"SELECT time, reading_id, {name} FROM {self.subject.history_table}"  # noqa: S608
                    f" WHERE {within} AND {name} IS NOT NULL"
                    " ORDER BY time DESC, reading_id DESC LIMIT 1",
                    span,
                ).fetchone()
                assert row is not None  # noqa: S101  (there is one, said the flag)
                self.values[name] = (version(row), row[name])
        if held["any_attributes"]:
            self._learn_attributes(within, span)

    def _learn_attributes(self, within: str, span: list[Any]) -> None:
        rows = self.cursor.execute(
            f"""
            SELECT DISTINCT ON (a.key) a.key, a.value, h.time, h.reading_id
            FROM {self.subject.history_table} h, jsonb_each(h.attributes) a
            WHERE {within} AND h.attributes IS NOT NULL
            ORDER BY a.key, h.time DESC, h.reading_id DESC
            """,  # noqa: S608
            span,
        )
        for row in rows:
            self.attributes.setdefault(row["key"], (version(row), row["value"]))

    def reading(self, at: Version) -> dict[str, Any] | None:
        """The reading of exactly this time and number."""
        return self.cursor.execute(
            f"SELECT * FROM {self.subject.history_table}"  # noqa: S608
            f" WHERE {self.subject.key} = %s AND time = %s AND reading_id = %s",
            [self.subject_id, time_of(at), at[1]],
        ).fetchone()


def _values(
    walk: _Walk, stored: dict[str, Any], limits: Limits, where: str
) -> Iterator[Difference]:
    for name in walk.subject.merged:
        held = None if stored[name] is None else (_version_of(stored, name), stored[name])
        expected = walk.values.get(name)
        if expected is None and held is not None:
            if not _is_backed(walk, held, limits, name, None):
                yield Difference("latest state", f"{where}, {name}", "none", str(held))
        elif expected != held:
            yield Difference("latest state", f"{where}, {name}", str(expected), str(held))


def _attributes(
    walk: _Walk, stored: dict[str, Any], limits: Limits, where: str
) -> Iterator[Difference]:
    names = stored["attributes"] or {}
    by_age = sorted(walk.attributes, key=lambda name: (walk.attributes[name][0], name))
    kept = set(by_age[-MAX_ATTRIBUTES:])
    for name in sorted(kept | names.keys()):
        held = (_version_of(stored, _ATTRIBUTE + name), names[name]) if name in names else None
        expected = walk.attributes[name] if name in kept else None
        if expected is None and held is not None:
            room = name not in walk.attributes and len(kept) < MAX_ATTRIBUTES
            if room and _is_backed(walk, held, limits, "attributes", name):
                continue
        if expected != held:
            yield Difference("latest state", f"{where}, attribute {name}", str(expected), str(held))


def _is_backed(
    walk: _Walk, held: Value, limits: Limits, column: str, attribute: str | None
) -> bool:
    """Whether a value not found by the walk comes from a reading of before it."""
    time = time_of(held[0])
    if limits.from_when is None or time >= limits.from_when:
        return False
    row = walk.reading(held[0])
    if row is None:
        return not limits.must_be_there(time)
    found = row[column] if attribute is None else (row[column] or {}).get(attribute)
    return bool(found == held[1])


def _version_of(stored: dict[str, Any], name: str) -> Version:
    """Which reading a value is from: the newest one, unless it says otherwise."""
    older = stored["older"].get(name)
    return version(stored) if older is None else (older[0], older[1])


def _newest(
    cursor: Cursor, subject: Subject, subject_id: int, condition: str
) -> dict[str, Any] | None:
    return cursor.execute(
        f"SELECT * FROM {subject.history_table} WHERE {subject.key} = %s AND {condition}"  # noqa: S608
        " ORDER BY time DESC, reading_id DESC LIMIT 1",
        [subject_id],
    ).fetchone()


def _brief(row: dict[str, Any] | None) -> str:
    return "none" if row is None else f"{row['time']:%Y-%m-%d %H:%M:%S.%f}, {row['reading_id']}"
