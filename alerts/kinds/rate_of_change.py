"""A value that changes too fast: its slope over a window, per minute.

The slope is (newest - oldest) / (their distance) over the samples within the window, and is
not judged until they span half of it.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from alerts.engine.metrics import UnknownMetric, metric
from alerts.engine.sensor import Sensor, Slots, Surroundings, Values
from alerts.engine.spec import InvalidRule, RuleSpec
from alerts.engine.state import Samples
from alerts.kinds.kind import Kind, params_of
from telemetry.fields import Kind as ValueKind

MAX_SAMPLES = 32
"""Kept of a window: a denser signal is thinned, its slope over the window stays."""


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    metric: Annotated[str, msgspec.Meta(max_length=80)]
    op: Literal[">", "<"]
    per_minute: float
    window_s: Annotated[int, msgspec.Meta(ge=5, le=86_400)] = 300
    clear: float | None = None


def check(spec: RuleSpec) -> None:
    params = params_of(spec, Params)
    try:
        found = metric(spec.subject, params.metric)
    except UnknownMetric as error:
        raise InvalidRule(str(error)) from error
    if found.kind not in (ValueKind.NUMBER, ValueKind.INTEGER):
        raise InvalidRule(f"{found.label} is not a number that has a rate of change.")
    if params.clear is not None:
        beyond = params.clear - params.per_minute
        if beyond > 0 if params.op == ">" else beyond < 0:
            raise InvalidRule("The clear threshold must not lie beyond the threshold.")


def sense(spec: RuleSpec, slots: Slots, surroundings: Surroundings) -> Sensor:
    params = params_of(spec, Params)
    place = slots.place_of(params.metric)
    window = params.window_s * 1_000_000
    spacing = window // MAX_SAMPLES
    rising = params.op == ">"
    stays = params.per_minute if params.clear is None else params.clear

    def recall(
        values: Values, time: int, is_open: bool, memory: Samples
    ) -> tuple[bool | None, Samples]:
        value = values[place]
        if value is None or isinstance(value, str | bool):
            return None, memory
        samples = [sample for sample in memory if time - sample[0] <= window]
        if not samples or time - samples[-1][0] >= spacing:
            memory = (*samples, (time, float(value)))
        elif len(samples) != len(memory):
            memory = tuple(samples)
        oldest = memory[0]
        if time - oldest[0] < window // 2:
            return None, memory
        slope = (float(value) - oldest[1]) / ((time - oldest[0]) / 60_000_000)
        limit = stays if is_open else params.per_minute
        return (slope > limit if rising else slope < limit), memory

    return Sensor(recall=recall, metrics=(params.metric,))


def says(spec: RuleSpec) -> str:
    params = params_of(spec, Params)
    found = metric(spec.subject, params.metric)
    return (
        f"{found.label} changes {params.op} {params.per_minute:g} {found.unit}/min "
        f"over {params.window_s} s"
    )


KIND = Kind(key="rate_of_change", label="Rate of change", check=check, says=says, sense=sense)
