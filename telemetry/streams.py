"""The logs: bounded, partitioned, fsynced append-only logs on Redis Streams.

Two of them carry readings. *ingress* takes bursts off the database: it refuses an append at
its bound and forgets an entry only when the writer has acknowledged it. *stored* tells the
rest of the house what is true: every route is a consumer group of its own, an entry goes once
all of them have acknowledged it, and at the bound the oldest entries go. The *quarantine* log
carries refusals to their table.

A partition is a Redis Stream and its companions in one hash slot; each operation on it is one
script, so that a log, its byte count and the sequence numbers beside it never disagree.
Durability is Redis' own: with `appendfsync always` a reply is sent after the fsync.
"""

from __future__ import annotations

import asyncio
import weakref
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha1
from typing import Any, Final, Literal, NamedTuple

import msgspec
import redis
import redis.asyncio
from django.conf import settings
from redis.exceptions import NoScriptError, RedisError, ResponseError

from telemetry.records import MeterReading, VehicleReading

OWNER: Final = "owner"
"""The one consumer of a group in a partition: whoever owns the partition reads under this
name, and so finds what its predecessor had taken and not acknowledged."""

ENTRY_OVERHEAD: Final = 96
"""Bytes an entry is counted with beside its payload."""

_TIMEOUT_S: Final = 5.0


class LogFull(Exception):
    """The partition is at its bound; nothing was appended. Try again later."""


class Entry(NamedTuple):
    """One entry as a consumer gets it. `id` is Redis' `milliseconds-sequence`."""

    id: str
    payload: bytes
    readings: int


class Append(NamedTuple):
    """One entry to append. `seqs`: device id → sequence number made durable with it."""

    log: PartitionedLog
    partition: int
    payload: bytes
    readings: int
    seqs: dict[int, int] = {}


class Depth(NamedTuple):
    """What a partition holds. `oldest_ms`: when its oldest entry was appended (Unix ms)."""

    entries: int
    bytes: int
    oldest_ms: int | None
    dropped: int
    """Entries that went at the bound before every group had acknowledged them."""


class Lag(NamedTuple):
    """What a group has yet to acknowledge. `oldest_ms`: when the first of it was appended."""

    entries: int
    oldest_ms: int | None


def partition_of(kind: Literal["v", "m"], subject_id: int) -> int:
    """The partition of a vehicle ("v") or a meter ("m"); the same in every process."""
    return zlib.crc32(b"%s%d" % (kind.encode(), subject_id)) % settings.TELEMETRY_PARTITIONS


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[VehicleReading | MeterReading])


def encode_readings(readings: Sequence[VehicleReading | MeterReading]) -> bytes:
    """The payload of an entry of the ingress or the stored log."""
    return _encoder.encode(readings)


def decode_readings(payload: bytes) -> list[VehicleReading | MeterReading]:
    """The readings of a payload. Raises msgspec.DecodeError where it is not one."""
    return _decoder.decode(payload)


# --- Scripts ---------------------------------------------------------------------------
# KEYS: the stream, its byte count, its sequence numbers, its count of dropped entries.

_WEIGHT = f"""
local function weight(entry)
  return string.len(entry[2][2]) + {ENTRY_OVERHEAD}
end
local function forget(id, size)
  if redis.call('XDEL', KEYS[1], id) == 1 then redis.call('DECRBY', KEYS[2], size) end
end
"""

_APPEND = (
    _WEIGHT
    + f"""
local limit, on_full, payload, readings = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local size = string.len(payload) + {ENTRY_OVERHEAD}
local held = tonumber(redis.call('GET', KEYS[2]) or '0')
if held + size > limit and held > 0 then
  if on_full == 'refuse' then return false end
  while tonumber(redis.call('GET', KEYS[2]) or '0') + size > limit do
    local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
    if not oldest then redis.call('SET', KEYS[2], 0) break end
    forget(oldest[1], weight(oldest))
    redis.call('INCR', KEYS[4])
  end
end
local id = redis.call('XADD', KEYS[1], '*', 'b', payload, 'n', readings)
redis.call('INCRBY', KEYS[2], size)
for first = 5, #ARGV, 1000 do
  redis.call('HSET', KEYS[3], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
return id
"""
)

# ARGV: group, then id and payload length by turns. Only what this call removed is uncounted,
# so that acknowledging twice does no harm.
_ACK_AND_DELETE = (
    _WEIGHT
    + f"""
local acknowledged = 0
for i = 2, #ARGV, 2 do
  acknowledged = acknowledged + redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
  forget(ARGV[i], ARGV[i + 1] + {ENTRY_OVERHEAD})
end
return acknowledged
"""
)

# The same, but an entry goes only when no group still has to see or acknowledge it.
_ACK_AND_TRIM = (
    _WEIGHT
    + """
local acknowledged = 0
for i = 2, #ARGV, 2 do
  acknowledged = acknowledged + redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
end
local function before(a, b)
  local a_ms, a_n = string.match(a, '(%d+)-(%d+)')
  local b_ms, b_n = string.match(b, '(%d+)-(%d+)')
  if a_ms ~= b_ms then return tonumber(a_ms) < tonumber(b_ms) end
  return tonumber(a_n) < tonumber(b_n)
end
local keep_from, keep_after
for _, raw in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #raw, 2 do group[raw[i]] = raw[i + 1] end
  local pending = redis.call('XPENDING', KEYS[1], group['name'])
  if pending[1] > 0 then
    if not keep_from or before(pending[2], keep_from) then keep_from = pending[2] end
  end
  local seen = group['last-delivered-id']
  if not keep_after or before(seen, keep_after) then keep_after = seen end
end
while keep_after do
  local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  if not oldest or before(keep_after, oldest[1]) then break end
  if keep_from and not before(oldest[1], keep_from) then break end
  forget(oldest[1], weight(oldest))
end
return acknowledged
"""
)

# ARGV: optionally a group. Ids only: the payloads stay where they are.
_MEASURE = """
local oldest
if ARGV[1] then
  local waiting, seen = 0, '0-0'
  for _, raw in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local group = {}
    for i = 1, #raw, 2 do group[raw[i]] = raw[i + 1] end
    if group['name'] == ARGV[1] then
      seen = group['last-delivered-id']
      local pending = redis.call('XPENDING', KEYS[1], ARGV[1])
      waiting = pending[1]
      if waiting > 0 then oldest = pending[2] end
      -- Redis cannot tell the lag of a group where entries were deleted ahead of it:
      -- counted then, up to a thousand.
      if group['lag'] then waiting = waiting + group['lag']
      else waiting = waiting + #redis.call('XRANGE', KEYS[1], '(' .. seen, '+', 'COUNT', 1000) end
    end
  end
  if not oldest then
    local following = redis.call('XRANGE', KEYS[1], '(' .. seen, '+', 'COUNT', 1)[1]
    oldest = following and following[1]
  end
  return {waiting, oldest or ''}
end
oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
return {redis.call('XLEN', KEYS[1]), tonumber(redis.call('GET', KEYS[2]) or '0'),
        oldest and oldest[1] or '', tonumber(redis.call('GET', KEYS[4]) or '0')}
"""

_SHA = {
    script: sha1(script.encode(), usedforsecurity=False).hexdigest()
    for script in (_APPEND, _ACK_AND_DELETE, _ACK_AND_TRIM, _MEASURE)
}


# --- Clients ---------------------------------------------------------------------------
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


class PartitionedLog:
    """One of the logs. `on_full`: "refuse" an append at the bound, or drop the oldest entry."""

    def __init__(
        self, name: str, *, partitions: int, max_bytes: int, on_full: Literal["refuse", "drop"]
    ) -> None:
        self.name = name
        self.partitions = partitions
        self.max_bytes = max_bytes
        self.on_full = on_full
        self._keys: dict[int, list[str]] = {}

    def keys(self, partition: int) -> list[str]:
        """Stream, byte count, sequence numbers, dropped entries: all in one hash slot."""
        keys = self._keys.get(partition)
        if keys is None:
            if not 0 <= partition < self.partitions:
                raise ValueError(f"{self.name} has no partition {partition}")
            stream = f"{settings.REDIS_PREFIX}:{{{self.name}:{partition}}}"
            keys = [stream, f"{stream}:bytes", f"{stream}:seq", f"{stream}:dropped"]
            self._keys[partition] = keys
        return keys

    def append(self, partition: int, payload: bytes, readings: int) -> str:
        """Append one entry and return its id. Raises LogFull, or RedisError."""
        [result] = append_many([Append(self, partition, payload, readings)])
        if result is None:
            raise LogFull(f"{self.name}:{partition}")
        if isinstance(result, RedisError):
            raise result
        return result

    def ensure_group(self, partition: int, group: str) -> None:
        """Create the consumer group where it is missing; it starts with what the log holds."""
        try:
            sync_client().xgroup_create(self.keys(partition)[0], group, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def groups(self, partition: int) -> list[str]:
        """Names of the consumer groups of a partition."""
        try:
            found: Any = sync_client().xinfo_groups(self.keys(partition)[0])
        except ResponseError:  # no such stream yet
            return []
        return [group["name"].decode() for group in found]

    def forget_group(self, partition: int, group: str) -> None:
        """Remove a group, so that it no longer holds entries back."""
        sync_client().xgroup_destroy(self.keys(partition)[0], group)

    def read(self, partition: int, group: str, *, count: int, block_ms: int) -> list[Entry]:
        """The next entries nobody in the group has had; waits up to `block_ms` (1…5,000)."""
        return self._read(partition, group, ">", count, block_ms)

    def read_any(
        self, partitions: Sequence[int], group: str, *, count: int, block_ms: int
    ) -> dict[int, list[Entry]]:
        """`read` of several partitions at once, up to `count` entries of each."""
        by_stream = {self.keys(partition)[0]: partition for partition in partitions}
        reply: Any = sync_client().xreadgroup(
            group, OWNER, dict.fromkeys(by_stream, ">"), count=count, block=block_ms
        )
        return {
            by_stream[stream.decode()]: [
                Entry(entry_id.decode(), values[b"b"], int(values[b"n"]))
                for entry_id, values in found
            ]
            for stream, found in reply or ()
        }

    def read_pending(self, partition: int, group: str, *, count: int) -> list[Entry]:
        """What was delivered to the group and not acknowledged, oldest first.

        An owner reads these first: they are what its predecessor had in hand.
        """
        return self._read(partition, group, "0", count, None)

    def _read(
        self, partition: int, group: str, start: str, count: int, block_ms: int | None
    ) -> list[Entry]:
        stream = self.keys(partition)[0]
        reply: Any = sync_client().xreadgroup(
            group, OWNER, {stream: start}, count=count, block=block_ms
        )
        found = reply[0][1] if reply else []
        gone = [entry_id for entry_id, values in found if not values]
        if gone:  # dropped at the bound of the log while pending
            sync_client().xack(stream, group, *gone)
        return [
            Entry(entry_id.decode(), values[b"b"], int(values[b"n"]))
            for entry_id, values in found
            if values
        ]

    def ack(self, partition: int, group: str, entries: Sequence[Entry]) -> int:
        """Acknowledge; an entry is removed with the last group's acknowledgement.

        Returns how many of them had been pending. Acknowledging again changes nothing.
        """
        return self.ack_many(group, {partition: entries})

    def ack_many(self, group: str, taken: Mapping[int, Sequence[Entry]]) -> int:
        """`ack` of entries by partition, in one round trip: with every write fsynced, a reply
        may wait for the disk, and so would each of many."""
        script = _ACK_AND_DELETE if self.on_full == "refuse" else _ACK_AND_TRIM
        calls: list[list[Any]] = []
        for partition, entries in taken.items():
            if entries:
                keys = self.keys(partition)
                call: list[Any] = [_SHA[script], len(keys), *keys, group]
                for entry in entries:
                    call += (entry.id, len(entry.payload))
                calls.append(call)
        if not calls:
            return 0

        def run() -> list[Any]:
            pipeline = sync_client().pipeline(transaction=False)
            for call in calls:
                pipeline.evalsha(*call)
            return pipeline.execute()

        try:
            return sum(run())
        except NoScriptError:
            sync_client().script_load(script)
            return sum(run())

    def depth(self, partition: int) -> Depth:
        entries, held, oldest, dropped = self._run(_MEASURE, partition, [])
        return Depth(entries, held, _milliseconds(oldest), dropped)

    def lag(self, partition: int, group: str) -> Lag:
        """How far behind a group is. A group that does not exist lags by the whole log."""
        if not sync_client().exists(self.keys(partition)[0]):
            return Lag(0, None)
        waiting, oldest = self._run(_MEASURE, partition, [group])
        return Lag(waiting, _milliseconds(oldest))

    def _run(self, script: str, partition: int, arguments: list[Any]) -> Any:
        keys = self.keys(partition)
        try:
            return sync_client().evalsha(_SHA[script], len(keys), *keys, *arguments)
        except NoScriptError:
            return sync_client().eval(script, len(keys), *keys, *arguments)

    async def last_seq(self, partition: int, device_id: int) -> int | None:
        """The sequence number of the device's newest durable reading."""
        found: Any = await async_client().hget(self.keys(partition)[2], str(device_id))
        return None if found is None else int(found)


def _milliseconds(entry_id: bytes) -> int | None:
    return int(entry_id.split(b"-")[0]) if entry_id else None


INGRESS = PartitionedLog(
    "ingress",
    partitions=settings.TELEMETRY_PARTITIONS,
    max_bytes=settings.TELEMETRY_INGRESS_MAX_BYTES,
    on_full="refuse",
)
STORED = PartitionedLog(
    "stored",
    partitions=settings.TELEMETRY_PARTITIONS,
    max_bytes=settings.TELEMETRY_STORED_MAX_BYTES,
    on_full="drop",
)
QUARANTINE = PartitionedLog(
    "quarantine",
    partitions=1,
    max_bytes=settings.TELEMETRY_QUARANTINE_LOG_MAX_BYTES,
    on_full="refuse",
)

Appended = str | RedisError | None
"""Of one append: the entry's id; None at the log's bound; or what Redis answered instead."""


def _command(append: Append) -> list[Any]:
    log = append.log
    keys = log.keys(append.partition)
    arguments = [log.max_bytes, log.on_full, append.payload, append.readings]
    for device_id, seq in append.seqs.items():
        arguments += (device_id, seq)
    return [_SHA[_APPEND], len(keys), *keys, *arguments]


def _outcome(reply: Any) -> Appended:
    return reply.decode() if isinstance(reply, bytes) else reply


def append_many(appends: Sequence[Append]) -> list[Appended]:
    """Append to several partitions in one round trip, each on its own: see `Appended`.

    Raises RedisError where the connection failed: what happened then is not known, and the
    appends are to be repeated (readings have an identity; a repetition is no second row).
    """
    client = sync_client()

    def run(which: Sequence[Append]) -> list[Any]:
        pipeline = client.pipeline(transaction=False)
        for append in which:
            pipeline.evalsha(*_command(append))
        return pipeline.execute(raise_on_error=False)

    replies = run(appends)
    unknown = _unknown_script(replies)
    if unknown:
        client.script_load(_APPEND)
        for at, reply in zip(unknown, run([appends[at] for at in unknown]), strict=True):
            replies[at] = reply
    return [_outcome(reply) for reply in replies]


async def append_many_async(appends: Sequence[Append]) -> list[Appended]:
    """`append_many` for the event loop."""
    client = async_client()

    async def run(which: Sequence[Append]) -> list[Any]:
        pipeline = client.pipeline(transaction=False)
        for append in which:
            pipeline.evalsha(*_command(append))
        return await pipeline.execute(raise_on_error=False)

    replies = await run(appends)
    unknown = _unknown_script(replies)
    if unknown:
        await client.script_load(_APPEND)
        again = await run([appends[at] for at in unknown])
        for at, reply in zip(unknown, again, strict=True):
            replies[at] = reply
    return [_outcome(reply) for reply in replies]


def _unknown_script(replies: Sequence[Any]) -> list[int]:
    """Which appends were not carried out because Redis was restarted and lost its scripts."""
    return [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
