"""The device client against a scripted peer: the moments a healthy server seldom offers."""

import asyncio
import contextlib
from http import HTTPStatus
from typing import Any

import msgspec
import pytest
import websockets

from telemetry.client import Backoff, DeviceClient, DeviceStopped, Stopped, Wire

QUICK = Backoff(first=0.01, ceiling=0.02)
READY = {"type": "ready", "schema": 1, "last_seq": None, "window": 4, "max_batch": 2}


@contextlib.asynccontextmanager
async def peer(*conversations, process_request=None):
    """A server that holds these conversations, one for each connection that is made."""
    left = list(conversations)

    async def converse(socket):
        await left.pop(0)(socket)

    async with websockets.serve(
        converse, "127.0.0.1", 0, subprotocols=list(Wire), process_request=process_request
    ) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/device"


async def say(socket, message):
    await socket.send(msgspec.json.encode(message).decode())


async def hear(socket):
    """The readings of one frame."""
    frame = msgspec.json.decode(await socket.recv())
    return frame if isinstance(frame, list) else [frame]


async def acknowledge_all(socket, ready=READY, heard=None):
    await say(socket, ready)
    with contextlib.suppress(websockets.ConnectionClosed):
        while True:
            readings = await hear(socket)
            if heard is not None:
                heard += readings
            await say(socket, {"type": "ack", "seq": readings[-1]["seq"]})


async def test_it_sends_no_more_than_the_window_before_an_acknowledgement():
    seen = []

    async def stingy(socket):
        await say(socket, READY)
        seen.extend([await hear(socket), await hear(socket)])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await socket.recv()
        await say(socket, {"type": "ack", "seq": 3})
        seen.append(await hear(socket))
        await say(socket, {"type": "ack", "seq": 4})
        await socket.wait_closed()

    async with peer(stingy) as url, DeviceClient(url, "t", backoff=QUICK) as device:
        for number in range(5):
            device.offer({"speed_kmh": number})
        async with asyncio.timeout(5):
            await device.drained()
    assert [len(frame) for frame in seen] == [2, 2, 1]


async def test_it_sends_again_what_was_not_acknowledged_before_a_restart():
    first: list[Any] = []
    second: list[Any] = []

    async def restarts(socket):
        await say(socket, READY)
        first.extend(await hear(socket))
        first.extend(await hear(socket))
        await say(socket, {"type": "ack", "seq": 0})
        await socket.close(1012, "restarting")

    async def takes_the_rest(socket):
        await acknowledge_all(socket, {**READY, "last_seq": 0}, second)

    async with (
        peer(restarts, takes_the_rest) as url,
        DeviceClient(url, "t", backoff=QUICK) as device,
    ):
        for number in range(4):
            device.offer({"speed_kmh": number})
        async with asyncio.timeout(5):
            await device.drained()
    assert [reading["seq"] for reading in first] == [0, 1, 2, 3]
    assert [reading["seq"] for reading in second] == [1, 2, 3]
    assert device.tally.connections == 2


async def test_it_numbers_on_from_what_is_durable():
    heard: list[Any] = []

    async def knows_it(socket):
        await acknowledge_all(socket, {**READY, "last_seq": 41}, heard)

    async with peer(knows_it) as url, DeviceClient(url, "t") as device:
        device.offer({"speed_kmh": 1})
        async with asyncio.timeout(5):
            await device.drained()
    assert [reading["seq"] for reading in heard] == [42]


async def test_it_does_not_believe_an_old_series_when_it_numbers_by_itself():
    heard: list[Any] = []

    async def knows_it(socket):
        await acknowledge_all(socket, {**READY, "last_seq": 41}, heard)

    async with peer(knows_it) as url, DeviceClient(url, "t", resume=False) as device:
        device.offer({"seq": 1, "speed_kmh": 1})
        async with asyncio.timeout(5):
            await device.drained()
    assert [reading["seq"] for reading in heard] == [1]


async def test_it_tells_its_owner_of_a_refusal():
    refusals = []

    async def refuses(socket):
        await say(socket, READY)
        await hear(socket)
        refusal = {"type": "reject", "seq": 0, "code": "out_of_range", "field": "lat"}
        await say(socket, {**refusal, "detail": "91 is not in [-90, 90]"})
        await say(socket, {"type": "ack", "seq": 0})
        await socket.wait_closed()

    async with (
        peer(refuses) as url,
        DeviceClient(url, "t", on_reject=lambda *what: refusals.append(what)) as device,
    ):
        device.offer({"lat": 91})
        async with asyncio.timeout(5):
            await device.drained()
    assert refusals == [(0, "out_of_range", "lat", "91 is not in [-90, 90]")]
    assert device.tally.rejected == {"out_of_range": 1}


async def test_it_pauses_when_it_is_told_to_slow_down():
    gaps = []

    async def slows(socket):
        loop = asyncio.get_running_loop()
        await say(socket, READY)
        await say(socket, {"type": "slow", "retry_after_ms": 300})
        told = loop.time()
        await socket.send(msgspec.json.encode({"type": "news of a later version"}).decode())
        readings = await hear(socket)
        gaps.append(loop.time() - told)
        await say(socket, {"type": "ack", "seq": readings[-1]["seq"]})
        await socket.wait_closed()

    async with peer(slows) as url, DeviceClient(url, "t") as device:
        while not device.ready:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        device.offer({"speed_kmh": 1})
        async with asyncio.timeout(5):
            await device.drained()
    assert gaps[0] >= 0.29


@pytest.mark.parametrize(("code", "reason"), [(4401, Stopped.REVOKED), (4409, Stopped.SUPERSEDED)])
async def test_it_stops_for_good_where_coming_back_would_be_wrong(code, reason):
    async def closes(socket):
        await say(socket, READY)
        await hear(socket)
        await socket.close(code)

    async with peer(closes) as url, DeviceClient(url, "t", backoff=QUICK) as device:
        device.offer({"speed_kmh": 1})
        with pytest.raises(DeviceStopped) as stopped:
            async with asyncio.timeout(5):
                await device.drained()
    assert (stopped.value.reason, stopped.value.undelivered) == (reason, 1)
    assert device.tally.connections == 1


async def test_it_stops_when_its_credential_is_refused_at_the_handshake():
    def refuse(connection, request):
        return connection.respond(HTTPStatus.FORBIDDEN, "no")

    async with peer(process_request=refuse) as url, DeviceClient(url, "t") as device:
        device.offer({"speed_kmh": 1})
        with pytest.raises(DeviceStopped) as stopped:
            async with asyncio.timeout(5):
                await device.drained()
    assert stopped.value.reason is Stopped.REFUSED


async def test_it_shows_its_credential_in_a_header_and_asks_for_its_encoding():
    asked = {}

    def note(connection, request):
        asked.update(request.headers.raw_items())

    async def greet(socket):
        asked["chosen"] = socket.subprotocol
        await socket.send(msgspec.msgpack.encode(READY))
        await socket.wait_closed()

    async with (
        peer(greet, process_request=note) as url,
        DeviceClient(url, "secret", wire=Wire.MSGPACK) as device,
    ):
        async with asyncio.timeout(5):
            while not device.ready:
                await asyncio.sleep(0.01)
    assert asked["Authorization"] == "Bearer secret"
    assert asked["chosen"] == "telemetry.v1.msgpack"


async def test_it_keeps_trying_while_nobody_answers():
    async with peer(acknowledge_all) as url:
        pass
    async with DeviceClient(url, "t", backoff=QUICK) as device:
        device.offer({"speed_kmh": 1})
        await asyncio.sleep(0.2)
        assert device.stopped is None
        assert device.held == 1


async def test_it_cuts_its_frames_in_half_when_one_was_too_large():
    sizes = []

    async def too_large(socket):
        await say(socket, READY)
        sizes.append(len(await hear(socket)))
        await socket.close(4413)

    async def takes_small_ones(socket):
        await say(socket, READY)
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                readings = await hear(socket)
                sizes.append(len(readings))
                await say(socket, {"type": "ack", "seq": readings[-1]["seq"]})

    async with (
        peer(too_large, takes_small_ones) as url,
        DeviceClient(url, "t", batch=2, backoff=QUICK) as device,
    ):
        device.offer({"speed_kmh": 1})
        device.offer({"speed_kmh": 2})
        async with asyncio.timeout(5):
            await device.drained()
    assert sizes == [2, 1, 1]


async def test_it_holds_its_readings_while_it_has_no_network():
    heard: list[Any] = []

    async def first(socket):
        await acknowledge_all(socket, READY, heard)

    async with peer(first, first) as url, DeviceClient(url, "t", backoff=QUICK) as device:
        device.offer({"n": 0})
        async with asyncio.timeout(5):
            await device.drained()
        device.go_dark()
        await asyncio.sleep(0.1)
        device.offer({"n": 1})
        device.offer({"n": 2})
        await asyncio.sleep(0.2)
        assert (device.held, device.ready) == (2, False)
        device.come_back()
        async with asyncio.timeout(5):
            await device.drained()
    assert [reading["n"] for reading in heard] == [0, 1, 2]


async def test_it_answers_a_command_once_asked():
    answers = []

    async def commands(socket):
        await say(socket, READY)
        await say(socket, {"type": "command", "id": "7", "name": "lock", "args": {}})
        answers.append(msgspec.json.decode(await socket.recv()))
        await socket.wait_closed()

    async with (
        peer(commands) as url,
        DeviceClient(url, "t", on_command=lambda m: ("done", m["name"])),
    ):
        async with asyncio.timeout(5):
            while not answers:
                await asyncio.sleep(0.01)
    assert answers == [{"type": "command_result", "id": "7", "status": "done", "detail": "lock"}]
