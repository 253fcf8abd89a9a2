"""What a kind of rule gives the engine: a way to judge a reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from alerts.engine.derived import Derived
from alerts.engine.metrics import extractor

Values = Sequence[Any]
"""What the program read, one value for each of its metrics; None: the reading has it not."""

Judge = Callable[[Values, bool], bool | None]
"""(values, is_open) -> does the condition hold? None: this reading cannot tell. An open
alert is judged by the clear threshold."""


@dataclass(frozen=True, slots=True)
class Sensor:
    judge: Judge
    carries: bool = False
    """Compares several fields: those missing in a reading are taken from earlier ones."""
    on_edge: bool = False
    metrics: tuple[str, ...] = ()
    """What it looked at: recorded with every transition."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A derived value, the place it goes to, and the place of what it is derived from."""

    derived: Derived
    place: int
    source: int


@dataclass(slots=True)
class Slots:
    """Hands out the places in `Values`, one for each metric that any rule looks at."""

    subject: str
    names: dict[str, int] = field(default_factory=dict)
    extractors: list[Callable[[Any], Any]] = field(default_factory=list)
    followed: list[Followed] = field(default_factory=list)

    def place_of(self, name: str) -> int:
        """Raises UnknownMetric."""
        if name not in self.names:
            self.extractors.append(extractor(self.subject, name))
            self.names[name] = len(self.names)
        return self.names[name]

    def follow(self, derived: Derived) -> int:
        """The place of a value that the readings themselves have not. Raises UnknownMetric."""
        if derived.name not in self.names:
            source = self.place_of(derived.of)
            self.extractors.append(_nothing)
            self.names[derived.name] = len(self.names)
            self.followed.append(Followed(derived, self.names[derived.name], source))
        return self.names[derived.name]

    def reader(self) -> Callable[[Any], Values]:
        """One function that takes all the values out of a reading."""
        extractors = self.extractors
        if len(extractors) > 1 and all(isinstance(one, attrgetter) for one in extractors):
            return attrgetter(*self.names)
        return lambda reading: [extract(reading) for extract in extractors]


def _nothing(reading: Any) -> None:
    """What a reading itself has of a derived value."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a rule refers to and does not contain: geofences by id."""

    geofences: Mapping[int, Any] = field(default_factory=dict)
