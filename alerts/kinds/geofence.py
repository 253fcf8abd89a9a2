"""A vehicle enters a geofence, leaves it, or dwells in it.

`enter` and `leave` need a crossing: a vehicle that is inside when the rule is made has not
entered. `dwell` is the rule's duration spent inside. Outside means further from the fence
than `margin_m`, so that the jitter of a position at the border raises one alert.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from alerts.engine.clock import shown_seconds
from alerts.engine.fences import InvalidShape, Shape, compile_shape, decode_shape
from alerts.engine.sensor import Sensor, Slots, Surroundings, Values
from alerts.engine.spec import InvalidRule, RuleSpec
from alerts.kinds.kind import Called, Kind, params_of

GONE = "A geofence of this rule no longer exists."
"""Why a rule was switched off."""


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`geofences` are ids; being in any of them counts as inside. Instead of them a dry run
    may bring a `shape` of its own: one that is still being drawn."""

    event: Literal["enter", "leave", "dwell"]
    geofences: Annotated[tuple[int, ...], msgspec.Meta(max_length=200)] = ()
    shape: dict[str, Any] | None = None
    margin_m: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 25.0


def check(spec: RuleSpec) -> None:
    params = params_of(spec, Params)
    if params.event == "dwell" and spec.duration_s == 0:
        raise InvalidRule("Dwelling needs a duration.")
    if bool(params.geofences) == (params.shape is not None):
        raise InvalidRule("It needs geofences, or a shape to try.")
    if params.shape is not None:
        _decoded(params.shape)


def _decoded(shape: Any) -> Shape:
    try:
        return decode_shape(shape)
    except InvalidShape as error:
        raise InvalidRule(str(error)) from error


def sense(spec: RuleSpec, slots: Slots, surroundings: Surroundings) -> Sensor:
    params = params_of(spec, Params)
    missing = [fence for fence in params.geofences if fence not in surroundings.geofences]
    if missing:
        raise InvalidRule(GONE)
    drawn = [] if params.shape is None else [params.shape]
    named = [surroundings.geofences[fence] for fence in params.geofences]
    shapes = [_decoded(shape) for shape in (*drawn, *named)]
    exact = [compile_shape(shape) for shape in shapes]
    widened = [compile_shape(shape, margin_m=params.margin_m) for shape in shapes]
    lat_at, lon_at = slots.place_of("lat"), slots.place_of("lon")
    leaving = params.event == "leave"

    def judge(values: Values, is_open: bool) -> bool | None:
        lat, lon = values[lat_at], values[lon_at]
        if lat is None or lon is None:
            return None
        fences = widened if is_open != leaving else exact
        inside = any(fence(lat, lon) for fence in fences)
        return inside != leaving

    return Sensor(judge=judge, on_edge=params.event != "dwell", metrics=("lat", "lon"))


def says(spec: RuleSpec, called: Called) -> str:
    params = params_of(spec, Params)
    which = _which([called[fence] for fence in params.geofences if fence in called])
    if params.event == "dwell":
        return f"In {which} for {shown_seconds(spec.duration_s)}"
    return f"{'Enters' if params.event == 'enter' else 'Leaves'} {which}"


def _which(names: Sequence[str]) -> str:
    """Two by name; of more, how many."""
    if len(names) > 3:
        return f"{names[0]}, {names[1]} or {len(names) - 2} more geofences"
    return " or ".join(names) if names else "a geofence"


KIND = Kind(
    key="geofence",
    label="Geofence",
    params=Params,
    check=check,
    says=says,
    sense=sense,
    subjects=("v",),
    # A parked vehicle speaks seldom: distance in time does not prove that it left.
    defaults={"max_gap_s": 0},
)
