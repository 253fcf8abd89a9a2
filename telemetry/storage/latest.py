"""Latest state: how a reading changes what is true of its vehicle or meter.

Of each field the value with the greatest (time, reading_id) stands, whatever the order of
arrival; attributes likewise, name by name. The header (device, protocol, times) and
`invalid` are those of the newest reading. Pure: merging the same readings in any order, in
any number of steps, gives the same state.
"""

from __future__ import annotations

from typing import Any

from telemetry.storage.subjects import Subject

MAX_ATTRIBUTES = 256
"""Names a state keeps: those reported last (then by name), or a device that makes up new
ones with every reading would grow its row without end."""

Version = tuple[int, int]
"""(time in microseconds, reading_id)"""


class Merge:
    """Knows where things stand in the rows of one kind of subject."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.values_of = subject.merged_values()
        self.tenant_at = subject.position("tenant_id")
        self.device_at = subject.position("device_id")
        self.key_at = subject.position(subject.key)
        self.time_at = subject.position("time")
        self.received_at = subject.position("received_at")
        self.id_at = subject.position("reading_id")
        self.protocol_at = subject.position("protocol")
        self.attributes_at = subject.position("attributes")
        self.invalid_at = subject.position("invalid")

    def first(self, row: tuple[Any, ...]) -> State:
        """The state after the first reading there is."""
        state = State(self, (row[self.time_at], row[self.id_at]))
        state.values = self.values_of(row)
        state.attributes = dict(row[self.attributes_at] or {})
        state.take_header(row)
        return state

    def restored(self, stored: dict[str, Any]) -> State:
        """The state as `StateTable` loaded it, times in microseconds."""
        state = State(self, (stored["time"], stored["reading_id"]))
        state.values = tuple(
            tuple(value) if isinstance(value := stored[name], list) else value
            for name in self.subject.merged
        )
        state.attributes = stored["attributes"] or {}
        for name, (time, reading_id) in stored["older"].items():
            kind, _, attribute = name.partition(".")
            if kind == "attributes":
                state.older_attributes[attribute] = (time, reading_id)
            else:
                state.older[self.subject.merged.index(name)] = (time, reading_id)
        state.tenant_id = stored["tenant_id"]
        state.device_id = stored["device_id"]
        state.received_at = stored["received_at"]
        state.protocol = stored["protocol"]
        state.invalid = stored["invalid"]
        return state


class State:
    """What is true of one vehicle or meter."""

    __slots__ = (
        "attributes",
        "device_id",
        "invalid",
        "merge",
        "older",
        "older_attributes",
        "protocol",
        "received_at",
        "tenant_id",
        "values",
        "version",
    )

    tenant_id: int
    device_id: int | None
    received_at: int
    protocol: str
    invalid: tuple[str, ...] | None
    values: tuple[Any, ...]
    attributes: dict[str, Any]

    def __init__(self, merge: Merge, version: Version) -> None:
        self.merge = merge
        self.version = version
        self.older: dict[int, Version] = {}
        self.older_attributes: dict[str, Version] = {}

    def take_header(self, row: tuple[Any, ...]) -> None:
        at = self.merge
        self.tenant_id = row[at.tenant_at]
        self.device_id = row[at.device_at]
        self.received_at = row[at.received_at]
        self.protocol = row[at.protocol_at]
        self.invalid = row[at.invalid_at]

    def take(self, row: tuple[Any, ...]) -> None:
        """Merge one reading. One that was merged before changes nothing."""
        at = self.merge
        version = (row[at.time_at], row[at.id_at])
        if version > self.version:
            self._take_newer(at.values_of(row), row[at.attributes_at] or {})
            self.version = version
            self.take_header(row)
        elif version < self.version:
            self._take_late(version, at.values_of(row), row[at.attributes_at] or {})
        if len(self.attributes) > MAX_ATTRIBUTES:
            self._forget_oldest_attributes()

    def _take_newer(self, values: tuple[Any, ...], attributes: dict[str, Any]) -> None:
        before, older = self.version, self.older
        if None in values or older:
            merged = list(values)
            for at, (value, held) in enumerate(zip(values, self.values, strict=True)):
                if value is not None:
                    older.pop(at, None)
                elif held is not None:
                    merged[at] = held
                    older.setdefault(at, before)
            self.values = tuple(merged)
        else:
            self.values = values
        if self.attributes or attributes:
            aged = self.older_attributes
            for name in self.attributes:
                if name in attributes:
                    aged.pop(name, None)
                else:
                    aged.setdefault(name, before)
            self.attributes = {**self.attributes, **attributes}

    def _take_late(
        self, version: Version, values: tuple[Any, ...], attributes: dict[str, Any]
    ) -> None:
        older = self.older
        merged = list(self.values)
        for at, value in enumerate(values):
            if value is None:
                continue
            held = None if merged[at] is None else older.get(at, self.version)
            if held is None or version > held:
                merged[at] = value
                older[at] = version
        self.values = tuple(merged)
        for name, value in attributes.items():
            known = name in self.attributes
            if not known or version > self.older_attributes.get(name, self.version):
                self.attributes[name] = value
                self.older_attributes[name] = version

    def _forget_oldest_attributes(self) -> None:
        by_age = sorted(
            self.attributes,
            key=lambda name: (self.older_attributes.get(name, self.version), name),
        )
        for name in by_age[: len(by_age) - MAX_ATTRIBUTES]:
            del self.attributes[name]
            self.older_attributes.pop(name, None)

    def older_by_name(self) -> dict[str, Version]:
        """`older` as the table keeps it."""
        names = self.merge.subject.merged
        found = {names[at]: version for at, version in sorted(self.older.items())}
        for name, version in sorted(self.older_attributes.items()):
            found[f"attributes.{name}"] = version
        return found
