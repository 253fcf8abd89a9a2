"""The words of the device protocol, and what a client tells its owner in."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from telemetry.client.outbox import Message

PROTOCOL_ERROR = 4400
REVOKED = 4401
SUPERSEDED = 4409
FRAME_TOO_LARGE = 4413
RATE_LIMITED = 4429
FINAL_HANDSHAKE_STATUSES = frozenset({400, 401, 403, 404})
"""The server's answer will not change by asking again."""
WRITE_BUFFER_LIMIT = 256 * 1024
"""Bytes not yet taken by the socket, above which nothing more is put in."""
PENALTY_S = 5.0
"""Least pause after the server closed because of how this device behaves."""

SOCKET_LOG = logging.getLogger(__name__)
"""picows tells of every connection; in a fleet only its warnings are news."""
SOCKET_LOG.setLevel(logging.WARNING)

OnReject = Callable[[int | None, str, str, str], None]
OnCommand = Callable[[Message], tuple[str, str]]


class Wire(StrEnum):
    """The two encodings of the same messages; the value is the WebSocket subprotocol."""

    JSON = "telemetry.v1.json"
    MSGPACK = "telemetry.v1.msgpack"


class Stopped(StrEnum):
    """Why a client does not connect any more."""

    CLOSED = "closed by its owner"
    REFUSED = "refused at the handshake"
    REVOKED = "credential revoked"
    SUPERSEDED = "another connection of the device took over"


class DeviceStopped(Exception):
    """Readings are left that cannot be delivered; `reason` says why."""

    def __init__(self, reason: Stopped, undelivered: int) -> None:
        super().__init__(f"{reason}; {undelivered} readings undelivered")
        self.reason = reason
        self.undelivered = undelivered


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between attempts to connect: full jitter below a doubling ceiling."""

    first: float = 0.5
    ceiling: float = 30.0

    def delay(self, attempt: int) -> float:
        return random.uniform(0, min(self.ceiling, self.first * 2 ** min(attempt, 16)))  # noqa: S311


@dataclass(slots=True)
class Tally:
    """What became of the readings, and of the connections."""

    acknowledged: int = 0
    """Readings the server answered for: durable, or refused."""
    rejected: dict[str, int] = field(default_factory=dict)
    """Refused readings by code."""
    connections: int = 0
