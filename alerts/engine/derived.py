"""Values that no single reading has: how fast a value changes, and how old it is.

They are followed along a subject's readings in the order of time, once, however many rules
look at them. Pure: time is that of the readings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from alerts.engine.clock import shown_seconds
from alerts.engine.metrics import Metric, metric
from alerts.engine.state import Samples
from telemetry.fields import Kind

RATE = "rate_of_change"
AGE = "age_s"
MAX_SAMPLES = 32
"""Kept of a window: a denser signal is thinned, its slope over the window stays."""
_MOST = 1e300
_MICROSECONDS = 1_000_000
_MINUTE = 60 * _MICROSECONDS
_RATE_NAME = re.compile(rf"{RATE}\((.+),(\d+)\)", re.DOTALL)
_AGE_NAME = re.compile(rf"{AGE}\((.+)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RateOfChange:
    """(newest - oldest) / (their distance in minutes) over the samples of a window that ends
    at the reading; unknown until they span half of it. A reading that lacks the value is
    told the slope of those before it, as long as they do."""

    of: str
    window_s: int

    @property
    def name(self) -> str:
        return f"{RATE}({self.of},{self.window_s})"

    def concerns(self, value: Any) -> bool:
        """Whether a reading with this value is one that a rule about it alone looks at."""
        return _is_number(value)

    def follow(self, kept: Samples, time: int, value: Any) -> tuple[float | None, Samples]:
        """The slope at a reading, and what to keep."""
        window = self.window_s * _MICROSECONDS
        if kept and time - kept[0][0] > window:
            kept = tuple(sample for sample in kept if time - sample[0] <= window)
        newest = kept[-1] if kept else None
        if _is_number(value):
            before, newest = newest, (time, float(value))
            # In stretches that do not depend on where the samples began, so that the slope
            # does not either.
            stretch = window // MAX_SAMPLES
            if before is None or time // stretch > before[0] // stretch:
                kept = (*kept, newest)
        if newest is None or newest[0] - kept[0][0] < window // 2:
            return None, kept
        return (newest[1] - kept[0][1]) / ((newest[0] - kept[0][0]) / _MINUTE), kept

    def hear_late(self, kept: Samples, time: int, value: Any) -> Samples:
        """A slope cannot be mended by a reading that comes after newer ones."""
        return kept

    def about(self, subject: str) -> Metric:
        of = metric(subject, self.of)
        label = f"{of.label}, change over {shown_seconds(self.window_s)}"
        return Metric(self.name, label, f"{of.unit}/min", Kind.NUMBER)


@dataclass(frozen=True, slots=True)
class Age:
    """Seconds from the newest reading that had the value to this one; 0 where this one has
    it, unknown until one had. Judged at every reading: it is about those that lack it."""

    of: str

    @property
    def name(self) -> str:
        return f"{AGE}({self.of})"

    def concerns(self, value: Any) -> bool:
        return True

    def follow(self, kept: Samples, time: int, value: Any) -> tuple[float | None, Samples]:
        """The age at a reading, and what to keep."""
        if value is not None:
            return 0.0, ((time, 0.0),)
        return ((time - kept[-1][0]) / _MICROSECONDS if kept else None), kept

    def hear_late(self, kept: Samples, time: int, value: Any) -> Samples:
        """It was heard of later than was known; the order in which one learns it is the same."""
        if value is None or (kept and kept[-1][0] >= time):
            return kept
        return ((time, 0.0),)

    def about(self, subject: str) -> Metric:
        return Metric(self.name, f"{label_of(subject, self.of)}, age", "s", Kind.NUMBER)


Derived = RateOfChange | Age


def _is_number(value: Any) -> bool:
    """An attribute may be anything, and something else each time. What cannot be reckoned
    with is no number: it must not fail the other rules."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -_MOST < value < _MOST


def label_of(subject: str, name: str) -> str:
    """A position is spoken of as one thing, though it is two fields."""
    return "Position" if name in ("lat", "lon") else metric(subject, name).label


def about(subject: str, name: str) -> Metric:
    """What a value is that a transition recorded, derived ones included. Raises UnknownMetric."""
    if found := _RATE_NAME.fullmatch(name):
        return RateOfChange(found[1], int(found[2])).about(subject)
    if found := _AGE_NAME.fullmatch(name):
        return Age(found[1]).about(subject)
    return metric(subject, name)
