"""A dashboard that measures how old a reading is when it arrives on the live socket."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime
from typing import Any

import websockets


async def watch(url: str, token: str, seconds: float, warm_up: float) -> list[float]:
    """Ages in seconds, device clock to here, of every value received after `warm_up`.

    Device and dashboard are on one machine, so that their clocks are one.
    """
    ages: list[float] = []
    async with websockets.connect(
        url,
        additional_headers={"Authorization": f"Bearer {token}"},
        max_size=None,
        open_timeout=30,
    ) as socket:
        await socket.send(json.dumps({"type": "subscribe", "fleets": "all"}))
        begin = time.time()
        while (now := time.time()) < begin + seconds:
            try:
                text = await asyncio.wait_for(socket.recv(), begin + seconds - now)
            except TimeoutError:
                break
            arrived = time.time()
            message: dict[str, Any] = json.loads(text)
            if message["type"] in ("telemetry.update", "snapshot"):
                await socket.send(json.dumps({"type": "ack", "seq": message["seq"]}))
            if message["type"] == "telemetry.update" and arrived > begin + warm_up:
                ages += [arrived - seconds_of(patch["time"]) for patch in message["vehicles"]]
    return ages


def seconds_of(moment: str | int) -> float:
    """Unix seconds of RFC 3339 text or of integer microseconds."""
    if isinstance(moment, int):
        return moment / 1e6
    return datetime.fromisoformat(moment).timestamp()
