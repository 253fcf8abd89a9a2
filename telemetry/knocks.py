"""Devices that knock with a credential that does not open: noted for a day, to tell why.

Nobody can say whose an unknown secret is. But a credential that was revoked, or one whose
public prefix is right and whose secret is not, belongs to a device that somebody waits for.
The secret itself is kept nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import structlog
from django.conf import settings
from django.db import DatabaseError
from redis.exceptions import RedisError

from fleet.selectors import owners_of_refused
from telemetry.redis_clients import sync_client

log = structlog.get_logger(__name__)

KEPT_S: Final = 86_400
AT_ONCE: Final = 500


class Knock(NamedTuple):
    """`why`: "revoked", "archived" (it, or what it speaks for) or "wrong" (the prefix is right)."""

    at: datetime
    why: str


def note(secrets: Iterable[str]) -> None:
    """These were turned away just now. What cannot be noted is not: they are turned away anyway."""
    try:
        owners = owners_of_refused(list(secrets)[:AT_ONCE])
        if not owners:
            return
        now = int(datetime.now(UTC).timestamp())
        pipeline: Any = sync_client().pipeline(transaction=False)
        for device_id, why in owners.items():
            pipeline.set(_key(device_id), f"{why}:{now}", ex=KEPT_S)
        pipeline.execute()
    except (DatabaseError, RedisError, OSError) as error:
        log.warning("knocks_not_noted", error=str(error))


def last_knocks(device_ids: Sequence[int]) -> dict[int, Knock]:
    """The last of each device that knocked in vain within a day. Raises RedisError."""
    if not device_ids:
        return {}
    client: Any = sync_client()
    found: dict[int, Knock] = {}
    values = client.mget([_key(device_id) for device_id in device_ids])
    for device_id, value in zip(device_ids, values, strict=True):
        if value is not None:
            why, _, at = value.decode().partition(":")
            found[device_id] = Knock(datetime.fromtimestamp(int(at), UTC), why)
    return found


def _key(device_id: int) -> str:
    return f"{settings.REDIS_PREFIX}:knock:{device_id}"
