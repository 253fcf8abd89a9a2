"""A value beyond a threshold: one condition, or several combined with all or any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec

from alerts.engine.metrics import UnknownMetric, metric
from alerts.engine.sensor import Judge, Sensor, Slots, Surroundings, Values
from alerts.engine.spec import InvalidRule, RuleSpec
from alerts.kinds.kind import Kind, params_of
from telemetry.fields import Kind as ValueKind

Operator = Literal[">", ">=", "<", "<=", "==", "!="]
_ORDERED = frozenset({">", ">=", "<", "<="})


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`clear` is the threshold by which an open alert is judged; None: the same."""

    metric: Annotated[str, msgspec.Meta(max_length=80)]
    op: Operator
    value: bool | float | Annotated[str, msgspec.Meta(max_length=256)]
    clear: float | None = None


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    conditions: Annotated[tuple[Condition, ...], msgspec.Meta(min_length=1, max_length=8)]
    match: Literal["all", "any"] = "all"


def check(spec: RuleSpec) -> None:
    for condition in params_of(spec, Params).conditions:
        _check(spec.subject, condition)


def _check(subject: str, condition: Condition) -> None:
    try:
        found = metric(subject, condition.metric)
    except UnknownMetric as error:
        raise InvalidRule(str(error)) from error
    ordered = condition.op in _ORDERED
    if found.kind is ValueKind.BOOLEAN and not isinstance(condition.value, bool):
        raise InvalidRule(f"{found.label} is either true or false.")
    if ordered and not _is_number(condition.value):
        raise InvalidRule(f"{found.label} {condition.op} needs a number.")
    if condition.clear is None:
        return
    if not ordered or not _is_number(condition.value):
        raise InvalidRule("Only a threshold on a number has a clear threshold.")
    rising = condition.op in (">", ">=")
    if (condition.clear > condition.value) if rising else (condition.clear < condition.value):  # type: ignore[operator]
        raise InvalidRule(
            f"The clear threshold of {found.label} must not lie beyond the threshold."
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def sense(spec: RuleSpec, slots: Slots, surroundings: Surroundings) -> Sensor:
    params = params_of(spec, Params)
    judges = [_judge(slots.place_of(c.metric), c) for c in params.conditions]
    metrics = tuple(dict.fromkeys(c.metric for c in params.conditions))
    if len(judges) == 1:
        return Sensor(judge=judges[0], metrics=metrics)
    combined = _all_of(judges) if params.match == "all" else _any_of(judges)
    return Sensor(judge=combined, carries=len(metrics) > 1, metrics=metrics)


def _judge(place: int, condition: Condition) -> Judge:
    return _MAKERS[condition.op](place, condition)


def _above(place: int, condition: Condition) -> Judge:
    opens = float(condition.value)
    stays = opens if condition.clear is None else condition.clear

    def judge(values: Values, is_open: bool) -> bool | None:
        value = values[place]
        try:
            return None if value is None else value > (stays if is_open else opens)
        except TypeError:  # an attribute that is a text this time
            return None

    return judge


def _at_least(place: int, condition: Condition) -> Judge:
    opens = float(condition.value)
    stays = opens if condition.clear is None else condition.clear

    def judge(values: Values, is_open: bool) -> bool | None:
        value = values[place]
        try:
            return None if value is None else value >= (stays if is_open else opens)
        except TypeError:
            return None

    return judge


def _below(place: int, condition: Condition) -> Judge:
    opens = float(condition.value)
    stays = opens if condition.clear is None else condition.clear

    def judge(values: Values, is_open: bool) -> bool | None:
        value = values[place]
        try:
            return None if value is None else value < (stays if is_open else opens)
        except TypeError:
            return None

    return judge


def _at_most(place: int, condition: Condition) -> Judge:
    opens = float(condition.value)
    stays = opens if condition.clear is None else condition.clear

    def judge(values: Values, is_open: bool) -> bool | None:
        value = values[place]
        try:
            return None if value is None else value <= (stays if is_open else opens)
        except TypeError:
            return None

    return judge


def _equals(place: int, condition: Condition) -> Judge:
    wanted = condition.value

    def judge(values: Values, is_open: bool) -> bool | None:
        value = values[place]
        return None if value is None else bool(value == wanted)

    return judge


def _differs(place: int, condition: Condition) -> Judge:
    unwanted = condition.value

    def judge(values: Values, is_open: bool) -> bool | None:
        value = values[place]
        return None if value is None else bool(value != unwanted)

    return judge


# One closure an operator: this is run for every rule and every reading.
_MAKERS: dict[str, Callable[[int, Condition], Judge]] = {
    ">": _above,
    ">=": _at_least,
    "<": _below,
    "<=": _at_most,
    "==": _equals,
    "!=": _differs,
}


def _all_of(judges: list[Judge]) -> Judge:
    def judge(values: Values, is_open: bool) -> bool | None:
        verdicts = [judge(values, is_open) for judge in judges]
        if False in verdicts:
            return False
        return None if None in verdicts else True

    return judge


def _any_of(judges: list[Judge]) -> Judge:
    def judge(values: Values, is_open: bool) -> bool | None:
        verdicts = [judge(values, is_open) for judge in judges]
        if True in verdicts:
            return True
        return None if None in verdicts else False

    return judge


def says(spec: RuleSpec) -> str:
    params = params_of(spec, Params)
    joiner = " and " if params.match == "all" else " or "
    return joiner.join(_says(spec.subject, condition) for condition in params.conditions)


def _says(subject: str, condition: Condition) -> str:
    found = metric(subject, condition.metric)
    value: Any = condition.value
    if isinstance(value, bool):
        positive = value == (condition.op == "==")
        return found.label if positive else f"not {found.label}"
    shown = f"{value:g}" if _is_number(value) else value
    return f"{found.label} {condition.op} {shown}{' ' + found.unit if found.unit else ''}"


KIND = Kind(key="threshold", label="Threshold", check=check, says=says, sense=sense)
