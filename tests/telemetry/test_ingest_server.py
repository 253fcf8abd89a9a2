"""The ingest process itself, started as it is in production, with a client of another make."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import websockets
from django.conf import settings as django_settings
from django.db import connection

from scripts.processes import free_port
from telemetry import streams
from tests import databases, people

pytestmark = pytest.mark.usefixtures("committed", "empty_logs")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server(committed):
    """The port, and the process."""
    port = free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": databases.url(),
        "REDIS_URL": django_settings.REDIS_URL,
        "TELEMETRY_DEVICE_RECONCILE_S": "0.2",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "config.serve_ingest", "--port", str(port)],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.1)
    yield port, process
    process.terminate()
    _, errors = process.communicate(timeout=15)
    assert "Traceback" not in errors, errors


@pytest.fixture
def secret(committed):
    tenant = people.an_organisation()
    return people.a_device(tenant, vehicle=people.a_vehicle(tenant))[1]


def connect(port, secret, subprotocol="telemetry.v1.json", **options):
    return websockets.connect(
        f"ws://127.0.0.1:{port}/device",
        subprotocols=[subprotocol],
        additional_headers={"Authorization": f"Bearer {secret}"},
        **options,
    )


def reading(seq, **values):
    return json.dumps({"seq": seq, "time": int(time.time() * 1000), "soc_pct": 50, **values})


async def hear(device, kind):
    while True:
        message = json.loads(await asyncio.wait_for(device.recv(), 5))
        if message["type"] == kind:
            return message


async def close_code(device):
    with pytest.raises(websockets.ConnectionClosed):
        while True:
            await asyncio.wait_for(device.recv(), 10)
    return device.close_code


def stored_in_the_log():
    return sum(
        int(entry[b"n"])
        for partition in range(streams.INGRESS.partitions)
        for _, entry in streams.sync_client().xrange(streams.INGRESS.keys(partition)[0])
    )


async def test_it_takes_a_compressed_connection_too(server, secret):
    async with connect(server[0], secret, compression="deflate") as device:
        await hear(device, "ready")
        await device.send(reading(1))
        assert (await hear(device, "ack"))["seq"] == 1


@pytest.mark.parametrize("secret_given", ["", "wrong", "ord_000000000000_wrong"])
async def test_it_answers_a_bad_credential_with_401(server, secret_given):
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with connect(server[0], secret_given):
            pass
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body)["code"] == "credential_invalid"


async def test_it_closes_by_the_codes_of_the_protocol(server, secret):
    port = server[0]
    async with connect(port, secret) as device:
        await device.send(b"binary")
        assert await close_code(device) == 4400
    async with connect(port, secret) as device:
        await device.send(" " * (1024 * 1024 + 1))
        assert await close_code(device) == 4413
    async with connect(port, secret, max_size=None) as device:
        await device.send(" " * (10 * 1024 * 1024))
        assert await close_code(device) == 1009
    async with connect(port, secret) as older, connect(port, secret) as newer:
        assert await close_code(older) == 4409
        await newer.send(reading(1))
        assert (await hear(newer, "ack"))["seq"] == 1


def test_it_needs_few_database_connections_for_many_requests(server):
    """Each request has a thread of its own, and with it went a connection that stayed open."""
    port, _ = server
    token = people.a_token(people.an_organisation())
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/telemetry/ingest",
        data=b'{"vehicleId": "none", "soc": 1, "timestamp": "2026-01-01T00:00:00Z"}',
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )

    def post(_):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=60)  # noqa: S310
        return refused.value.code

    def connections():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            )
            return cursor.fetchone()[0]

    before = connections()
    with ThreadPoolExecutor(20) as callers:
        assert set(callers.map(post, range(120))) == {422}
    assert connections() - before <= 12


async def test_it_survives_what_is_no_websocket(server, secret):
    port = server[0]
    for garbage in (
        b"\x00" * 100,
        b"GET /device HTTP/1.1\r\n\r\n",
        b"\xff" * 5000,
        b"GET / HTTP/9\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(garbage)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
    async with connect(port, secret) as device:
        await device.send(reading(1))
        assert (await hear(device, "ack"))["seq"] == 1


def upgrade(secret, *, path=b"/device", also=b""):
    return (
        b"GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Protocol: telemetry.v1.json\r\nAuthorization: Bearer %s\r\n%s\r\n"
        % (path, secret.encode(), also)
    )


def frame(payload, *, opcode=1, final=True):
    """A masked frame (the mask is nought, which a client may choose)."""
    head = bytes([opcode | (0x80 if final else 0)])
    size = len(payload)
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65_536:
        head += bytes([0xFE]) + size.to_bytes(2, "big")
    else:
        head += bytes([0xFF]) + size.to_bytes(8, "big")
    return head + bytes(4) + payload


async def conversation(port, opening, *frames, patient=True):
    """All that the server answers until it closes, or has nothing more to say."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = b""
    with contextlib.suppress(TimeoutError, ConnectionError, asyncio.IncompleteReadError):
        writer.write(opening)
        if patient:
            heard = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        for part in frames:
            writer.write(part)
        await writer.drain()
        while part := await asyncio.wait_for(reader.read(65_536), 1):
            heard += part
    writer.close()
    return heard


@pytest.mark.parametrize(
    "payload",
    [b"\xff", b'{"seq":1,"driver":"\xc3"}', b"\xed\xa0\x80", b"a" * 70_000 + b"\x80"],
    ids=["byte", "cut", "surrogate", "long"],
)
async def test_it_closes_text_that_is_not_utf8_with_1007(server, secret, payload):
    port = server[0]
    heard = await conversation(port, upgrade(secret), frame(payload))
    assert b"101 Switching" in heard
    assert b"\x88" in heard and (1007).to_bytes(2, "big") in heard, heard[-40:]
    broken_up = [frame(payload[:1], final=False), frame(payload[1:], opcode=0)]
    heard = await conversation(port, upgrade(secret), *broken_up)
    assert (1007).to_bytes(2, "big") in heard, heard[-40:]


async def test_it_survives_handshakes_and_frames_that_are_none(server, secret):
    """No traceback may be written about any of it: the fixture looks."""
    port = server[0]
    for path, also in (
        (b"/device\xff", b""),
        (b"/device?x=\xff", b""),
        (b"/de%ffvice", b""),
        (b"/nowhere", b""),
        (b"//[", b""),
        (b"http://[/device", b""),
        (b"/device", b"X-\xff: 1\r\n"),
        (b"/device", b"X: \xff\xfe\r\n"),
        (b"/device", b"Sec-WebSocket-Key: x\r\n"),
        (b"/device", b"Sec-WebSocket-Extensions: ;;;,\r\n"),
        (b"/device", b"Sec-WebSocket-Protocol: \xff\r\n"),
        (b"/device", b"Content-Length: 5\r\n"),
        (b"/device", b"Transfer-Encoding: chunked\r\n"),
        (b"/device", b"X: 1\r\n" * 300),
        (b"/device", b"X: " + b"x" * 9000 + b"\r\n"),
    ):
        opening = upgrade(secret, path=path, also=also)
        await conversation(port, opening, frame(b"{}"), patient=False)
    for frames in (
        [frame(b"", opcode=3)],
        [frame(b"", opcode=0)],
        [frame(b"{", final=False), frame(b"{}")],
        [frame(b"x" * 200, opcode=9)],
        [frame(b"\x03", opcode=8)],
        [frame(b"\x03\xe8\xff", opcode=8)],
        [b"\xc1\x80\0\0\0\0"],
        [b"\x81\x01x"],
        [b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"],
        [frame(b"{}") * 500, b"\xff" * 1000],
        [frame(b"{}") * 50 + frame(b"\xff") + frame(b"{}") * 50],
    ):
        await conversation(port, upgrade(secret), *frames, patient=False)
        assert b"101 Switching" in await conversation(port, upgrade(secret), *frames)
    async with connect(port, secret) as device:
        await device.send(reading(10**9))
        assert (await hear(device, "ack"))["seq"] == 10**9


async def test_it_does_not_collect_the_head_of_a_request_for_ever(server):
    port, _ = server
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nX: ")
    sent = 0
    with pytest.raises(ConnectionError):
        while sent < 64 * 2**20:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent += 65_536
            if reader.at_eof():
                raise ConnectionResetError
    writer.close()
    assert sent < 8 * 2**20


async def test_it_acknowledges_everything_it_took_before_it_ends(server, secret):
    port, process = server
    acknowledged = -1
    sent = 0
    async with connect(port, secret) as device:
        await hear(device, "ready")

        async def send_for_ever():
            nonlocal sent
            while True:
                await device.send(reading(sent, odometer_km=sent))
                sent += 1
                await asyncio.sleep(0.001)

        sending = asyncio.create_task(send_for_ever())
        await asyncio.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        try:
            while True:
                message = json.loads(await asyncio.wait_for(device.recv(), 10))
                acknowledged = max(acknowledged, message.get("seq", -1))
        except websockets.ConnectionClosed:
            pass
        sending.cancel()
        assert device.close_code == 1012
    assert process.wait(10) in (0, -signal.SIGTERM)
    assert stored_in_the_log() == acknowledged + 1
    assert 0 < acknowledged < sent
