"""The messages of a device, live: what it sends comes up by itself and says what became of it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from tests.browser.test_things import shell

pytestmark = pytest.mark.browser

A_DEVICE = """
from fleet import services
from fleet.models import Device, Vehicle
from tenants.actors import Actor
from tenants.models import Organisation
tenant = Organisation.objects.get(slug="north")
vehicle = Vehicle.objects.for_tenant(tenant).get(reference="V5")
actor = Actor.command(tenant, "test")
print(services.provision_device(actor=actor, reference="MSG", name="Msg", vehicle=vehicle)[1])
"""


def post(site, secret: str, body: bytes) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{site.platform.port}/v1/telemetry/ingest",
        data=body,
        headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 (loopback)
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def body(**values) -> bytes:
    now = datetime.now(UTC).isoformat()
    return json.dumps({"vehicleId": "V5", "timestamp": now, **values}).encode()


def test_messages_come_up_by_themselves_and_stay_open(site, opens, faults):
    secret = shell(site, A_DEVICE).splitlines()[-1]
    page = opens("/devices/MSG/", wait=False)
    messages = page.locator("#messages")
    expect(messages).to_contain_text("nothing has come yet", timeout=20_000)
    expect(messages).to_contain_text("Kept only while somebody looks")
    # Until the ingest process has learnt that somebody looks.
    for _ in range(20):
        assert post(site, secret, body(soc_pct=82.5)) == 202
        try:
            expect(messages.locator("[data-message]").first).to_be_visible(timeout=3_000)
            break
        except AssertionError:
            continue
    first = messages.locator("[data-message]").first
    expect(first.locator(".tag.is-stored").first).to_be_visible(timeout=20_000)
    first.locator("summary").first.click()
    expect(first.locator("pre").first).to_contain_text('"soc_pct": 82.5')
    expect(first).to_contain_text("State of charge")
    number = first.get_attribute("data-message")

    assert post(site, secret, body(soc_pct=182.5)) == 422
    assert post(site, secret, b"<script>document.title='owned'</script>") == 400
    expect(messages.locator("summary", has_text="Out of range")).to_be_visible(timeout=20_000)
    expect(messages.locator("pre", has_text="owned").first).to_be_attached(timeout=20_000)
    assert page.title() != "owned"
    opened = messages.locator(f'[data-message="{number}"] > details')
    assert opened.evaluate("each => each.open"), "what one reads stays open"
    assert faults(page) == []

    messages.get_by_role("button", name="Hold").click()
    held = messages.locator("[data-message]").count()
    assert post(site, secret, body(soc_pct=7)) == 202
    time.sleep(5)  # Longer than two looks: on hold nothing may move.
    assert messages.locator("[data-message]").count() == held
    messages.get_by_role("button", name="Hold").click()
    expect(messages.locator("pre", has_text='"soc_pct": 7').first).to_be_attached(timeout=20_000)
