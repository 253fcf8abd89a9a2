"""A value held against a threshold: one closure an operator, since it is run for every rule
and every reading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from alerts.engine.sensor import Judge, Values

Operator = Literal[">", ">=", "<", "<=", "==", "!="]
ORDERED = frozenset({">", ">=", "<", "<="})


class Limit(NamedTuple):
    """`clear` is the threshold by which an open alert is judged; None: the same."""

    op: Operator
    value: Any
    clear: float | None = None


def judge_of(place: int, limit: Limit) -> Judge:
    """Judges the value at that place."""
    return _MAKERS[limit.op](place, limit)


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def lies_beyond(limit: Limit) -> bool:
    """Whether the clear threshold is on the wrong side of the threshold."""
    if limit.clear is None:
        return False
    opens = float(limit.value)
    return limit.clear > opens if limit.op in (">", ">=") else limit.clear < opens


def _above(place: int, limit: Limit) -> Judge:
    opens = float(limit.value)
    stays = opens if limit.clear is None else limit.clear

    def judge(values: Values, is_open: bool) -> bool | None:
        value = values[place]
        try:
            return None if value is None else value > (stays if is_open else opens)
        except TypeError:  # an attribute that is a text this time
            return None

    return judge


def _at_least(place: int, limit: Limit) -> Judge:
    opens = float(limit.value)
    stays = opens if limit.clear is None else limit.clear

    def judge(values: Values, is_open: bool) -> bool | None:
        value = values[place]
        try:
            return None if value is None else value >= (stays if is_open else opens)
        except TypeError:
            return None

    return judge


def _below(place: int, limit: Limit) -> Judge:
    opens = float(limit.value)
    stays = opens if limit.clear is None else limit.clear

    def judge(values: Values, is_open: bool) -> bool | None:
        value = values[place]
        try:
            return None if value is None else value < (stays if is_open else opens)
        except TypeError:
            return None

    return judge


def _at_most(place: int, limit: Limit) -> Judge:
    opens = float(limit.value)
    stays = opens if limit.clear is None else limit.clear

    def judge(values: Values, is_open: bool) -> bool | None:
        value = values[place]
        try:
            return None if value is None else value <= (stays if is_open else opens)
        except TypeError:
            return None

    return judge


def _equals(place: int, limit: Limit) -> Judge:
    wanted = limit.value

    def judge(values: Values, is_open: bool) -> bool | None:
        value = values[place]
        return None if value is None else bool(value == wanted)

    return judge


def _differs(place: int, limit: Limit) -> Judge:
    unwanted = limit.value

    def judge(values: Values, is_open: bool) -> bool | None:
        value = values[place]
        return None if value is None else bool(value != unwanted)

    return judge


_MAKERS: dict[str, Callable[[int, Limit], Judge]] = {
    ">": _above,
    ">=": _at_least,
    "<": _below,
    "<=": _at_most,
    "==": _equals,
    "!=": _differs,
}
