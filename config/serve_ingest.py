"""The ingest process: `python -m config.serve_ingest --port 8001`.

uvicorn (see docs/decisions/ingest-asgi-server.md) with what device sockets need: no pings of
its own (the idle limit finds dead peers, and a device that is not read must not be closed for
its silence), a bound on frames, and an end in order: on SIGTERM what was taken in becomes
durable and is acknowledged before the sockets close with 1012.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import time

import uvicorn

from config.ingest_protocols import BoundedHttp, DeviceSockets
from config.sockets import MAX_FRAME
from telemetry.collector import settle

DRAIN_S = 5.0
CLOSING_S = 1.0
"""How long devices have to answer the closing of their socket."""


class IngestServer(uvicorn.Server):
    """A server that says good-bye to devices before it goes."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # Frames make many containers and no cycles: with Python's own thresholds a tenth of
        # the time (under a backlog a quarter) goes into looking for some.
        settle(young=200_000, all_every=2000)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        from fleet.revocation import RECONNECT
        from telemetry.presence import presence

        for server in self.servers:
            server.close()
        await presence().close_all(RECONNECT, "the server restarts", timeout_s=DRAIN_S)
        # A device still sends: closing under it would take the close frame from it.
        deadline = time.monotonic() + CLOSING_S
        while self.server_state.connections and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ["OUTRIDER_PROCESS"] = "ingest"
    IngestServer(
        uvicorn.Config(
            "config.asgi_ingest:application",
            host=options.host,
            port=options.port,
            loop="uvloop",
            http=BoundedHttp,
            ws=DeviceSockets,
            ws_max_size=MAX_FRAME,
            ws_ping_interval=None,
            lifespan="off",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=int(DRAIN_S),
            log_config=None,
        )
    ).run()


if __name__ == "__main__":
    main()
