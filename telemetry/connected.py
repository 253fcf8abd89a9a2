"""Which connection counts for each device: one hash in Redis, where the newest writes itself in.

A connection is named `CHANNEL/NUMBER`: the channel of the layer on which its process listens,
and a number that grows with every device the process lets in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.conf import settings

from telemetry.streams import async_client, sync_client

AT_ONCE: Final = 1000

_FORGET: Final = """
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
"""


def key() -> str:
    return f"{settings.REDIS_PREFIX}:device-owners"


def channel_of(connection: bytes) -> str:
    """Where the process of a connection listens."""
    return connection.decode(errors="replace").rpartition("/")[0]


async def forget(connections: Sequence[tuple[int, str]]) -> None:
    """These connections have ended; what has taken their place stays. Raises RedisError."""
    client: Any = async_client()
    for at in range(0, len(connections), AT_ONCE):
        arguments = [word for pair in connections[at : at + AT_ONCE] for word in pair]
        await client.eval(_FORGET, 1, key(), *arguments)


def count(device_ids: Iterable[int]) -> int:
    """How many of these devices have an open socket. Raises RedisError."""
    return len(open_among(device_ids))


def open_among(device_ids: Iterable[int]) -> set[int]:
    """Those of these devices that have an open socket. Raises RedisError."""
    ids = list(device_ids)
    client: Any = sync_client()
    by_channel: dict[str, set[int]] = {}
    for at in range(0, len(ids), AT_ONCE):
        some = ids[at : at + AT_ONCE]
        connections = client.hmget(key(), [str(device_id) for device_id in some])
        for device_id, connection in zip(some, connections, strict=True):
            if connection is not None:
                by_channel.setdefault(channel_of(connection), set()).add(device_id)
    # A process that was killed could not sign its devices off: nobody listens where it did.
    heard = client.pubsub_numsub(*by_channel) if by_channel else ()
    return {pk for channel, n in heard if n for pk in by_channel[channel.decode()]}
