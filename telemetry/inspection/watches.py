"""Which devices somebody looks at, and what they sent meanwhile. In Redis, for a minute.

A page says again and again that it looks. Where it stops saying so, its device is no longer
watched a minute later, and what was kept of it is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from django.conf import settings

from fleet.models import Device
from telemetry.inspection.kept import FRAMES, KeptFrame, decoded
from telemetry.redis_clients import async_client, sync_client

WATCH_S: Final = 60
MOST_OF_TENANT: Final = 10
"""Devices of one organisation, so that none takes all the places."""

# By Redis' own clock: those of the machines may differ.
_WATCH: Final = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local tenant, device = ARGV[1] .. ':', ARGV[2]
if not redis.call('ZSCORE', KEYS[1], tenant .. device) then
  local all = redis.call('ZRANGE', KEYS[1], 0, -1)
  local mine = 0
  for _, each in ipairs(all) do
    if string.sub(each, 1, #tenant) == tenant then mine = mine + 1 end
  end
  if #all >= tonumber(ARGV[3]) or mine >= tonumber(ARGV[4]) then return 0 end
end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[5]), tenant .. device)
redis.call('EXPIRE', KEYS[1], ARGV[5])
return 1
"""


class Look(NamedTuple):
    """`watched` is False where there was no place left. The newest frame first."""

    watched: bool
    frames: list[KeptFrame]


def look(device: Device) -> Look:
    """Watch the device for a minute from now, and see what it has sent. Raises RedisError."""
    pipeline: Any = sync_client().pipeline(transaction=False)
    limits = (settings.TELEMETRY_WATCHED_DEVICES, MOST_OF_TENANT, WATCH_S)
    pipeline.eval(_WATCH, 1, _watches(), device.tenant_id, device.pk, *limits)
    pipeline.expire(_frames(device.pk), WATCH_S)
    pipeline.lrange(_frames(device.pk), 0, FRAMES - 1)
    watched, _, payloads = pipeline.execute()
    frames = [frame for payload in payloads if (frame := decoded(payload)) is not None]
    return Look(bool(watched), frames)


async def watched_devices() -> frozenset[int]:
    """What an ingest process is to look out for. Raises RedisError."""
    client: Any = async_client()
    members = await client.zrange(_watches(), 0, -1)
    return frozenset(int(member.rpartition(b":")[2]) for member in members)


async def hand_over(frames: dict[int, Sequence[bytes]]) -> None:
    """Keep these encoded frames, each device's oldest first. Raises RedisError."""
    pipeline: Any = async_client().pipeline(transaction=False)
    for device_id, payloads in frames.items():
        pipeline.lpush(_frames(device_id), *payloads)
        pipeline.ltrim(_frames(device_id), 0, FRAMES - 1)
        pipeline.expire(_frames(device_id), WATCH_S)
    await pipeline.execute()


def _watches() -> str:
    return f"{settings.REDIS_PREFIX}:watched-devices"


def _frames(device_id: int) -> str:
    return f"{settings.REDIS_PREFIX}:watched-frames:{device_id}"
