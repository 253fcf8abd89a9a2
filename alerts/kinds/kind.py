"""What a kind of rule is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from alerts.engine.sensor import Sensor, Slots, Surroundings
from alerts.engine.spec import InvalidRule, RuleSpec

P = TypeVar("P", bound=msgspec.Struct)


Called = Mapping[int, str]
"""What geofences are called, by id."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`check` raises InvalidRule; `sense` is None for a kind judged by the clock;
    `says` puts the condition into words; `looks_back_s` is how much of what was before a
    reading it needs to be judged."""

    key: str
    label: str
    params: type[msgspec.Struct]
    check: Callable[[RuleSpec], None]
    says: Callable[[RuleSpec, Called], str]
    sense: Callable[[RuleSpec, Slots, Surroundings], Sensor] | None = None
    subjects: tuple[str, ...] = ("v", "m")
    for_staff: bool = False
    no_history: str = ""
    """Why it cannot be tried on history, if it cannot."""
    looks_back_s: Callable[[RuleSpec], int] = lambda spec: 0
    defaults: dict[str, Any] = field(default_factory=dict)
    """Of the specification's other fields, where this kind's differ."""


def params_of(spec: RuleSpec, form: type[P]) -> P:
    """A kind's own parameters. Raises InvalidRule."""
    try:
        return msgspec.convert(spec.params, form)
    except msgspec.ValidationError as error:
        raise InvalidRule(str(error)) from error
