"""This process' clients of Redis; connections are made again as needed."""

from __future__ import annotations

import asyncio
import weakref
from functools import cache
from typing import Final

import redis
import redis.asyncio
from django.conf import settings

_TIMEOUT_S: Final = 5.0


@cache
def sync_client() -> redis.Redis:
    """This process' client for consumers; connections are made again as needed."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=2 * _TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
    )


_async_clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = (
    weakref.WeakKeyDictionary()
)


def async_client() -> redis.asyncio.Redis:
    """The client of the running event loop."""
    loop = asyncio.get_running_loop()
    client = _async_clients.get(loop)
    if client is None:
        client = _async_clients[loop] = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
        )
    return client
