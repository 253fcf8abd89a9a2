"""A value held against a threshold. A closure, since it is run for every rule and every
reading."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from alerts.engine.sensor import Judge, Values

Operator = Literal[">", ">=", "<", "<=", "==", "!="]
ORDERED = frozenset({">", ">=", "<", "<="})
_COMPARISONS: dict[Operator, Callable[[Any, Any], Any]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


class Limit(NamedTuple):
    """`clear` is the threshold by which an open alert is judged; None: the same."""

    op: Operator
    value: Any
    clear: float | None = None


def judge_of(place: int, limit: Limit) -> Judge:
    """Judges the value at that place."""
    holds = _COMPARISONS[limit.op]
    opens = float(limit.value) if limit.op in ORDERED else limit.value
    stays = opens if limit.clear is None or limit.op not in ORDERED else limit.clear

    def judge(values: Values, is_open: bool) -> bool | None:
        value = values[place]
        if value is None:
            return None
        try:
            return bool(holds(value, stays if is_open else opens))
        except TypeError:  # an attribute that is a text this time
            return None

    return judge


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def lies_beyond(limit: Limit) -> bool:
    """Whether the clear threshold is on the wrong side of the threshold."""
    if limit.clear is None:
        return False
    opens = float(limit.value)
    return limit.clear > opens if limit.op in (">", ">=") else limit.clear < opens
