"""The web process under Daphne: what strangers send to its sockets before a consumer sees it."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import websockets
from django.conf import settings as django_settings

from scripts.processes import free_port
from tests import databases, people

pytestmark = pytest.mark.usefixtures("committed", "empty_logs")

ROOT = Path(__file__).resolve().parents[2]


def wait_for(port, process):
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)


@pytest.fixture
def server(committed, tmp_path):
    """The port, and the process; nothing it was sent may have left a traceback."""
    port = free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": databases.url(),
        "REDIS_URL": django_settings.REDIS_URL,
        "ALLOWED_HOSTS": "127.0.0.1",
        "HTTPS_ONLY": "false",
        "STATICFILES_BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage",
    }
    errors = tmp_path / "errors"
    with errors.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "daphne", "-p", str(port), "config.asgi:application"],
            cwd=ROOT,
            env=environment,
            stderr=sink,
            stdout=sink,
        )
    try:
        wait_for(port, process)
        yield port, process
    finally:
        process.terminate()
        process.wait(15)
    assert "Traceback" not in errors.read_text(), errors.read_text()[-4000:]


@pytest.fixture
def token(committed):
    return people.a_token(people.an_organisation())


def dashboard(port, token, path="telemetry", **options):
    return websockets.connect(
        f"ws://127.0.0.1:{port}/{path}",
        additional_headers={"Authorization": f"Bearer {token}"},
        **options,
    )


async def code_after(client, *messages):
    with pytest.raises(websockets.ConnectionClosed):
        for message in messages:
            await client.send(message)
        while True:
            await asyncio.wait_for(client.recv(), 20)
    return client.close_code


async def test_it_closes_what_is_too_large_while_it_arrives(server, token):
    port, process = server
    async with dashboard(port, token) as neighbour:
        before = psutil.Process(process.pid).memory_info().rss
        for _ in range(3):
            async with dashboard(port, token, compression=None) as client:
                assert await code_after(client, " " * 10 * 2**20) == 1009
        async with dashboard(port, token, compression=None) as client:
            pieces = (" " * 2**20 for _ in range(10))
            assert await code_after(client, pieces) == 1009
        assert psutil.Process(process.pid).memory_info().rss - before < 40 * 2**20
        assert json.loads(await asyncio.wait_for(neighbour.recv(), 20))["type"] == "heartbeat"


async def test_it_answers_what_is_no_request_and_keeps_the_others(server, token):
    port, _ = server
    async with dashboard(port, token) as neighbour:
        for message, code in (
            ("[" * 30_000, 4400),
            ('{"a":' * 5_000 + "1" + "}" * 5_000, 4400),
            (b"\xff" * 100, 4400),
            (" " * 2**20, 4413),
        ):
            async with dashboard(port, token) as client:
                assert await code_after(client, message) == code
        async with dashboard(port, token) as client:
            assert await code_after(client, InvalidText("x")) == 1007
        assert json.loads(await asyncio.wait_for(neighbour.recv(), 20))["type"] == "heartbeat"


class InvalidText(str):
    """Text that the client's library encodes as bytes that are no text."""

    def encode(self, *_):
        return b"\xff\xfe"


async def test_it_refuses_sockets_that_go_nowhere(server, token):
    port, _ = server
    for path in ("nowhere", "telemetry/more", "device/x", "%ff"):
        with pytest.raises(websockets.InvalidStatus) as refused:
            await dashboard(port, token, path)
        assert refused.value.response.status_code in (403, 404)
