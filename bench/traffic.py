"""Vehicles that drive, idle, charge and park, each heard every five seconds.

    python -m bench.traffic --credentials FILE --port P --vehicles 10000 --seconds 60

Spread evenly over time, as thousands of devices are, through the HTTP door. Prints one JSON
line with what was accepted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.crowded import CITIES
from bench.load_http import read_answer

EVERY_S = 5.0
TICK_S = 0.1
CONNECTIONS = 4
METRES_PER_DEGREE = 111_320


@dataclass
class Van:
    """What one vehicle does; two in three are on the road."""

    number: int
    lat: float
    lon: float
    heading: float = field(default_factory=lambda: random.uniform(0, 360))
    soc: float = field(default_factory=lambda: random.uniform(12, 98))
    does: str = field(
        default_factory=lambda: random.choices(
            ["drives", "idles", "charges", "parks"], [65, 8, 10, 17]
        )[0]
    )

    def report(self, seconds: float, now_ms: int) -> bytes:
        drives = self.does == "drives"
        speed = random.uniform(18, 88) if drives else 0.0
        if drives:
            self.heading = (self.heading + random.gauss(0, 14)) % 360
            metres = speed / 3.6 * seconds
            turn = math.radians(self.heading)
            self.lat += metres * math.cos(turn) / METRES_PER_DEGREE
            self.lon += metres * math.sin(turn) / METRES_PER_DEGREE / math.cos(math.radians(33))
        self.soc = min(99.0, max(5.0, self.soc + (0.05 if self.does == "charges" else -0.01)))
        return (
            b'{"vehicleId":"X%d","time":%d,"lat":%.6f,"lon":%.6f,"speed_kmh":%.1f,'
            b'"heading_deg":%.1f,"soc_pct":%.1f,"battery_temp_c":%.1f,"battery_voltage_v":391.2,'
            b'"battery_current_a":-18.2,"ignition":%s,"charging":%s}\n'
        ) % (
            self.number,
            now_ms,
            self.lat,
            self.lon,
            speed,
            self.heading,
            self.soc,
            28 + self.number % 9,
            b"true" if self.does in ("drives", "idles") else b"false",
            b"true" if self.does == "charges" else b"false",
        )


def vans(count: int) -> list[Van]:
    places = list(CITIES.values())
    return [
        Van(
            n,
            places[n % len(places)][0] + random.gauss(0, 0.08),
            places[n % len(places)][1] + random.gauss(0, 0.08),
        )
        for n in range(count)
    ]


async def drive(port: int, token: str, fleet: list[Van], seconds: float) -> dict[str, Any]:
    """A fiftieth of the fleet every tenth of a second."""
    waiting: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=CONNECTIONS)
    accepted = 0

    async def post() -> None:
        nonlocal accepted
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
        while (body := await waiting.get()) is not None:
            writer.write(
                f"POST /v1/telemetry/ingest HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                f"Authorization: Bearer {token}\r\nContent-Type: application/x-ndjson\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            status, answer = await read_answer(reader)
            if status != 202:
                raise RuntimeError(f"answered {status}: {answer[:300]!r}")
            accepted += json.loads(answer)["accepted"]
        writer.close()

    posting = [asyncio.create_task(post()) for _ in range(CONNECTIONS)]
    turns = round(EVERY_S / TICK_S)
    start, turn = time.monotonic(), 0
    while (elapsed := time.monotonic() - start) < seconds:
        if turn * TICK_S > elapsed:
            await asyncio.sleep(turn * TICK_S - elapsed)
        now_ms = int(time.time() * 1000)
        await waiting.put(
            b"".join(van.report(EVERY_S, now_ms) for van in fleet[turn % turns :: turns])
        )
        turn += 1
    for _ in posting:
        await waiting.put(None)
    await asyncio.gather(*posting)
    took = time.monotonic() - start
    return {"accepted": accepted, "per_s": round(accepted / took), "seconds": round(took, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--credentials", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--vehicles", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    token = json.loads(options.credentials.read_text())["token"]
    fleet = vans(options.vehicles)
    print(json.dumps(asyncio.run(drive(options.port, token, fleet, options.seconds))))


if __name__ == "__main__":
    main()
