"""Lengths of time as people read them."""

from __future__ import annotations


def shown_seconds(seconds: float) -> str:
    """The largest unit that divides it: "5 min"."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.15g} s"
