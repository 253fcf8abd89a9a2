"""A line of samples with thresholds, as SVG: needs no script, prints, and can be mailed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

WIDTH, HEIGHT, PAD = 720, 200, 8
BREAK_S = 120
"""A longer gap between samples is drawn as a gap."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Coordinates for the template."""

    width: int
    height: int
    paths: list[str]
    thresholds: list[tuple[float, str]]
    opened_x: float
    highest: float
    lowest: float
    first: datetime
    last: datetime


def draw(
    samples: Sequence[tuple[datetime, float]],
    *,
    thresholds: Sequence[tuple[str, float]],
    opened_at: datetime,
) -> Chart | None:
    """None where there is nothing to draw a line through."""
    if len(samples) < 2:
        return None
    values = [value for _, value in samples] + [value for _, value in thresholds]
    low, high = min(values), max(values)
    margin = (high - low) * 0.08 or 1.0
    low, high = low - margin, high + margin
    first, last = samples[0][0], samples[-1][0]
    span = max((last - first).total_seconds(), 1.0)

    def x_of(at: datetime) -> float:
        return round(PAD + (at - first).total_seconds() / span * (WIDTH - 2 * PAD), 1)

    def y_of(value: float) -> float:
        return round(PAD + (high - value) / (high - low) * (HEIGHT - 2 * PAD), 1)

    paths: list[str] = []
    before: datetime | None = None
    for at, value in samples:
        point = f"{x_of(at)},{y_of(value)}"
        if before is None or (at - before).total_seconds() > BREAK_S:
            paths.append(f"M{point}")
        else:
            paths[-1] += f"L{point}"
        before = at
    return Chart(
        WIDTH,
        HEIGHT,
        paths,
        [(y_of(value), label) for label, value in thresholds],
        x_of(opened_at),
        max(value for _, value in samples),
        min(value for _, value in samples),
        first,
        last,
    )
