"""Daphne's streamed answers at the pace of their readers.

ASGI's `send` may wait until the client has taken what was sent before. Daphne's does not: an
answer that is streamed to a client that does not read grows in memory without end. Here
`send` waits once more than Twisted's write buffer (64 KiB) is untaken.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Final

import daphne.cli
import daphne.server
from daphne.http_protocol import HTTPFactory, WebRequest

UNSENT: Final = 16 * 1024
"""Bytes that the kernel holds unsent, so that what waits, waits where it can be merged."""


class Gate:
    """What Twisted calls a push producer: told when the client does not keep up, and when it
    does again."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()

    def pauseProducing(self) -> None:  # noqa: N802
        self._open.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        self._open.set()

    def stopProducing(self) -> None:  # noqa: N802
        """The connection is lost: nobody need wait any more."""
        self._open.set()

    @property
    def is_open(self) -> bool:
        return self._open.is_set()

    async def passed(self) -> None:
        await self._open.wait()


class PacedRequest(WebRequest):  # type: ignore[misc]
    """A request whose answer, if it is streamed, can be waited for."""

    gate: Gate | None = None

    def handle_reply(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body" and self.channel is not None:
            if message.get("more_body", False):
                self._watch()
            elif self.gate is not None and not self.gate.is_open:
                # The application has given up on a client that does not read.
                self.transport.abortConnection()
                return
        super().handle_reply(message)

    def finish(self) -> None:
        if self.gate is not None:
            self.unregisterProducer()
        super().finish()

    async def taken(self) -> None:
        """Until the client has taken most of what was sent."""
        if self.gate is not None:
            await self.gate.passed()

    def _watch(self) -> None:
        if self.gate is not None:
            return
        self.gate = Gate()
        self.registerProducer(self.gate, True)
        handle = getattr(self.transport, "getHandle", lambda: None)()
        if isinstance(handle, socket.socket) and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)


class PacedFactory(HTTPFactory):  # type: ignore[misc]
    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = PacedRequest
        return protocol


class PacedServer(daphne.server.Server):  # type: ignore[misc]
    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        await super().handle_reply(protocol, message)
        if isinstance(protocol, PacedRequest) and message.get("more_body", False):
            await protocol.taken()


def pace_daphne() -> None:
    """Have Daphne wait for its readers. Harmless under any other server."""
    daphne.server.HTTPFactory = PacedFactory
    daphne.cli.CommandLineInterface.server_class = PacedServer
