"""The messages of a device as its page shows them: to whom, what of them, and without harm."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries
from redis.exceptions import RedisError

from telemetry import streams
from telemetry.adapters import telemetry_v1
from telemetry.envelope import Envelope, Speaker
from telemetry.inspection import kept, watches
from telemetry.models import DeviceHealth, VehicleReadingRow
from telemetry.pages import devices
from telemetry.validate import Limits
from tenants.models import Role
from tests.console.conftest import Company
from tests.people import NORTH_AMERICAN_VIN, Browser


def sweep() -> None:
    client = streams.sync_client()
    for key in client.scan_iter(f"{settings.REDIS_PREFIX}:watched-*"):
        client.delete(key)


@pytest.fixture(autouse=True)
def nobody_looks() -> Iterator[None]:
    sweep()
    yield
    sweep()


def came(company: Company, *frames: Any, received_us: int = 0) -> list[kept.KeptFrame]:
    """The device said these frames, while somebody looked."""
    device = company.device
    assert device.vehicle_id is not None
    speaker = Speaker(company.tenant.pk, device.pk, "v", device.vehicle_id)
    envelope = Envelope(speaker, telemetry_v1.PROTOCOL)
    reader = telemetry_v1.Reader(envelope, "json", Limits(300_000_000, 3650))
    found = []
    for at, frame in enumerate(frames):
        raw = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
        now_us = (received_us or time.time_ns() // 1000) + at
        records, refused, _, _ = reader.read(raw, now_us)
        found.append(kept.keep(raw, "telemetry.v1.json", now_us, records=records, refused=refused))
    payloads = [kept.encoded(each) for each in found]
    streams.sync_client().lpush(watches._frames(device.pk), *payloads)
    return found


def reading(seq: int, **values: Any) -> dict[str, Any]:
    return {"seq": seq, "time": int(time.time() * 1000) + seq, **values}


def shown(company: Company, role: str = Role.VIEWER) -> str:
    answer = company.browser(role).get(reverse("device-messages", args=["D1"]))
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    return answer.content.decode()


def stored(company: Company, frame: kept.KeptFrame, *, received_us: int) -> None:
    """History has the frame's reading, which came at that time."""
    [record] = kept.readings_of(frame)
    VehicleReadingRow.objects.create(
        vehicle_id=company.vehicle.pk,
        tenant_id=company.tenant.pk,
        device_id=company.device.pk,
        time=datetime.fromtimestamp(0, UTC) + timedelta(microseconds=record.time),
        received_at=datetime.fromtimestamp(0, UTC) + timedelta(microseconds=received_us),
        reading_id=record.reading_id,
        protocol="telemetry.v1",
        soc_pct=50.0,
    )


def watched() -> set[bytes]:
    client: Any = streams.sync_client()
    return set(client.zrange(watches._watches(), 0, -1))


def test_whoever_asks_looks(company: Company) -> None:
    assert "nothing has come yet" in shown(company)
    assert watched() == {f"{company.tenant.pk}:{company.device.pk}".encode()}
    assert 0 < streams.sync_client().ttl(watches._watches()) <= watches.WATCH_S


def test_an_outsider_sees_none_of_it_and_makes_nobody_be_watched(
    company: Company, stranger: Company
) -> None:
    came(company, reading(1, driver="Secret Sam"))
    theirs = stranger.browser().get(reverse("device-messages", args=["D1"]))
    assert theirs.status_code == 200, "their own device has the same id"
    assert "Secret Sam" not in theirs.content.decode()
    assert watched() == {f"{stranger.tenant.pk}:{stranger.device.pk}".encode()}
    company.device.reference = "ONLY-MINE"
    company.device.save()
    address = reverse("device-messages", args=["ONLY-MINE"])
    assert stranger.browser().get(address).status_code == 404
    assert Browser().get(address).status_code == 302
    assert "Secret Sam" in company.browser().get(address).content.decode()


def test_it_tells_what_was_understood_with_units_and_what_was_refused(company: Company) -> None:
    came(company, [reading(1, soc_pct=82.5, speed_kmh=38.9), reading(2, lat=91.2, lon=2)])
    page = shown(company)
    for told in ("State of charge", "82 %", "39 km/h", "Taken in", "Refused", "Out of range",
                 "lat", "seq 2", "telemetry.v1.json"):  # fmt: skip
        assert told in page, told
    assert "&quot;soc_pct&quot;: 82.5" in page
    company.tenant.units = "imperial"
    company.tenant.save()
    assert "24 mph" in shown(company)


def test_it_tells_stored_from_duplicate_and_from_what_waits(company: Company) -> None:
    now = datetime.now(UTC).replace(microsecond=123_456)
    first = reading(1, soc_pct=50.0)
    [mine] = came(company, first, received_us=int(now.timestamp() * 1_000_000))
    assert 'data-fate="waiting:1"' in shown(company)
    stored(company, mine, received_us=mine.received_at)
    assert 'data-fate="stored:1"' in shown(company)
    came(company, first)
    page = shown(company)
    assert page.index('data-fate="duplicate:1"') < page.index('data-fate="stored:1"')
    came(company, [first, first, reading(3, soc_pct=1)])
    assert 'data-fate="duplicate:2 waiting:1"' in shown(company)


def test_it_shows_hostile_bytes_as_text_and_runs_nothing(company: Company) -> None:
    came(
        company,
        b"<script>alert(1)</script>",
        b"\x00\xff\xfe<img src=x onerror=alert(2)>",
        reading(1, attributes={"</pre><script>alert(3)</script>": "<b onclick=alert(4)>"}),
        reading(2, **{"<svg onload=alert(5)>": 1}),
        "\u202egnp.exe".encode(),
        b"[" * 60_000,
    )
    page = shown(company)
    for tag in ("<script>alert", "<img src=x", "<b onclick", "<svg onload", "\u202e"):
        assert tag not in page, tag
    assert "&lt;script&gt;alert(1)" in page
    assert "3c 73 63 72 69 70 74" in page
    assert "The beginning of" in page


def test_it_shows_no_vin_even_where_escapes_hid_it(company: Company) -> None:
    escaped = "".join(f"\\u{ord(each):04x}" for each in NORTH_AMERICAN_VIN)
    came(company, b'{"seq": 1, "time": 1, "driver": "%s"}' % escaped.encode(),
         reading(2, driver=NORTH_AMERICAN_VIN, soc_pct=5))  # fmt: skip
    page = shown(company)
    assert NORTH_AMERICAN_VIN not in page
    assert "*" * 17 in page


def test_it_costs_the_same_however_many_came(
    company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    came(company, *([reading(n, soc_pct=n % 100) for n in range(50)] for _ in range(30)))
    shown(company)
    with django_assert_max_num_queries(6):
        page = shown(company)
    assert page.count("data-message=") == kept.FRAMES
    assert "and 40 more readings" in page
    assert 'First 10 of 50:</span><span class="tag is-waiting">10 · Taken in' in page


def test_it_says_so_where_nothing_can_be_looked_at(
    company: Company, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.TELEMETRY_WATCHED_DEVICES = 0
    assert "Too many devices" in shown(company)

    def away(_device: object) -> None:
        raise RedisError("away")

    monkeypatch.setattr(devices, "look", away)
    assert "cannot be looked at just now" in shown(company)


# --- Provisioning ------------------------------------------------------------------------
def light(company: Company, since: datetime) -> str:
    address = reverse("device-light", args=["D1"])
    answer = company.browser().get(address, {"since": since.isoformat()})
    return answer.content.decode()


def test_the_light_shows_the_first_message_the_same_way(company: Company) -> None:
    since = datetime.now(UTC) - timedelta(seconds=1)
    assert "Waiting for the first" in light(company, since)
    assert watched(), "the light looks"
    came(company, reading(1, lat=91.2, lon=2))
    page = light(company, since)
    assert "was refused" in page and "Out of range" in page and "91.2" in page
    came(company, reading(2, soc_pct=82.5))
    assert "is being stored" in light(company, since)
    DeviceHealth.objects.create(
        device_id=company.device.pk, tenant_id=company.tenant.pk, last_seen=datetime.now(UTC)
    )
    page = light(company, since)
    assert "First reading stored" in page and "82 %" in page and "hx-trigger" not in page
    assert "Waiting for the first" in light(company, datetime.now(UTC) + timedelta(seconds=5))


def test_the_light_does_not_call_a_reading_new_that_was_stored_before(company: Company) -> None:
    since = datetime.now(UTC) - timedelta(seconds=1)
    health = DeviceHealth.objects.create(
        device_id=company.device.pk,
        tenant_id=company.tenant.pk,
        last_seen=datetime.now(UTC),
        duplicates=1,
    )
    page = light(company, since)
    assert "is stored already" in page and "First reading stored" not in page
    assert "hx-trigger" in page, "the next may be new"
    [again] = came(company, reading(1, soc_pct=50.0))
    stored(company, again, received_us=again.received_at - 60_000_000)
    page = light(company, since)
    assert "is stored already" in page and "Duplicate" in page and "data-green" in page
    [new] = came(company, reading(2, soc_pct=51.0))
    stored(company, new, received_us=new.received_at)
    came(company, reading(1, soc_pct=50.0) | {"time": kept.readings_of(again)[0].time // 1000})
    health.accepted = 1
    health.save()
    page = light(company, since)
    assert "First reading stored" in page and "51 %" in page and "hx-trigger" not in page


def test_a_new_credential_is_watched_before_anybody_can_use_it(company: Company) -> None:
    company.browser().post(
        reverse("device-new"),
        {"reference": "D9", "name": "Ninth", "vehicle": "V1", "protocol": "telemetry.v1"},
    )
    assert len(watched()) == 1
