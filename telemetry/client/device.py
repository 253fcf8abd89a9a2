"""A device's side of the device protocol, version 1 (`docs/device-protocol.md`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import msgspec
from picows import WSFrame, WSHandshakeError, WSListener, WSMsgType, WSTransport, ws_connect

from telemetry.client.outbox import Message, Outbox
from telemetry.client.terms import (
    FINAL_HANDSHAKE_STATUSES,
    FRAME_TOO_LARGE,
    PENALTY_S,
    PROTOCOL_ERROR,
    RATE_LIMITED,
    REVOKED,
    SOCKET_LOG,
    SUPERSEDED,
    WRITE_BUFFER_LIMIT,
    Backoff,
    DeviceStopped,
    OnCommand,
    OnReject,
    Stopped,
    Tally,
    Wire,
)


class DeviceClient:
    """One device's connection, kept open until `close()` or a final refusal.

    `handshakes` bounds how many of the clients that share it connect at once: more than the
    server can answer in time would all be in vain.

    `on_reject(seq, code, field, detail)` is called for each refusal; `on_command(message)`
    returns `(status, detail)`, and without it every command is answered `refused`.

    A reading without `seq` is numbered after the server's `last_seq`. A device that numbers
    its readings itself and starts anew passes `resume=False`: `last_seq` is then believed
    only once this client has been acknowledged something.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        wire: Wire = Wire.JSON,
        capacity: int = 100_000,
        batch: int = 500,
        resume: bool = True,
        backoff: Backoff | None = None,
        handshakes: asyncio.Semaphore | None = None,
        on_reject: OnReject | None = None,
        on_command: OnCommand | None = None,
    ) -> None:
        self.tally = Tally()
        self.stopped: Stopped | None = None
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}", "Sec-WebSocket-Protocol": wire.value}
        codec: Any = msgspec.json if wire is Wire.JSON else msgspec.msgpack
        # A Decimal is a number on the wire, not a text.
        self._encode: Callable[[Any], bytes] = codec.Encoder(decimal_format="number").encode
        self._decode: Callable[[bytes], Any] = codec.Decoder().decode
        self._frame_type = WSMsgType.TEXT if wire is Wire.JSON else WSMsgType.BINARY
        self._outbox = Outbox(capacity)
        self._batch = batch
        self._resume = resume
        self._backoff = backoff or Backoff()
        self._handshakes = handshakes or asyncio.Semaphore()
        self._on_reject = on_reject
        self._on_command = on_command

        self._task: asyncio.Task[None] | None = None
        self._transport: WSTransport | None = None
        self._window = 0
        self._max_batch = batch
        self._slowed_until = 0.0
        self._pump_due = False
        self._attempt = 0
        self._penalty = 0.0
        self._close_code: int | None = None
        self._reachable = asyncio.Event()
        self._reachable.set()
        self._waiters: list[asyncio.Future[None]] = []

    # --- for the owner ----------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.close()

    def start(self) -> None:
        """Begin to connect; needs a running event loop."""
        self._task = asyncio.create_task(self._keep_connected())

    @property
    def ready(self) -> bool:
        """Connected, and the server has said `ready`."""
        return self._transport is not None and self._window > 0

    @property
    def held(self) -> int:
        """Readings offered and not yet answered for."""
        return len(self._outbox)

    @property
    def given_up(self) -> int:
        """Readings lost because more were held than `capacity`."""
        return self._outbox.given_up

    def offer(self, reading: Message) -> None:
        """Take a reading (field names as in the protocol) for delivery; never blocks."""
        self._outbox.add(reading)
        if not self._pump_due:
            # After the caller's turn, so that what is offered together travels together.
            self._pump_due = True
            asyncio.get_running_loop().call_soon(self._pump)

    def send_raw(self, frame: bytes) -> bool:
        """Put bytes on the wire as they are; False where there is no connection."""
        if self._transport is None or not self.ready:
            return False
        self._transport.send(self._frame_type, frame)
        return True

    async def drained(self, down_to: int = 0) -> None:
        """Wait until at most `down_to` readings are held.

        Raises DeviceStopped where that can never be.
        """
        while len(self._outbox) > down_to:
            if self.stopped is not None:
                raise DeviceStopped(self.stopped, len(self._outbox))
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def go_dark(self) -> None:
        """Lose the network: disconnect and stay away until `come_back()`."""
        self._reachable.clear()
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def come_back(self) -> None:
        """The network is there again."""
        self._reachable.set()

    async def close(self) -> None:
        """Stop for good. What is still held stays undelivered: see `drained()`."""
        if self.stopped is None:
            self.stopped = Stopped.CLOSED
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._transport is not None:
            self._transport.send_close()
            self._transport.disconnect()
        self._wake_waiters()

    # --- connection -------------------------------------------------------------------

    async def _keep_connected(self) -> None:
        while self.stopped is None:
            await self._reachable.wait()
            transport = await self._connect()
            if transport is not None:
                await transport.wait_disconnected()
                self._after_disconnect()
            if self.stopped is None and self._reachable.is_set():
                await asyncio.sleep(self._penalty + self._backoff.delay(self._attempt))
                self._attempt += 1
        self._wake_waiters()

    async def _connect(self) -> WSTransport | None:
        async with self._handshakes:
            return await self._shake_hands()

    async def _shake_hands(self) -> WSTransport | None:
        try:
            transport, _ = await ws_connect(
                lambda: _Listener(self),
                self._url,
                extra_headers=self._headers,
                max_redirects=0,
                logger_name=SOCKET_LOG,
                websocket_handshake_timeout=15,
                enable_auto_ping=True,
                auto_ping_idle_timeout=45,
                auto_ping_reply_timeout=30,
                read_buffer_init_size=2048,
            )
        except WSHandshakeError as error:
            if error.response is not None and error.response.status in FINAL_HANDSHAKE_STATUSES:
                self.stopped = Stopped.REFUSED
            return None
        except (OSError, TimeoutError):
            return None
        self.tally.connections += 1
        return transport

    def _after_disconnect(self) -> None:
        self._transport = None
        self._window = 0
        self._outbox.connection_lost()
        self._slowed_until = 0.0
        code, self._close_code = self._close_code, None
        self._penalty = PENALTY_S if code in (RATE_LIMITED, PROTOCOL_ERROR) else 0.0
        if code == REVOKED:
            self.stopped = Stopped.REVOKED
        elif code == SUPERSEDED:
            self.stopped = Stopped.SUPERSEDED
        elif code == FRAME_TOO_LARGE:
            self._shrink_or_refuse()

    def _shrink_or_refuse(self) -> None:
        """A frame was too large: smaller ones next; one reading alone is hopeless."""
        if self._batch > 1:
            self._batch //= 2
        elif self._outbox:
            hopeless = self._outbox.drop_first()
            self._refused(hopeless.get("seq"), "too_large", "", "larger than a frame may be")
            self.tally.acknowledged += 1

    # --- the conversation -------------------------------------------------------------

    def _pump(self) -> None:
        """Send what the window, the server's pace and the socket allow."""
        self._pump_due = False
        transport = self._transport
        if transport is None or self._slowed_until > asyncio.get_running_loop().time():
            return
        while self._outbox.unsent and self._outbox.in_flight < self._window:
            if transport.underlying_transport.get_write_buffer_size() > WRITE_BUFFER_LIMIT:
                return
            room = self._window - self._outbox.in_flight
            readings = self._outbox.take(min(self._batch, self._max_batch, room))
            body: Any = readings[0] if len(readings) == 1 else readings
            transport.send(self._frame_type, self._encode(body))

    def _received(self, payload: bytes) -> None:
        message = self._decode(payload)
        match message.get("type"):
            case "ready":
                self._on_ready(message)
            case "ack":
                self._acknowledged_up_to(message["seq"])
            case "reject":
                self._refused(
                    message.get("seq"),
                    message["code"],
                    message.get("field") or "",
                    message.get("detail") or "",
                )
            case "slow":
                self._slow_down(message["retry_after_ms"] / 1000)
            case "command":
                self._answer_command(message)
        # Whatever else a later server says is not for this version.

    def _on_ready(self, message: Message) -> None:
        self._window = message["window"]
        self._max_batch = message["max_batch"]
        last_seq = message["last_seq"]
        if last_seq is not None:
            self._outbox.next_seq = max(self._outbox.next_seq, last_seq + 1)
            if self._resume or self.tally.acknowledged:
                self._acknowledged_up_to(last_seq)
        self._pump()

    def _acknowledged_up_to(self, seq: int) -> None:
        self.tally.acknowledged += self._outbox.answered_up_to(seq)
        self._attempt = 0
        self._pump()
        self._wake_waiters()

    def _refused(self, seq: int | None, code: str, where: str, detail: str) -> None:
        self.tally.rejected[code] = self.tally.rejected.get(code, 0) + 1
        if self._on_reject is not None:
            self._on_reject(seq, code, where, detail)

    def _slow_down(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._slowed_until = loop.time() + seconds
        loop.call_later(seconds + 0.001, self._pump)

    def _answer_command(self, message: Message) -> None:
        status, detail = "refused", "this device takes no commands"
        if self._on_command is not None:
            status, detail = self._on_command(message)
        answer = {"type": "command_result", "id": message["id"], "status": status}
        self.send_raw(self._encode({**answer, "detail": detail}))

    def _wake_waiters(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class _Listener(WSListener):
    """Hands picows' callbacks to the client."""

    def __init__(self, client: DeviceClient) -> None:
        self._client = client

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._client._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY):
            self._client._received(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.CLOSE:
            payload = frame.get_payload_as_bytes()
            if len(payload) >= 2:
                self._client._close_code = int.from_bytes(payload[:2], "big")
            transport.send_close()
            transport.disconnect()

    def resume_writing(self) -> None:
        self._client._pump()
