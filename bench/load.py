"""The load generator: many devices in one process, at a steady rate or flat out.

    python -m bench.load --credentials FILE --port P --per-frame 1 --rate 20000 --seconds 60

Readings have ten fields. A device keeps to the protocol's window. Prints one JSON line:
what was acknowledged, how long that took, and the latency of acknowledgements.
`--per-frame 0` posts newline-delimited JSON in bulk to the HTTP endpoint instead.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import deque
from pathlib import Path
from typing import Any

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench.load_http import post_in_bulk
from bench.measure import summary_ms

TICK_S = 0.01
HOT_FOR_S = 2
BODY = (
    b'{"seq":%d,"time":%d,"lat":33.%06d,"lon":-6.84271,"speed_kmh":%d.4,"heading_deg":271.5,'
    b'"soc_pct":53.4,"battery_temp_c":%d.%d,"battery_voltage_v":391.2,"battery_current_a":-18.25,'
    b'"odometer_km":48210.4,"ignition":true}'
)


class Device(WSListener):
    """One device. `pending` holds (last seq of a frame, when it was sent)."""

    def __init__(self, number: int, hot_every: int = 0) -> None:
        self.number = number
        self.hot_every = hot_every
        self.ready = asyncio.Event()
        self.transport: WSTransport | None = None
        self.window = 0
        self.seq = 0
        self.first = 0
        self.acknowledged = 0
        self.refused = 0
        self.pending: deque[tuple[int, float]] = deque()
        self.latencies: list[float] = []
        self.last_ms = 0
        self.slow_until = 0.0
        self.closed: str | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.closed = self.closed or "closed by the server"
        self.ready.set()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            self.closed = f"{frame.get_close_code()} {frame.get_close_message()!r}"
            return
        message = json.loads(frame.get_payload_as_bytes())
        kind = message["type"]
        if kind == "ack":
            self.on_ack(message["seq"])
        elif kind == "ready":
            self.first = self.seq = self.acknowledged = message["last_seq"] or 0
            self.window = message["window"]
            self.ready.set()
        elif kind == "reject":
            self.refused += 1
        elif kind == "slow":
            self.slow_until = time.monotonic() + message["retry_after_ms"] / 1000

    def on_ack(self, seq: int) -> None:
        now = time.monotonic()
        self.acknowledged = max(self.acknowledged, seq)
        pending = self.pending
        while pending and pending[0][0] <= seq:
            self.latencies.append(now - pending.popleft()[1])

    def may_send(self, readings: int, now: float) -> bool:
        return (
            self.closed is None
            and self.seq + readings - self.acknowledged <= self.window
            and now >= self.slow_until
        )

    def send(self, readings: int, now: float) -> None:
        """One frame; its readings are a millisecond apart and the last is of now."""
        assert self.transport is not None
        last_ms = max(int(time.time() * 1000), self.last_ms + readings)
        self.last_ms = last_ms
        degrees = 31
        if self.hot_every and (last_ms // 1000 + self.number) % self.hot_every < HOT_FOR_S:
            degrees = 95
        parts = []
        for back in range(readings - 1, -1, -1):
            self.seq = seq = self.seq + 1
            parts.append(BODY % (seq, last_ms - back, seq % 1000000, seq % 90, degrees, seq % 10))
        payload = parts[0] if readings == 1 else b"[" + b",".join(parts) + b"]"
        self.pending.append((self.seq, now))
        self.transport.send(WSMsgType.TEXT, payload)


async def connect(port: int, secrets: list[str], hot_every: int) -> list[Device]:
    devices = []
    for number, secret in enumerate(secrets):
        _, device = await ws_connect(
            lambda number=number: Device(number, hot_every),
            f"ws://127.0.0.1:{port}/device",
            extra_headers={
                "Authorization": f"Bearer {secret}",
                "Sec-WebSocket-Protocol": "telemetry.v1.json",
            },
        )
        assert isinstance(device, Device)
        await asyncio.wait_for(device.ready.wait(), 10)
        devices.append(device)
    return devices


async def send_steadily(
    devices: list[Device], *, per_frame: int, rate: int, seconds: float
) -> float:
    """Frames by turns over all devices; what a full window holds back is sent later."""
    start = time.monotonic()
    sent = turn = 0
    count = len(devices)
    while (now := time.monotonic()) - start < seconds:
        due = int((now - start) * rate) if rate else sent + count * per_frame * 4
        skipped = 0
        while sent < due and skipped < count:
            device = devices[turn]
            turn = (turn + 1) % count
            if device.may_send(per_frame, now):
                device.send(per_frame, now)
                sent += per_frame
                skipped = 0
            else:
                skipped += 1
        await asyncio.sleep(TICK_S if rate else 0)
    return start


async def over_sockets(options: argparse.Namespace, secrets: list[str]) -> dict[str, Any]:
    devices = await connect(options.port, secrets[: options.connections], options.hot_every)
    start = await send_steadily(
        devices, per_frame=options.per_frame, rate=options.rate, seconds=options.seconds
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(d.acknowledged < d.seq for d in devices):
        await asyncio.sleep(0.02)
    seconds = time.monotonic() - start
    for device in devices:
        if device.transport is not None:
            device.transport.send_close()
    return {
        "accepted": sum(d.acknowledged - d.first - d.refused for d in devices),
        "unacknowledged": sum(d.seq - d.acknowledged for d in devices),
        "refused": sum(d.refused for d in devices),
        "closed": sorted({d.closed for d in devices if d.closed}),
        "seconds": seconds,
        "ack_ms": summary_ms([latency for d in devices for latency in d.latencies]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--credentials", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--per-frame", type=int, default=1)
    parser.add_argument("--rate", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--hot-every", type=int, default=0)
    options = parser.parse_args()
    credentials = json.loads(options.credentials.read_text())
    if options.per_frame == 0:
        answer = uvloop.run(
            post_in_bulk(
                port=options.port,
                token=credentials["token"],
                vehicles=[entry["reference"] for entry in credentials["devices"]],
                rate=options.rate,
                seconds=options.seconds,
            )
        )
    else:
        secrets = [entry["secret"] for entry in credentials["devices"]]
        answer = uvloop.run(over_sockets(options, secrets))
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
