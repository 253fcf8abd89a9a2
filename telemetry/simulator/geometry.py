"""Routes as smooth paths: where a vehicle is after so many metres, and which way it looks."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from telemetry.simulator.corridors import Point

METRES_PER_DEGREE = 111_195.0
"""Of latitude, on a sphere of 6,371 km."""
STEP_M = 120.0
"""Between the points of a smoothed path."""
COMFORTABLE_LATERAL_MS2 = 1.8
"""Sideways acceleration that drivers accept in a bend."""


def distance_m(a: Point, b: Point) -> float:
    """Equirectangular: good to a few metres in a hundred kilometres at these latitudes."""
    north = (b[0] - a[0]) * METRES_PER_DEGREE
    east = (b[1] - a[1]) * METRES_PER_DEGREE * math.cos(math.radians((a[0] + b[0]) / 2))
    return math.hypot(north, east)


def heading_deg(a: Point, b: Point) -> float:
    """Degrees clockwise from north, from a towards b."""
    north = b[0] - a[0]
    east = (b[1] - a[1]) * math.cos(math.radians((a[0] + b[0]) / 2))
    return math.degrees(math.atan2(east, north)) % 360


def offset(point: Point, east_m: float, north_m: float) -> Point:
    """The point so many metres east and north of it."""
    east = east_m / (METRES_PER_DEGREE * math.cos(math.radians(point[0])))
    return point[0] + north_m / METRES_PER_DEGREE, point[1] + east


class Path:
    """A route, smoothed, measured in metres from its depot."""

    def __init__(self, points: Sequence[Point], cruise_kmh: float) -> None:
        self.cruise_ms = cruise_kmh / 3.6
        self.points = smoothed(points)
        self.marks = [0.0]
        """Metres from the start, for each point."""
        for a, b in zip(self.points, self.points[1:], strict=False):
            self.marks.append(self.marks[-1] + distance_m(a, b))
        self.length_m = self.marks[-1]
        self._headings = [
            heading_deg(a, b) for a, b in zip(self.points, self.points[1:], strict=False)
        ]
        self._limits = [
            min(self.cruise_ms, self._bend_limit_ms(index)) for index in range(len(self._headings))
        ]

    def at(self, metres: float) -> tuple[Point, float]:
        """Position, and heading when driving away from the depot."""
        metres = min(max(metres, 0.0), self.length_m)
        index = self._segment(metres)
        a, b = self.points[index], self.points[index + 1]
        share = (metres - self.marks[index]) / (self.marks[index + 1] - self.marks[index])
        point = (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)
        return point, self._headings[index]

    def limit_ms(self, metres: float) -> float:
        """The speed the road allows there, in m/s: the cruise, less in bends."""
        return self._limits[self._segment(metres)]

    def nearest_m(self, point: Point) -> tuple[float, float]:
        """(metres from the start, distance) of the path's point nearest to this one."""
        gap, mark = min(
            (distance_m(point, known), mark)
            for known, mark in zip(self.points, self.marks, strict=True)
        )
        return mark, gap

    def _segment(self, metres: float) -> int:
        return min(max(bisect_right(self.marks, metres) - 1, 0), len(self.points) - 2)

    def _bend_limit_ms(self, index: int) -> float:
        if index == 0:
            return math.inf
        turn = math.radians(abs(_turn(self._headings[index - 1], self._headings[index])))
        if turn < 0.01:
            return math.inf
        length = (self.marks[index + 1] - self.marks[index - 1]) / 2
        return max(4.0, math.sqrt(COMFORTABLE_LATERAL_MS2 * length / turn))


def _turn(before: float, after: float) -> float:
    return (after - before + 180) % 360 - 180


def smoothed(points: Sequence[Point]) -> list[Point]:
    """A Catmull-Rom spline through the points, in steps of about STEP_M."""
    ends = [points[0], *points, points[-1]]
    curve = [points[0]]
    for p0, p1, p2, p3 in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        steps = max(1, round(distance_m(p1, p2) / STEP_M))
        curve.extend(_spline(p0, p1, p2, p3, step / steps) for step in range(1, steps + 1))
    return curve


def _spline(p0: Point, p1: Point, p2: Point, p3: Point, t: float) -> Point:
    def blend(axis: int) -> float:
        a, b, c, d = p0[axis], p1[axis], p2[axis], p3[axis]
        return 0.5 * (
            2 * b
            + (c - a) * t
            + (2 * a - 5 * b + 4 * c - d) * t * t
            + (3 * b - a - 3 * c + d) * t * t * t
        )

    return blend(0), blend(1)
