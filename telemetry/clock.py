"""Moments as records, logs and arrays count them: whole microseconds since 1970, exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def to_us(at: datetime) -> int:
    """`at` must know its zone."""
    return (at - _EPOCH) // _MICROSECOND


def from_us(microseconds: int) -> datetime:
    """In UTC. Raises OverflowError beyond the years that a datetime can be of."""
    return _EPOCH + timedelta(microseconds=microseconds)
