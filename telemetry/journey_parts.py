"""The stretches of time that a journey is made of; times in microseconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass

from telemetry.status import Status


@dataclass
class Span:
    """Something that held for a while."""

    start: int
    end: int
    count: int = 0
    most: int = 0


@dataclass
class Gap(Span):
    """Silence. What the last reading before it said; None: nothing."""

    was_moving: bool | None = None
    ignition: bool | None = None
    is_open: bool = False
    """At the edge of what was asked for, not between two readings."""


@dataclass
class State:
    start: int
    end: int
    status: Status


@dataclass
class Stop:
    """It stood; `lon` and `lat` are where. What was silent while it stood is part of it."""

    start: int
    end: int
    lon: float | None
    lat: float | None
    is_cut: bool = False
    """It began before what was asked for, or was not over at its end."""

    @property
    def length(self) -> int:
        return self.end - self.start


@dataclass
class Charge:
    start: int
    soc: float | None
    kwh_millionths: int = 0
    end: int | None = None
    soc_end: float | None = None
