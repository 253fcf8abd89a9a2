"""Fewer points that look the same: per pixel column the first, last, least and greatest (M4).

Jugel et al., "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014: a line
drawn through them covers the very pixels that a line through all points would.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from tsdownsample import M4Downsampler

from telemetry.arrays import Floats, Times

EACH: Final = 4
"""Points that M4 keeps of a bucket."""
_DOWNSAMPLER: Final[Any] = M4Downsampler()  # type: ignore[no-untyped-call]


def thinned(time: Times, values: Floats, points: int) -> tuple[Times, Floats]:
    """At most about `points` of what was sent, its extremes among them; NaN is left out."""
    sent = ~np.isnan(values)
    time, values = np.ascontiguousarray(time[sent]), np.ascontiguousarray(values[sent])
    points = max(points // EACH, 1) * EACH
    if len(time) <= points:
        return time, values
    # What is the first of its bucket and the least as well is named twice.
    kept = np.unique(_DOWNSAMPLER.downsample(time, values, n_out=points))
    return time[kept], values[kept]


def landmarks(time: Times, lon: Floats, lat: Floats, points: int) -> NDArray[np.intp]:
    """Places in the arrays that keep both the shape of the way and its pace.

    Douglas-Peucker keeps the shape; evenly spaced moments keep where it stood and for how
    long. At most about `points` of the latter.
    """
    if len(time) <= points:
        return np.arange(len(time))
    span = max(int(time[-1] - time[0]), 1)
    bucket = (time - time[0]) * points // (span + 1)
    paced = np.unique(bucket, return_index=True)[1]
    shrink = max(math.cos(math.radians(float(lat[len(lat) // 2]))), 0.01)
    x = lon * shrink
    extent = max(float(np.ptp(x)), float(np.ptp(lat)), 1e-6)
    # The third coordinate carries the place in the arrays through the simplification.
    line = shapely.LineString(np.column_stack((x, lat, np.arange(len(time)))))
    shaped = shapely.get_coordinates(
        shapely.simplify(line, extent / 3000, preserve_topology=False), include_z=True
    )[:, 2].astype(np.intp)
    ends = np.array([0, len(time) - 1], dtype=np.intp)
    return np.unique(np.concatenate((paced, shaped, ends)))


def broken(time: Times, values: Floats, gaps: Times) -> tuple[Times, Floats]:
    """With a NaN right behind each of the moments where silence began: no line across it."""
    at = np.searchsorted(time, gaps, side="right")
    inside = (at > 0) & (at < len(time))
    at, gaps = at[inside], gaps[inside]
    return np.insert(time, at, gaps + 1), np.insert(values, at, np.nan)
