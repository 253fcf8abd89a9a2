"""A device of the tests: a client of the socket's consumer, without a server between."""

import asyncio
import json
import time

import msgpack
from channels.testing import WebsocketCommunicator

from telemetry.consumers.device import DeviceConsumer

APP = DeviceConsumer.as_asgi()


class Socket(WebsocketCommunicator):
    def __init__(self, secret=None, *, subprotocols=("telemetry.v1.json",), headers=()):
        authorization = [(b"authorization", f"Bearer {secret}".encode())] if secret else []
        super().__init__(
            APP, "/device", headers=[*authorization, *headers], subprotocols=list(subprotocols)
        )
        self.scope["extensions"] = {"websocket.http.response": {}}
        self.packed = "telemetry.v1.msgpack" in subprotocols

    async def open(self):
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output(3)
        assert answer["type"] == "websocket.accept", answer
        self.subprotocol = answer["subprotocol"]
        ready = await self.hear()
        assert ready.pop("type") == "ready"
        return ready

    async def refused(self):
        await self.send_input({"type": "websocket.connect"})
        start = await self.receive_output(3)
        assert start["type"] == "websocket.http.response.start"
        body = await self.receive_output(3)
        return start["status"], json.loads(body["body"])["code"]

    async def say(self, value):
        if self.packed:
            await self.send_input({"type": "websocket.receive", "bytes": msgpack.packb(value)})
        else:
            await self.send_input({"type": "websocket.receive", "text": json.dumps(value)})

    async def hear(self, timeout=3):
        event = await self.receive_output(timeout)
        if event["type"] == "websocket.close":
            return event
        return msgpack.unpackb(event["bytes"]) if self.packed else json.loads(event["text"])

    async def acknowledged(self, seq):
        """Everything up to and with the acknowledgement of `seq`."""
        heard = []
        while not heard or heard[-1] != {"type": "ack", "seq": seq}:
            heard.append(await self.hear())
        return heard

    async def leave(self):
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await asyncio.sleep(0)


def reading(seq, **values):
    return {"seq": seq, "time": int(time.time() * 1000), **(values or {"soc_pct": 50.5})}


async def closed(socket, timeout=3):
    while True:
        event = await socket.receive_output(timeout)
        if event["type"] == "websocket.close":
            return event["code"]
