"""A dashboard that measures how old a reading is when it arrives on the live socket."""

from __future__ import annotations

import asyncio
import json
import time
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
            if "message" in message:
                await socket.send(json.dumps({"type": "ack", "message": message["message"]}))
            if message["type"] == "telemetry.update" and arrived > begin + warm_up:
                ages += [arrived - patch["time_us"] / 1e6 for patch in message["vehicles"]]
    return ages
