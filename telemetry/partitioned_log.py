"""One log: a partitioned, bounded, fsynced append-only log on Redis Streams.

A partition is a Redis Stream and its companions in one hash slot; each operation on it is one
script, so that a log, its byte count and the sequence numbers beside it never disagree.
Durability is Redis' own: with `appendfsync always` a reply is sent after the fsync.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from django.conf import settings
from redis.exceptions import NoScriptError, RedisError, ResponseError

from telemetry.log_scripts import ACK_AND_DELETE, ACK_AND_TRIM, APPEND, MEASURE, SHA
from telemetry.redis_clients import async_client, sync_client

OWNER: Final = "owner"
"""The one consumer of a group in a partition: whoever owns the partition reads under this
name, and so finds what its predecessor had taken and not acknowledged."""


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
        script = ACK_AND_DELETE if self.on_full == "refuse" else ACK_AND_TRIM
        calls: list[list[Any]] = []
        for partition, entries in taken.items():
            if entries:
                keys = self.keys(partition)
                call: list[Any] = [SHA[script], len(keys), *keys, group]
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
        entries, held, oldest, dropped = self._run(MEASURE, partition, [])
        return Depth(entries, held, _milliseconds(oldest), dropped)

    def lag(self, partition: int, group: str) -> Lag:
        """How far behind a group is. A group that does not exist lags by the whole log."""
        if not sync_client().exists(self.keys(partition)[0]):
            return Lag(0, None)
        waiting, oldest = self._run(MEASURE, partition, [group])
        return Lag(waiting, _milliseconds(oldest))

    def _run(self, script: str, partition: int, arguments: list[Any]) -> Any:
        keys = self.keys(partition)
        try:
            return sync_client().evalsha(SHA[script], len(keys), *keys, *arguments)
        except NoScriptError:
            return sync_client().eval(script, len(keys), *keys, *arguments)

    async def last_seq(self, partition: int, device_id: int) -> int | None:
        """The sequence number of the device's newest durable reading."""
        found: Any = await async_client().hget(self.keys(partition)[2], str(device_id))
        return None if found is None else int(found)


def _milliseconds(entry_id: bytes) -> int | None:
    return int(entry_id.split(b"-")[0]) if entry_id else None


Appended = str | RedisError | None
"""Of one append: the entry's id; None at the log's bound; or what Redis answered instead."""


def _command(append: Append) -> list[Any]:
    log = append.log
    keys = log.keys(append.partition)
    arguments = [log.max_bytes, log.on_full, append.payload, append.readings]
    for device_id, seq in append.seqs.items():
        arguments += (device_id, seq)
    return [SHA[APPEND], len(keys), *keys, *arguments]


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
        client.script_load(APPEND)
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
        await client.script_load(APPEND)
        again = await run([appends[at] for at in unknown])
        for at, reply in zip(unknown, again, strict=True):
            replies[at] = reply
    return [_outcome(reply) for reply in replies]


def _unknown_script(replies: Sequence[Any]) -> list[int]:
    """Which appends were not carried out because Redis was restarted and lost its scripts."""
    return [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
