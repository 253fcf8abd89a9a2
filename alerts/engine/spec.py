"""What a rule says, as plain values: decoded from the JSON of a rule's version.

Everything that comes from outside passes through here, so that the engine may trust it.
Durations are whole seconds.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

Seconds = Annotated[int, msgspec.Meta(ge=0, le=30 * 86_400)]
MinuteOfDay = Annotated[int, msgspec.Meta(ge=0, le=1440)]
Weekday = Annotated[int, msgspec.Meta(ge=0, le=6)]
Severity = Literal["low", "medium", "high", "critical"]
Subject = Literal["v", "m"]


class Period(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Part of every week: Monday is 0; minutes since local midnight, half open."""

    days: Annotated[tuple[Weekday, ...], msgspec.Meta(min_length=1, max_length=7)]
    start: MinuteOfDay = 0
    end: MinuteOfDay = 1440


class Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom a rule watches; ids are internal. Empty everywhere: the whole organisation."""

    fleets: tuple[int, ...] = ()
    subjects: tuple[int, ...] = ()
    """Vehicles or meters, as the rule's `subject` says."""
    tags: tuple[str, ...] = ()

    def covers(self, subject_id: int, fleet_id: int | None, tags: frozenset[str]) -> bool:
        """Named in any of the three ways, or nothing is named at all."""
        if not (self.fleets or self.subjects or self.tags):
            return True
        return (
            subject_id in self.subjects or fleet_id in self.fleets or not tags.isdisjoint(self.tags)
        )


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is told, how long after the alert opened and while nobody has acknowledged it."""

    channels: tuple[int, ...] = ()
    after_minutes: Annotated[int, msgspec.Meta(ge=0, le=10_080)] = 0


class RuleSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of a rule."""

    kind: str
    params: dict[str, Any]
    """Belongs to the kind; decoded by it."""
    subject: Subject = "v"
    severity: Severity = "medium"
    duration_s: Seconds = 0
    """How long the condition must hold before the alert opens."""
    clear_duration_s: Seconds = 0
    """How long it must not hold before the alert resolves."""
    cooldown_s: Seconds = 0
    """After it resolved, how long until it may open again."""
    lateness_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 120
    """A reading that arrived later than this after its own time corrects the record only."""
    max_gap_s: Annotated[int, msgspec.Meta(ge=0, le=30 * 86_400)] = 600
    """Two readings further apart than this do not prove that the condition held between
    them; 0: any distance does."""
    schedule: tuple[Period, ...] = ()
    """When the alert may open, in the organisation's time zone; empty: always."""
    scope: Scope = Scope()
    steps: Annotated[tuple[Step, ...], msgspec.Meta(max_length=10)] = ()
    digest: bool = False
    """Told in the daily digest instead of one by one."""


class InvalidRule(ValueError):
    """The specification does not make sense; the message is for a person."""


def decode_spec(definition: dict[str, Any]) -> RuleSpec:
    """Raises InvalidRule."""
    try:
        spec = msgspec.convert(definition, RuleSpec)
    except msgspec.ValidationError as error:
        raise InvalidRule(str(error)) from error
    if b"\\u0000" in msgspec.json.encode(definition):
        raise InvalidRule("A text must not contain a NUL character.")
    for period in spec.schedule:
        if period.start >= period.end:
            raise InvalidRule("A schedule's period must end after it starts.")
    return spec


def encode_spec(spec: RuleSpec) -> dict[str, Any]:
    """As JSON keeps it, so that two of them can be compared."""
    encoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(spec))
    return encoded
