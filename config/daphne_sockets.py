"""Daphne's sockets with a bound on what they collect."""

from __future__ import annotations

from typing import Any

import daphne.server
from daphne.ws_protocol import WebSocketFactory

from config.sockets import MAX_FRAME


class BoundedSockets(WebSocketFactory):  # type: ignore[misc]
    """Daphne's sockets; its own have no bound, and no option for one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.setProtocolOptions(
            maxFramePayloadSize=MAX_FRAME,
            maxMessagePayloadSize=MAX_FRAME,
            # Tell the client why, rather than to drop the connection under it.
            failByDrop=False,
        )


def bound_daphne() -> None:
    """Have Daphne bound its sockets. Harmless under any other server."""
    daphne.server.WebSocketFactory = BoundedSockets
