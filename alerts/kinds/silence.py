"""No telemetry for a while. Found through an indexed due time, never by a scan.

A pure core here; `alerts.silence` keeps the due times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec

from alerts.engine.clock import shown_seconds
from alerts.engine.spec import RuleSpec
from alerts.kinds.kind import Called, Kind, params_of

_SECOND = 1_000_000


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    after_s: Annotated[int, msgspec.Meta(ge=10, le=30 * 86_400)] = 300


def check(spec: RuleSpec) -> None:
    params_of(spec, Params)


def silent_after(spec: RuleSpec) -> int:
    """Seconds without any telemetry until the alert opens."""
    return params_of(spec, Params).after_s


def opens_at(
    spec: RuleSpec,
    heard: int,
    spoke: int,
    *,
    over: int | None,
    allows: Callable[[int], bool] | None,
) -> int | None:
    """When a silence between two moments (µs) opened the alert, if it did. `over`: when the
    alert before it was. What the cooldown or the schedule puts off opens after them, if the
    silence lasts; the schedule is asked once a minute."""
    at = heard + silent_after(spec) * _SECOND
    if over is not None:
        at = max(at, over + spec.cooldown_s * _SECOND)
    while at < spoke and allows is not None and not allows(at):
        at += 60 * _SECOND
    return at if at < spoke else None


def says(spec: RuleSpec, called: Called) -> str:
    return f"No telemetry for {shown_seconds(silent_after(spec))}"


KIND = Kind(key="silence", label="No telemetry", params=Params, check=check, says=says)
