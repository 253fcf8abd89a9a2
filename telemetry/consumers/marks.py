"""Where an event stream stands: the `id` of its events, from which a reconnect goes on. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

RESUMABLE_S: Final = 24 * 3600
"""Older marks are not gone on from: a snapshot is cheaper than what has changed since."""
AHEAD_S: Final = 300
"""Between the clocks of two web processes."""

NOTHING: Final = "0"
"""The id of events before all snapshots have been sent: a reconnect begins anew."""

_FORM: Final = re.compile(
    r"1\.([0-9a-f]{16})\.([0-9]{1,10})\.([0-9]{1,19})\.([0-9]{1,14}-[0-9]{1,10})"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """All that was written before `horizon` and every alert up to `alert` has been told.

    `about` says of whom and of what (`digest_of`); `at` is when the horizon was, Unix seconds.
    """

    about: str
    at: int
    horizon: int
    alert: str

    def __str__(self) -> str:
        return f"1.{self.about}.{self.at}.{self.horizon}.{self.alert}"


def read(text: str) -> Mark | None:
    """None where it is no mark of ours."""
    found = _FORM.fullmatch(text) if len(text) <= 80 else None
    if found is None:
        return None
    about, at, horizon, alert = found.groups()
    return Mark(about, int(at), int(horizon), alert)


def digest_of(parts: Iterable[object]) -> str:
    """Of the organisation, what is watched, and what there is of it."""
    text = "\n".join(repr(part) for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def objection(mark: Mark | None, about: str, now: float, newest: int) -> tuple[str, str] | None:
    """Why a stream cannot go on from there: a code and a sentence. `newest`: of the database's
    transactions."""
    if mark is None:
        return "unknown", "The id is none of this stream's."
    if mark.about != about:
        return "changed", "Fleets or vehicles, or what is asked for, are others than before."
    if mark.at > now + AHEAD_S or mark.horizon > newest:
        return "ahead", "The id is of a time that is still to come."
    if now - mark.at > RESUMABLE_S:
        return "expired", "The id is more than a day old."
    return None
