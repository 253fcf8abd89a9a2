"""A value that changes too fast: its slope over a window, per minute.

The same as a threshold's condition on `rate_of_change`, for the rule that is about nothing
else: `alerts.engine.derived` says what the slope is.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from alerts.engine.comparing import Limit, judge_of, lies_beyond
from alerts.engine.derived import RateOfChange
from alerts.engine.metrics import UnknownMetric
from alerts.engine.sensor import Sensor, Slots, Surroundings
from alerts.engine.spec import InvalidRule, RuleSpec
from alerts.kinds.kind import Called, Kind, params_of
from alerts.kinds.threshold import check_rate, says_rate


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    metric: Annotated[str, msgspec.Meta(max_length=80)]
    op: Literal[">", "<"]
    per_minute: float
    window_s: Annotated[int, msgspec.Meta(ge=5, le=86_400)] = 300
    clear: float | None = None

    @property
    def derived(self) -> RateOfChange:
        return RateOfChange(self.metric, self.window_s)

    @property
    def limit(self) -> Limit:
        return Limit(self.op, self.per_minute, self.clear)


def check(spec: RuleSpec) -> None:
    params = params_of(spec, Params)
    try:
        check_rate(spec.subject, params.metric)
    except UnknownMetric as error:
        raise InvalidRule(str(error)) from error
    if lies_beyond(params.limit):
        raise InvalidRule("The clear threshold must not lie beyond the threshold.")


def sense(spec: RuleSpec, slots: Slots, surroundings: Surroundings) -> Sensor:
    params = params_of(spec, Params)
    judge = judge_of(slots.follow(params.derived), params.limit)
    return Sensor(judge=judge, metrics=(params.metric, params.derived.name))


def says(spec: RuleSpec, called: Called) -> str:
    params = params_of(spec, Params)
    return says_rate(spec.subject, params.derived, params.limit)


KIND = Kind(
    key="rate_of_change",
    label="Rate of change",
    params=Params,
    check=check,
    says=says,
    sense=sense,
    looks_back_s=lambda spec: params_of(spec, Params).window_s,
)
