"""The platform itself is behind: what was acknowledged waits too long to be stored.

For staff. Measured on the ingress log, not on readings: a device with a wrong clock, or one
that was offline for a week, is not the platform's lag.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from alerts.engine.spec import RuleSpec
from alerts.kinds.kind import Called, Kind, params_of


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    threshold_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 30
    clear_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] | None = None


def check(spec: RuleSpec) -> None:
    params_of(spec, Params)


def holds(spec: RuleSpec, lag_s: float, *, is_open: bool) -> bool:
    """Whether the lag, in seconds, is beyond the threshold."""
    params = params_of(spec, Params)
    clear_s = params.threshold_s if params.clear_s is None else params.clear_s
    return lag_s > (clear_s if is_open else params.threshold_s)


def says(spec: RuleSpec, called: Called) -> str:
    return f"Ingest lag > {params_of(spec, Params).threshold_s:g} s"


KIND = Kind(
    key="ingest_lag",
    label="Ingest lag",
    params=Params,
    check=check,
    says=says,
    for_staff=True,
    no_history="How far the platform is behind is measured as it runs and is kept nowhere,"
    " so there is no history to try this rule on.",
)
