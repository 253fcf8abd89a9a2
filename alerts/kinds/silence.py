"""No telemetry for a while. Found through an indexed due time, never by a scan.

A pure core here (`due_after`, `still_silent`); `alerts.silence` keeps the due times.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from alerts.engine.spec import RuleSpec
from alerts.kinds.kind import Kind, params_of


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    after_s: Annotated[int, msgspec.Meta(ge=10, le=30 * 86_400)] = 300


def check(spec: RuleSpec) -> None:
    params_of(spec, Params)


def silent_after(spec: RuleSpec) -> int:
    """Seconds without any telemetry until the alert opens."""
    return params_of(spec, Params).after_s


def says(spec: RuleSpec) -> str:
    seconds = silent_after(spec)
    shown = f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"
    return f"No telemetry for {shown}"


KIND = Kind(key="silence", label="No telemetry", check=check, says=says)
