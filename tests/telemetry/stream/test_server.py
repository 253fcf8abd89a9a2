"""The event stream under the server it runs under: real connections, one of which does not read."""

import asyncio
import re
import time
import urllib.request

import psutil
import pytest

from telemetry.consumers.stream import PATH
from tenants import services
from tests.people import acting
from tests.telemetry.dashboards import aside
from tests.telemetry.readings import SECOND, T0, vehicle_reading
from tests.telemetry.test_web_server import server  # noqa: F401

pytestmark = pytest.mark.usefixtures("committed", "empty_logs")

MANY = 400
DEAF = 5
"""So many do not read: what a server kept for all of them could not be overlooked."""
ENOUGH = 12 * 2**20
"""Bytes that a client who reads has heard."""
LONG = "x" * 200


async def opened(port, secret, query="", **options):
    """A plain connection, and the head of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **options)
    writer.write(
        f"GET {PATH}{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {secret}\r\n\r\n"
        .encode()
    )  # fmt: skip
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
    return reader, writer, head.decode().lower()


async def read_until(reader, mark, timeout=30):
    text = b""
    async with asyncio.timeout(timeout):
        while mark not in text:
            more = await reader.read(65536)
            assert more, text[-500:]
            text += more
    return text


def open_streams(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return float(re.search(r"^outrider_live_streams (\S+)$", text, re.MULTILINE)[1])


async def counted(port, wanted):
    for _ in range(100):
        if await asyncio.to_thread(open_streams, port) == wanted:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"there are not {wanted} streams")


async def test_it_streams_and_counts_and_forgets_who_has_gone(server, yard):  # noqa: F811
    port, _ = server
    vehicle = await aside(yard.add_vehicle)("V1")
    _, secret = await aside(yard.token)()
    reader, writer, head = await opened(port, secret)
    assert head.startswith("http/1.1 200") and "content-type: text/event-stream" in head
    assert "cache-control: no-store" in head and "x-accel-buffering: no" in head
    await read_until(reader, b"event: snapshot")
    await counted(port, 1)
    await aside(yard.say)(vehicle_reading(vehicle.pk, tenant_id=yard.organisation.pk, soc_pct=7.5))
    assert b"event: telemetry.update\n" in await read_until(reader, b'"soc_pct":7.5')
    await read_until(reader, b"\n: heartbeat ")
    writer.close()
    await counted(port, 0)


async def test_it_refuses_with_a_problem_object(server, yard):  # noqa: F811
    port, _ = server
    reader, writer, head = await opened(port, "nonsense")
    assert head.startswith("http/1.1 401") and "content-type: application/problem+json" in head
    await read_until(reader, b'"code":"token_invalid"')
    writer.close()


class Talk:
    """Readings of many vehicles, again and again, until there have been enough."""

    def __init__(self, yard, vehicles):
        self.yard, self.vehicles, self.rounds = yard, vehicles, 0

    async def go_on(self, enough, most=400):
        while not enough() and self.rounds < most:
            self.rounds += 1
            await aside(self.yard.say)(*self._round())

    def _round(self):
        for vehicle in self.vehicles:
            yield vehicle_reading(
                vehicle.pk, tenant_id=self.yard.organisation.pk, at=T0 + self.rounds * SECOND,
                odometer_km=float(self.rounds), driver=LONG,
            )  # fmt: skip

    @property
    def last(self):
        return f'"odometer_km":{self.rounds}.0'.encode()


async def test_it_keeps_little_for_clients_that_do_not_read(server, yard):  # noqa: F811
    """Their neighbour hears everything meanwhile; one of them hears the end once it reads, and one,
    whose token is revoked, is let go although it takes nothing."""
    port, process = server
    vehicles = [await aside(yard.add_vehicle)(f"V{n}") for n in range(MANY)]
    _, secret = await aside(yard.token)()
    token, lost = await aside(yard.token)()
    deaf = [await opened(port, secret, limit=4096) for _ in range(DEAF)]
    _, revoked_writer, _ = await opened(port, lost, limit=4096)
    keen, keen_writer, _ = await opened(port, secret)
    heard = [len(await read_until(keen, b"event: snapshot"))]
    before = psutil.Process(process.pid).memory_info().rss

    async def hear():
        while more := await keen.read(65536):
            heard.append(len(more))

    hearing = asyncio.create_task(hear())
    talk = Talk(yard, vehicles)
    await talk.go_on(lambda: sum(heard) > ENOUGH)
    assert sum(heard) > ENOUGH, "the neighbour was held up"
    grown = psutil.Process(process.pid).memory_info().rss - before
    assert grown < ENOUGH, f"{grown / 2**20:.1f} MiB kept for those who do not read"
    await aside(lambda: services.revoke_token(actor=acting(yard.organisation), token=token))()
    await counted(port, DEAF + 1)
    late = await read_until(deaf[0][0], talk.last)
    assert len(late) < ENOUGH / 2
    hearing.cancel()
    for writer in (*(writer for _, writer, _ in deaf), revoked_writer, keen_writer):
        writer.close()
    await counted(port, 0)


async def test_it_ends_at_once_for_a_revoked_token(server, yard):  # noqa: F811
    port, _ = server
    token, secret = await aside(yard.token)()
    reader, writer, _ = await opened(port, secret)
    await read_until(reader, b"event: snapshot")
    began = time.monotonic()
    await aside(lambda: services.revoke_token(actor=acting(yard.organisation), token=token))()
    rest = await read_until(reader, b"\r\n0\r\n\r\n")
    assert b"event: error\n" in rest and b'"code":"access_ended"' in rest
    assert time.monotonic() - began < 8
    await counted(port, 0)
    writer.close()
