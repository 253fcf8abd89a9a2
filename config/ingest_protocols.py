"""What uvicorn does with bytes of devices, where it is too trusting or too dear for us.

The server's own classes, with: no traceback for text that is not UTF-8 nor for frames that come
before the handshake is done; a bound on the head of a request; and reading that goes on until
some frames wait, where the server's own stops and resumes for each.
"""

from __future__ import annotations

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

MAX_HEAD: Final = 64 * 1024
"""Bytes of a request line and its headers."""
WAITING_FRAMES: Final = 16
"""So many frames wait for the application before the socket is left unread;"""
LARGE_FRAME: Final = 16 * 1024
"""or one of this size."""
INVALID_TEXT: Final = 1007


class BoundedHttp(HttpToolsProtocol):
    """HTTP with a bound on what stands before the body."""

    _head = 0
    _in_head = True

    def on_message_begin(self) -> None:
        self._head, self._in_head = 0, True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        in_head = self._in_head
        super().data_received(data)
        if in_head and self._in_head:
            self._head += len(data)
            if self._head > MAX_HEAD and not self.transport.is_closing():
                self.logger.warning("The head of a request is too large.")
                self.transport.abort()


class DeviceSockets(WebSocketsSansIOProtocol):
    """WebSockets of devices."""

    def send_receive_event_to_app(self) -> None:
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        if self.curr_msg_data_type == "text":
            try:
                self.queue.put_nowait({"type": "websocket.receive", "text": data.decode()})
            except UnicodeDecodeError:
                if self.handshake_complete:
                    self.conn.send_close(INVALID_TEXT, "text that is not UTF-8")
                self.handle_parser_exception()
                return
        else:
            self.queue.put_nowait({"type": "websocket.receive", "bytes": data})
        if not self.read_paused and (
            len(data) > LARGE_FRAME or self.queue.qsize() >= WAITING_FRAMES
        ):
            self.read_paused = True
            self.transport.pause_reading()

    async def receive(self) -> Any:
        queue = self.queue
        message = await queue.get() if queue.empty() else queue.get_nowait()
        if self.read_paused and queue.empty():
            self.read_paused = False
            self.transport.resume_reading()
        return message

    def handle_parser_exception(self) -> None:
        if self.handshake_complete:
            super().handle_parser_exception()
            return
        # A client that did not wait for our answer has spoilt it: there is no close frame yet.
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1006})
        self.close_sent = True
        self.transport.abort()
