"""A recording through a device's socket, row by row in its order."""

from __future__ import annotations

import asyncio
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from telemetry.client import DeviceClient, Wire
from telemetry.replay.mapping import readings
from telemetry.replay.recording import Recording


@dataclass(slots=True)
class Answers:
    """What the server said to each row, rows numbered from 1."""

    times: array[int] = field(default_factory=lambda: array("q"))
    """Of each row, milliseconds since 1970; NO_TIME where its time could not be read."""
    refused: dict[int, str] = field(default_factory=dict)
    """Code by row."""

    def accepted_times(self) -> Iterator[int]:
        return (
            moment
            for number, moment in enumerate(self.times, start=1)
            if number not in self.refused
        )

    def refused_by_code(self) -> Counter[str]:
        return Counter(self.refused.values())


NO_TIME = -(2**63)
HELD_AT_MOST = 5_000
"""Rows read ahead of the server's acknowledgements, per file."""


async def send(
    recording: Recording,
    *,
    url: str,
    token: str,
    shift: timedelta,
    rate: float | None,
    answered: Callable[[int], None],
) -> Answers:
    """Send every row.

    `rate`: rows a second, None: as fast as the server takes them. `answered` is told how
    many rows more were answered for. Raises DeviceStopped, RecordingError.
    """
    answers = Answers()

    def refused(seq: int | None, code: str, _field: str, _detail: str) -> None:
        if seq is not None:
            answers.refused[seq] = code

    # The recording numbers its rows itself, from 1 each time it is replayed.
    client = DeviceClient(
        url,
        token,
        wire=Wire.MSGPACK,
        resume=False,
        on_reject=refused,
    )
    async with client:
        told = 0

        def tell() -> None:
            nonlocal told
            answered(client.tally.acknowledged - told)
            told = client.tally.acknowledged

        with recording.opened() as (header, rows):
            started = asyncio.get_running_loop().time()
            for reading in readings(rows, header, recording.mapping, shift):
                if rate is not None:
                    due = started + (reading["seq"] - 1) / rate
                    await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
                moment = reading.get("time")
                answers.times.append(moment if isinstance(moment, int) else NO_TIME)
                client.offer(reading)
                if client.held >= HELD_AT_MOST:
                    await client.drained(HELD_AT_MOST // 2)
                tell()
        await client.drained()
        tell()
    return answers
