"""A value beyond a threshold: one condition, or several combined with all or any.

A condition is about a value of the reading, or about one derived from several of them: how
fast a value changes over a window, how old it is.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from alerts.engine.clock import shown_seconds
from alerts.engine.comparing import ORDERED, Limit, Operator, is_number, judge_of, lies_beyond
from alerts.engine.derived import AGE, RATE, Age, Derived, RateOfChange, label_of
from alerts.engine.metrics import ATTRIBUTE, UnknownMetric, metric
from alerts.engine.sensor import Judge, Sensor, Slots, Surroundings, Values
from alerts.engine.spec import InvalidRule, RuleSpec
from alerts.kinds.kind import Called, Kind, params_of
from telemetry.fields import METER_FIELDS, VEHICLE_FIELDS
from telemetry.fields import Kind as ValueKind

WINDOW_S = 300
LONGEST_AGE_S = 30 * 86_400


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`metric` is a field, `attributes.NAME`, or a derived value; `rate_of_change` (a minute,
    over `window_s`) and `age_s` say `of` which value. `clear` is the threshold by which an
    open alert is judged; without it, the same."""

    metric: Annotated[str, msgspec.Meta(max_length=80)]
    op: Operator
    value: bool | float | Annotated[str, msgspec.Meta(max_length=256)]
    clear: float | None = None
    of: Annotated[str, msgspec.Meta(max_length=80)] | None = None
    window_s: Annotated[int, msgspec.Meta(ge=5, le=86_400)] | None = None

    @property
    def derived(self) -> Derived | None:
        """What is to be followed for it; None: the reading has it."""
        if self.of is None:
            return None
        if self.metric == AGE:
            return Age(self.of)
        return RateOfChange(self.of, self.window_s or WINDOW_S)

    @property
    def name(self) -> str:
        """Of what it looks at, as a transition records it."""
        return self.metric if self.derived is None else self.derived.name

    @property
    def limit(self) -> Limit:
        return Limit(self.op, self.value, self.clear)


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    conditions: Annotated[tuple[Condition, ...], msgspec.Meta(min_length=1, max_length=8)]
    match: Literal["all", "any"] = "all"


def conditions_of(spec: RuleSpec) -> tuple[Condition, ...]:
    return params_of(spec, Params).conditions


def check(spec: RuleSpec) -> None:
    for condition in conditions_of(spec):
        try:
            if condition.metric in (RATE, AGE):
                _check_derived(spec.subject, condition)
            else:
                _check_plain(spec.subject, condition)
        except UnknownMetric as error:
            raise InvalidRule(str(error)) from error


def _check_plain(subject: str, condition: Condition) -> None:
    found = metric(subject, condition.metric)
    if condition.of is not None or condition.window_s is not None:
        raise InvalidRule(f"{found.label} has neither of nor window_s: it is in the reading.")
    ordered = condition.op in ORDERED
    if found.kind is ValueKind.BOOLEAN and not isinstance(condition.value, bool):
        raise InvalidRule(f"{found.label} is either true or false.")
    if ordered and not is_number(condition.value):
        raise InvalidRule(f"{found.label} {condition.op} needs a number.")
    if condition.clear is not None and not (ordered and is_number(condition.value)):
        raise InvalidRule("Only a threshold on a number has a clear threshold.")
    _check_clear(found.label, condition)


def _check_derived(subject: str, condition: Condition) -> None:
    if condition.of is None:
        raise InvalidRule(f"{condition.metric} needs of: the name of a value.")
    found = metric(subject, condition.of)
    if condition.op not in ORDERED or not is_number(condition.value):
        raise InvalidRule(f"{condition.metric} is above or below a number.")
    if condition.metric == RATE:
        check_rate(subject, condition.of)
    else:
        fields = VEHICLE_FIELDS if subject == "v" else METER_FIELDS
        if condition.of not in fields and not condition.of.startswith(ATTRIBUTE):
            raise InvalidRule(f"{found.label} is known of every reading: it has no age.")
        if condition.window_s is not None:
            raise InvalidRule("An age has no window.")
        if not 0 <= float(condition.value) <= LONGEST_AGE_S:
            raise InvalidRule("An age is between 0 s and 30 days.")
    _check_clear(found.label, condition)


def check_rate(subject: str, name: str) -> None:
    """Raises InvalidRule for what cannot have a rate of change, UnknownMetric for nothing."""
    found = metric(subject, name)
    if found.kind not in (ValueKind.NUMBER, ValueKind.INTEGER):
        raise InvalidRule(f"{found.label} is not a number that has a rate of change.")


def _check_clear(label: str, condition: Condition) -> None:
    if lies_beyond(condition.limit):
        raise InvalidRule(f"The clear threshold of {label} must not lie beyond the threshold.")


def sense(spec: RuleSpec, slots: Slots, surroundings: Surroundings) -> Sensor:
    params = params_of(spec, Params)
    judges = [judge_of(_place(slots, one), one.limit) for one in params.conditions]
    metrics = tuple(dict.fromkeys(one.name for one in params.conditions))
    if len(judges) == 1:
        return Sensor(judge=judges[0], metrics=metrics)
    combined = _all_of(judges) if params.match == "all" else _any_of(judges)
    return Sensor(judge=combined, carries=len(metrics) > 1, metrics=metrics)


def _place(slots: Slots, condition: Condition) -> int:
    derived = condition.derived
    return slots.place_of(condition.metric) if derived is None else slots.follow(derived)


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


def says(spec: RuleSpec, called: Called) -> str:
    params = params_of(spec, Params)
    joiner = " and " if params.match == "all" else " or "
    return joiner.join(_says(spec.subject, condition) for condition in params.conditions)


def _says(subject: str, condition: Condition) -> str:
    derived, value = condition.derived, condition.value
    if isinstance(derived, Age):
        label = label_of(subject, derived.of)
        return f"{label} {condition.op} {shown_seconds(float(value))} old"
    if derived is not None:
        return says_rate(subject, derived, condition.limit)
    found = metric(subject, condition.metric)
    if isinstance(value, bool):
        positive = value == (condition.op == "==")
        return found.label if positive else f"not {found.label}"
    shown: Any = f"{value:g}" if is_number(value) else value
    return f"{found.label} {condition.op} {shown}{' ' + found.unit if found.unit else ''}"


def says_rate(subject: str, rate: RateOfChange, limit: Limit) -> str:
    found = metric(subject, rate.of)
    over = shown_seconds(rate.window_s)
    return f"{found.label} changes {limit.op} {limit.value:g} {found.unit}/min over {over}"


def looks_back_s(spec: RuleSpec) -> int:
    follows = [condition.derived for condition in conditions_of(spec)]
    return max((one.window_s for one in follows if isinstance(one, RateOfChange)), default=0)


KIND = Kind(
    key="threshold",
    label="Threshold",
    params=Params,
    check=check,
    says=says,
    sense=sense,
    looks_back_s=looks_back_s,
)
