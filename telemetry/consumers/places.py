"""How many event streams are open.

A process counts its own, for the sake of its memory. What one token or one person may have is
counted in Redis, over all processes: every stream has a lease there, renewed for as long as it
lasts. So a process that was killed gives its places back.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from uuid import uuid4

from django.conf import settings
from redis.exceptions import RedisError

from telemetry.consumers.stream_opening import unavailable
from telemetry.loops import cancelled
from telemetry.redis_clients import async_client
from tenants.errors import DomainError

LEASE_S = 30
RENEW_S = 10.0

_HOLD: Final = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2])
    and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return 0
end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""
"""Takes a lease or renews it; leases that ran out do not count."""


class Places:
    """The places of this process."""

    def __init__(self) -> None:
        self.held = 0

    @asynccontextmanager
    async def taken(self, caller: str) -> AsyncIterator[None]:
        """A place for as long as a stream lasts. Raises DomainError 429 or 503."""
        if self.held >= settings.TELEMETRY_STREAMS_MAX:
            raise unavailable("All places for streams are taken.")
        self.held += 1
        try:
            async with _leased(caller):
                yield
        finally:
            self.held -= 1


@asynccontextmanager
async def _leased(caller: str) -> AsyncIterator[None]:
    lease = uuid4().hex
    try:
        try:
            has_place = await _hold(caller, lease)
        except RedisError as error:
            raise unavailable("The stream cannot begin now.") from error
        if not has_place:
            most = settings.TELEMETRY_STREAMS_PER_TOKEN
            raise DomainError(
                "too_many_streams", 429, f"At most {most} streams at a time.", retry_after=30
            )
        renewing = asyncio.create_task(_renew(caller, lease), name="lease of a stream")
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.wait({renewing})
    finally:
        # Where Redis cannot be told, the lease runs out.
        with suppress(RedisError):
            client: Any = async_client()
            await client.zrem(_key(caller), lease)


async def _renew(caller: str, lease: str) -> None:
    """Until cancelled. A lease that Redis has lost is taken again where there is room; the
    stream goes on in any case."""
    while not cancelled():
        # Streams that began together (after a restart) are not renewed together for ever.
        await asyncio.sleep(RENEW_S * random.uniform(0.5, 1))  # noqa: S311
        with suppress(RedisError):
            await _hold(caller, lease)


async def _hold(caller: str, lease: str) -> bool:
    client: Any = async_client()
    most = settings.TELEMETRY_STREAMS_PER_TOKEN
    return bool(await client.eval(_HOLD, 1, _key(caller), lease, most, LEASE_S))


def _key(caller: str) -> str:
    return f"{settings.REDIS_PREFIX}:live:places:{caller}"
