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
PIECE: Final = 200
"""Positions that are simplified at once."""
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
    ends = np.array([0, len(time) - 1], dtype=np.intp)
    return np.unique(np.concatenate((paced, _shaped(x, lat, extent / 3000), ends)))


def _shaped(x: Floats, y: Floats, tolerance: float) -> NDArray[np.intp]:
    """Places that keep the line within `tolerance`, by Douglas-Peucker piece by piece: of a way
    driven to and fro the whole at once takes many times longer."""
    pieces = max((len(x) - 1) // PIECE, 1)
    places = np.arange(len(x))
    joints = np.arange(1, pieces) * PIECE
    # Each piece ends where the next one begins.
    at = np.concatenate((places, joints))
    piece = np.concatenate((np.minimum(places // PIECE, pieces - 1), joints // PIECE - 1))
    order = np.lexsort((at, piece))
    # The third coordinate carries the place in the arrays through the simplification.
    points = np.column_stack((x[at], y[at], at))[order]
    lines = shapely.linestrings(points, indices=piece[order])
    simpler = shapely.simplify(lines, tolerance, preserve_topology=False)
    kept: NDArray[np.intp] = shapely.get_coordinates(simpler, include_z=True)[:, 2].astype(np.intp)
    return kept


def broken(time: Times, values: Floats, gaps: Times) -> tuple[Times, Floats]:
    """With a NaN right behind each of the moments where silence began: no line across it."""
    at = np.searchsorted(time, gaps, side="right")
    inside = (at > 0) & (at < len(time))
    at, gaps = at[inside], gaps[inside]
    return np.insert(time, at, gaps + 1), np.insert(values, at, np.nan)
