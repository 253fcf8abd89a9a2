"""Readings a process took in a moment ago: known before the writer has stored them.

A caller that got no answer sends again. What it sends is already in a lane, or durable; it is
told so, as a duplicate and once that is durable, and the log does not grow by every attempt.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from telemetry.storage.known import Identity

if TYPE_CHECKING:
    from telemetry.ingest import Ticket

REMEMBERED: Final = 50_000
"""Readings of one generation; at most two are kept. Older ones history answers for."""


class Recent:
    """The latest readings by identity, with the place in a lane where each became durable."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._newer: dict[Identity, Ticket] = {}
        self._older: dict[Identity, Ticket] = {}

    def ticket_of(self, identity: Identity) -> Ticket | None:
        """Where the reading was taken in; None if that is long ago, or was elsewhere."""
        return self._newer.get(identity) or self._older.get(identity)

    def note(self, identities: Iterable[Identity], ticket: Ticket) -> None:
        if len(self._newer) >= self._remembered:
            self._newer, self._older = {}, self._newer
        self._newer.update(dict.fromkeys(identities, ticket))
