"""Bulk HTTP: newline-delimited JSON, a thousand readings a request, a few connections."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from bench.measure import summary_ms

PER_REQUEST = 1000
CONNECTIONS = 4
LINE = (
    b'{"vehicleId":"%s","time":%d,"lat":33.%06d,"lon":-6.84271,"speed_kmh":%d.4,'
    b'"heading_deg":271.5,"soc_pct":53.4,"battery_temp_c":31.%d,"battery_voltage_v":391.2,'
    b'"battery_current_a":-18.25,"odometer_km":48210.4,"ignition":true}\n'
)


class Poster:
    """Shares the numbering of readings between the connections."""

    def __init__(self, port: int, token: str, vehicles: list[str]) -> None:
        self.port, self.token = port, token
        self.vehicles = [vehicle.encode() for vehicle in vehicles]
        self.number = 0
        self.start_ms = int(time.time() * 1000)
        self.accepted = self.pressed = 0
        self.latencies: list[float] = []

    def body(self) -> bytes:
        """The next thousand readings, spread over the vehicles."""
        lines = []
        for _ in range(PER_REQUEST):
            number = self.number = self.number + 1
            round_, at = divmod(number, len(self.vehicles))
            lines.append(
                LINE
                % (
                    self.vehicles[at],
                    self.start_ms + round_,
                    number % 1_000_000,
                    number % 90,
                    number % 10,
                )
            )
        return b"".join(lines)

    async def post(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes
    ) -> None:
        head = (
            f"POST /v1/telemetry/ingest HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {self.token}\r\nContent-Type: application/x-ndjson\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        while True:
            start = time.monotonic()
            writer.write(head.encode() + body)
            status, answer = await read_answer(reader)
            if status == 202:
                self.accepted += json.loads(answer)["accepted"]
                self.latencies.append(time.monotonic() - start)
                return
            if status != 503:
                raise RuntimeError(f"answered {status}: {answer[:500]!r}")
            self.pressed += 1
            await asyncio.sleep(0.2)


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:])
    }
    status = int(head[0].split()[1])
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return status, body
    return status, await reader.readexactly(int(headers.get("content-length", 0)))


async def post_in_bulk(
    *, port: int, token: str, vehicles: list[str], rate: int, seconds: float
) -> dict[str, Any]:
    """Post for `seconds`, at `rate` readings/s (0: as fast as the answers come)."""
    poster = Poster(port, token, vehicles)
    start = time.monotonic()

    async def keep_posting() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
        while (elapsed := time.monotonic() - start) < seconds:
            if rate and poster.number > elapsed * rate:
                await asyncio.sleep(0.01)
                continue
            await poster.post(reader, writer, poster.body())
        writer.close()

    await asyncio.gather(*(keep_posting() for _ in range(CONNECTIONS)))
    return {
        "accepted": poster.accepted,
        "unacknowledged": poster.number - poster.accepted,
        "refused": 0,
        "pressed": poster.pressed,
        "closed": [],
        "seconds": time.monotonic() - start,
        "ack_ms": summary_ms(poster.latencies),
    }
