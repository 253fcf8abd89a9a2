"""What a kind of rule gives the engine: a way to judge a reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from alerts.engine.metrics import extractor
from alerts.engine.state import Samples

Values = Sequence[Any]
"""What the program read, one value for each of its metrics; None: the reading has it not."""

Judge = Callable[[Values, bool], bool | None]
"""(values, is_open) -> does the condition hold? None: this reading cannot tell. An open
alert is judged by the clear threshold."""

Recall = Callable[[Values, int, bool, Samples], tuple[bool | None, tuple[Any, ...]]]
"""The same with a memory of its own: (values, time in µs, is_open, memory) -> (.., memory)."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """Exactly one of `judge` and `recall` is set."""

    judge: Judge | None = None
    recall: Recall | None = None
    carries: bool = False
    """Compares several fields: those missing in a reading are taken from earlier ones."""
    on_edge: bool = False
    metrics: tuple[str, ...] = ()
    """What it looked at: recorded with every transition."""


@dataclass(slots=True)
class Slots:
    """Hands out the places in `Values`, one for each metric that any rule looks at."""

    subject: str
    names: dict[str, int] = field(default_factory=dict)
    extractors: list[Callable[[Any], Any]] = field(default_factory=list)

    def place_of(self, name: str) -> int:
        """Raises UnknownMetric."""
        if name not in self.names:
            self.extractors.append(extractor(self.subject, name))
            self.names[name] = len(self.names)
        return self.names[name]

    def reader(self) -> Callable[[Any], Values]:
        """One function that takes all the values out of a reading."""
        extractors = self.extractors
        if len(extractors) > 1 and all(isinstance(one, attrgetter) for one in extractors):
            return attrgetter(*self.names)
        return lambda reading: [extract(reading) for extract in extractors]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a rule refers to and does not contain: geofences by id."""

    geofences: Mapping[int, Any] = field(default_factory=dict)
