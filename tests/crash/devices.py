"""Devices that never give up: each sends numbered readings until every one is acknowledged."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import websockets


@dataclass
class Device:
    """Remembers what it sent and what was acknowledged; resends the rest after a break."""

    url: str
    secret: str
    start: datetime
    sent: int = 0
    acknowledged: int = 0
    refused: list[dict[str, object]] = field(default_factory=list)
    reconnections: int = 0

    def reading(self, seq: int) -> dict[str, object]:
        return {
            "seq": seq,
            "time": (self.start + timedelta(milliseconds=100 * seq)).isoformat(),
            "lat": 33.9 + seq * 1e-5,
            "lon": -6.8,
            "speed_kmh": seq % 100,
            "battery_temp_c": 20 + (seq % 37) / 10,
            "energy_dc_kwh": 0.001 * (seq % 9),
            "attributes": {"n": seq},
        }

    async def run(self, stop: asyncio.Event, *, per_second: float, batch: int) -> None:
        """Send until `stop`, then until everything sent is acknowledged."""
        while not (stop.is_set() and self.acknowledged == self.sent):
            try:
                async with websockets.connect(
                    self.url,
                    subprotocols=[websockets.Subprotocol("telemetry.v1.json")],
                    additional_headers={"Authorization": f"Bearer {self.secret}"},
                    open_timeout=5,
                    close_timeout=1,
                ) as socket:
                    await self.converse(socket, stop, per_second=per_second, batch=batch)
            except (OSError, websockets.WebSocketException, TimeoutError):
                self.reconnections += 1
                await asyncio.sleep(0.3)

    async def converse(
        self,
        socket: websockets.ClientConnection,
        stop: asyncio.Event,
        *,
        per_second: float,
        batch: int,
    ) -> None:
        ready = json.loads(await asyncio.wait_for(socket.recv(), 5))
        assert ready["type"] == "ready", ready
        # What the server holds durably need not be sent again.
        self.acknowledged = max(self.acknowledged, min(ready["last_seq"] or 0, self.sent))
        position = self.acknowledged
        listener = asyncio.create_task(self.listen(socket))
        quiet_since = asyncio.get_running_loop().time()
        try:
            while not listener.done():
                if not stop.is_set() and position == self.sent:
                    self.sent += batch
                if position < self.sent:
                    upto = min(self.sent, position + 100)
                    frame = [self.reading(seq) for seq in range(position + 1, upto + 1)]
                    await socket.send(json.dumps(frame))
                    position = upto
                    quiet_since = asyncio.get_running_loop().time()
                if stop.is_set() and self.acknowledged == self.sent:
                    return
                if asyncio.get_running_loop().time() - quiet_since > 15 and stop.is_set():
                    return  # nothing more to send and no acknowledgement: reconnect, resend
                await asyncio.sleep(batch / per_second)
        finally:
            listener.cancel()

    async def listen(self, socket: websockets.ClientConnection) -> None:
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "ack":
                self.acknowledged = max(self.acknowledged, message["seq"])
            elif message["type"] == "reject":
                self.refused.append(message)


def now() -> datetime:
    return datetime.now(UTC)
