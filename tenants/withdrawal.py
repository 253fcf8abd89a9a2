"""Telling every open socket that somebody's access may have ended.

A socket that hears it asks the database anew (see `telemetry.consumers.access`). Nothing is
taken away by the message itself, so it may be sent once too often, and never too rarely.
"""

from __future__ import annotations

from typing import Final, Literal

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

Kind = Literal["token", "user", "tenant"]

MESSAGE: Final = {"type": "access.changed"}

logger = structlog.get_logger(__name__)


def group_of(kind: Kind, pk: int) -> str:
    """The channel-layer group of the sockets that live by this token, person or tenant."""
    return f"access.{kind}.{pk}"


def announce(kind: Kind, pk: int) -> None:
    """Tell them once what the database says is committed.

    The layer delivers at most once; sockets also look by themselves every few seconds, so a
    lost message delays the closing and no more.
    """
    transaction.on_commit(lambda: _send(group_of(kind, pk)))


def _send(group: str) -> None:
    try:
        async_to_sync(get_channel_layer().group_send)(group, MESSAGE)
    except Exception:
        # The change is committed: a layer that is away must not turn it into an error.
        logger.exception("withdrawal_not_announced", group=group)
