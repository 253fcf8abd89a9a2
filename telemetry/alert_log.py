"""What lately happened to each organisation's alerts, in order: a bounded log in Redis.

The channel layer delivers at most once; event streams read here instead, and go on after an
interruption where they were. What has gone at the bound is told of as lost, never left out in
silence. The database has the whole truth; this is only its news.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings

from telemetry.redis_clients import async_client, sync_client

KEPT: Final = 1000
KEPT_S: Final = 30 * 24 * 3600
"""A log of an organisation where nothing happens goes after this."""
BEGINNING: Final = "0-0"

Event = Mapping[str, Any]
"""`{"type": "alert.opened", "alert": {…}}`"""


@dataclass(frozen=True, slots=True)
class News:
    """Events with their ids, oldest first; `whole`: none before them has been dropped."""

    events: list[tuple[str, dict[str, Any]]]
    whole: bool


def _key(tenant_id: int) -> str:
    return f"{settings.REDIS_PREFIX}:live:alerts:{tenant_id}"


def append(happened: Iterable[tuple[int, Event]]) -> None:
    """Note events by tenant id, in their order. Raises RedisError."""
    pipeline: Any = sync_client().pipeline(transaction=False)
    for tenant_id, event in happened:
        pipeline.xadd(_key(tenant_id), {"event": json.dumps(event)}, maxlen=KEPT, approximate=False)
        pipeline.expire(_key(tenant_id), KEPT_S)
    pipeline.execute()


async def newest(tenant_id: int) -> str:
    """The id of the last event there is. Raises RedisError."""
    client: Any = async_client()
    found = await client.xrevrange(_key(tenant_id), count=1)
    return str(found[0][0].decode()) if found else BEGINNING


async def after(tenant_id: int, event_id: str, limit: int = 100) -> News:
    """What happened after an event. Raises RedisError."""
    client: Any = async_client()
    key = _key(tenant_id)
    # The event itself as well: while it is there, nothing behind it has been dropped.
    found = await client.xrange(key, min=event_id, count=limit + 1)
    events = [(each_id.decode(), json.loads(fields[b"event"])) for each_id, fields in found]
    if event_id == BEGINNING:
        return News(events[:limit], await client.xlen(key) < KEPT)
    if events and events[0][0] == event_id:
        return News(events[1:], True)
    return News(events[:limit], False)
