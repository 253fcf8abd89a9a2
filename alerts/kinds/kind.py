"""What a kind of rule is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from alerts.engine.sensor import Sensor, Slots, Surroundings
from alerts.engine.spec import InvalidRule, RuleSpec

P = TypeVar("P", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Kind:
    """`check` raises InvalidRule; `sense` is None for a kind judged by the clock;
    `says` puts the condition into words."""

    key: str
    label: str
    check: Callable[[RuleSpec], None]
    says: Callable[[RuleSpec], str]
    sense: Callable[[RuleSpec, Slots, Surroundings], Sensor] | None = None
    subjects: tuple[str, ...] = ("v", "m")
    for_staff: bool = False
    defaults: dict[str, Any] = field(default_factory=dict)
    """Of the specification's other fields, where this kind's differ."""


def params_of(spec: RuleSpec, form: type[P]) -> P:
    """A kind's own parameters. Raises InvalidRule."""
    try:
        return msgspec.convert(spec.params, form)
    except msgspec.ValidationError as error:
        raise InvalidRule(str(error)) from error
