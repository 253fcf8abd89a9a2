"""All rules of a subject, compiled once, to be run over its readings (`alerts.engine.run`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.engine import schedule
from alerts.engine.machine import Timing
from alerts.engine.sensor import Followed, Judge, Slots, Surroundings
from alerts.engine.spec import RuleSpec
from alerts.kinds import KINDS

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Compiled:
    """One rule, ready to run."""

    timing: Timing
    judge: Judge
    carries: bool
    only_in_order: bool
    """A window, an age or a crossing cannot be judged out of its order."""
    places: tuple[int, ...]
    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """The rules that watch a subject, and how to read what they look at."""

    read: Callable[[Any], Sequence[Any]]
    rules: tuple[Compiled, ...]
    carried: tuple[tuple[int, str], ...]
    followed: tuple[Followed, ...] = ()
    """Derived values; mostly none."""
    broken: tuple[tuple[int, str], ...] = ()
    """Rules that could not be compiled, and why."""
    lateness: int = 0
    """Microseconds: what is late for none of the rules arrives sooner than this."""


def compile_program(
    subject: str,
    rules: Iterable[tuple[int, RuleSpec]],
    *,
    time_zone: str,
    surroundings: Surroundings,
) -> Program:
    """Compile the rules that watch a vehicle ("v") or a meter ("m"). A rule that cannot be
    compiled is left out and named in `broken`: it must not take the others with it."""
    slots = Slots(subject)
    compiled, broken = [], []
    carried: dict[int, str] = {}
    for rule_id, spec in rules:
        kind = KINDS[spec.kind]
        if kind.sense is None:
            continue  # not judged by readings but by the clock
        try:
            sensor = kind.sense(spec, slots, surroundings)
            places = tuple(slots.place_of(name) for name in sensor.metrics)
            timing = Timing(
                rule_id=rule_id,
                duration=spec.duration_s * MICROSECONDS,
                clear_duration=spec.clear_duration_s * MICROSECONDS,
                cooldown=spec.cooldown_s * MICROSECONDS,
                lateness=spec.lateness_s * MICROSECONDS,
                max_gap=spec.max_gap_s * MICROSECONDS,
                allows=schedule.gate(spec.schedule, time_zone),
                on_edge=sensor.on_edge,
            )
        except Exception as error:
            broken.append((rule_id, f"{type(error).__name__}: {error}"))
            continue
        derived = {one.place for one in slots.followed}
        if sensor.carries:
            named = zip(places, sensor.metrics, strict=True)
            carried.update((place, name) for place, name in named if place not in derived)
        only_in_order = sensor.on_edge or not derived.isdisjoint(places)
        compiled.append(
            Compiled(timing, sensor.judge, sensor.carries, only_in_order, places, sensor.metrics)
        )
    return Program(
        read=slots.reader(),
        rules=tuple(compiled),
        carried=tuple(carried.items()),
        followed=tuple(slots.followed),
        broken=tuple(broken),
        lateness=min((rule.timing.lateness for rule in compiled), default=0),
    )
