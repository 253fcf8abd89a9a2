"""Things, settings and the palette, as people use them in a real browser."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

PAGES = [
    "/vehicles", "/vehicles?q=nothing-like-it", "/vehicles/new", "/vehicles/import",
    "/vehicles/V1/edit", "/vehicles/V1/dark", "/meters", "/meters/M1/", "/meters/M1/mappings",
    "/fleets", "/devices", "/devices/new", "/devices/AXE/", "/devices/AXE/edit", "/quality",
    "/start", "/settings/", "/settings/members", "/settings/tokens", "/settings/audit",
    "/settings/profile",
]  # fmt: skip

INVITE = """
from tenants import invitations
from tenants.actors import Actor
from tenants.models import Organisation
tenant = Organisation.objects.get(slug="north")
actor = Actor.command(tenant, "test")
print(invitations.key_of(invitations.invite(actor=actor, email="guest@example.org", role="viewer")))
"""
A_DEVICE = """
from fleet import services
from fleet.models import Vehicle
from tenants.actors import Actor
from tenants.models import Organisation
tenant = Organisation.objects.get(slug="north")
vehicle = Vehicle.objects.for_tenant(tenant).get(reference="V1")
actor = Actor.command(tenant, "test")
services.provision_device(actor=actor, reference="AXE", name="Axe", vehicle=vehicle)
"""


def shell(site, code: str) -> str:
    done = site.platform.manage("shell", "-v", "0", "-c", code)
    assert done.returncode == 0, done.stderr
    return str(done.stdout.strip())


def new_reference() -> str:
    return secrets.token_hex(4)


def provision(page, reference: str, protocol: str) -> None:
    page.locator("[name=vehicle]").fill("V3")
    page.locator("[name=reference]").fill(reference)
    page.locator("[name=name]").fill(f"Tracker {reference}")
    page.get_by_text(protocol, exact=True).click()
    page.get_by_role("button", name="Issue the credential").click()
    expect(page.locator("#light")).to_contain_text("Waiting for the first reading")


@pytest.mark.parametrize("protocol", ["Telemetry socket", "HTTP"])
def test_it_goes_green_when_the_pasted_snippet_has_run(site, opens, protocol):
    page = opens("/devices/new", wait=False)
    provision(page, new_reference(), protocol)
    page.get_by_role("tab", name="Python").click()
    snippet = page.locator("pre:visible").first.inner_text()
    ran = subprocess.run(
        [sys.executable, "-c", snippet], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    expect(page.locator("#light[data-green]")).to_contain_text("First reading stored")
    expect(page.locator("#light")).to_contain_text("State of charge")
    page.get_by_role("link", name="I have kept it").click()
    expect(page.locator(".tile", has_text="Stored")).to_contain_text("1")


def test_it_shows_why_the_first_reading_was_refused(site, opens):
    page = opens("/devices/new", wait=False)
    provision(page, new_reference(), "HTTP")
    page.get_by_role("tab", name="Python").click()
    snippet = page.locator("pre:visible").first.inner_text().replace("48.8566", "91.2")
    subprocess.run([sys.executable, "-c", snippet], capture_output=True, timeout=60, check=False)
    expect(page.locator("#light")).to_contain_text("Out of range")
    expect(page.locator("#light pre").first).to_contain_text("91.2")
    page.get_by_role("link", name="I have kept it").click()
    page.goto(site.url + "/quality")
    row = page.locator("tr", has=page.locator("summary", has_text="91.2")).first
    row.locator("summary").first.click()
    row.locator("input[name=frame]").check()
    page.get_by_role("button", name="Replay the chosen").click()
    expect(page.locator(".toast")).to_contain_text("0 of 1 frame was accepted")


def test_it_imports_all_rows_or_none(site, opens):
    page = opens("/vehicles/import", wait=False)
    bad = "id,name,fleet\nI1,First,F1\nI2,Second,F9\n"
    page.set_input_files("input[type=file]", {"name": "x.csv", "mimeType": "text/csv",
                                              "buffer": bad.encode()})  # fmt: skip
    page.get_by_role("button", name="Check the file").click()
    expect(page.locator("#preview")).to_contain_text("1 row has errors")
    expect(page.locator("#preview tr", has_text="I2")).to_contain_text("F9")
    expect(page.get_by_role("button", name=re.compile("^Import "))).to_have_count(0)
    page.set_input_files("input[type=file]", {"name": "x.csv", "mimeType": "text/csv",
                                              "buffer": bad.replace("F9", "F1").encode()})  # fmt: skip
    page.get_by_role("button", name="Check the file").click()
    page.get_by_role("button", name="Import 2 rows").click()
    expect(page.locator(".toast")).to_contain_text("2 rows were imported")
    page.get_by_role("searchbox").fill("Second")
    expect(page.locator("#table tbody tr")).to_have_count(1)
    assert "q=Second" in page.url


def test_it_takes_an_archiving_back(site, opens):
    page = opens("/vehicles/V12/edit", wait=False)
    page.get_by_role("button", name="Archive").click()
    expect(page.locator(".toast")).to_contain_text("Van 12 was archived")
    expect(page.locator("#table")).not_to_contain_text("Van 12")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast")).to_contain_text("back in service")
    expect(page.locator("#table")).to_contain_text("Van 12")


def test_it_jumps_anywhere_by_keys_alone(site, opens):
    page = opens("/fleets", wait=False)
    page.keyboard.press("Control+k")
    page.keyboard.type("van 07")
    expect(page.locator("#palette [aria-selected=true]")).to_contain_text("Van 07")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/vehicles/V7/"))
    page.keyboard.press("Control+k")
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()


def test_it_lets_an_invited_viewer_see_and_not_change(site, opens):
    key = shell(site, INVITE)
    page = opens(f"/invitations/{key}", who=None, wait=False)
    page.get_by_label("Your name").fill("Guest")
    page.get_by_label("Password").fill("orchid-lantern-42")
    page.get_by_role("button", name="Create the account").click()
    page.wait_for_url(site.url + "/")
    page.goto(site.url + "/vehicles")
    expect(page.locator("#table")).to_contain_text("Van 03")
    expect(page.get_by_role("link", name="New vehicle")).to_have_count(0)
    expect(page.get_by_role("link", name="Import")).to_have_count(0)
    assert page.request.get(site.url + "/vehicles/new").status == 403
    assert page.request.get(site.url + "/settings/members").status == 403


def test_it_shows_another_organisation_nothing(site, opens):
    page = opens("/vehicles", who="south", wait=False)
    expect(page.locator("#table")).to_contain_text("No vehicles yet")
    found = page.request.get(site.url + "/palette?q=van+0").text()
    assert json.loads(found) == {"found": []}
    assert page.request.get(site.url + "/vehicles/V1/dark").status == 404


@pytest.mark.parametrize(("width", "height", "scheme"), [(1440, 900, "light"), (390, 844, "dark")])
def test_it_bars_nobody_from_its_pages(site, opens, faults, width, height, scheme):
    if "AXE" not in shell(site, "from fleet.models import Device;"
                          "print(list(Device.unscoped.values_list('reference', flat=True)))"):  # fmt: skip
        shell(site, A_DEVICE)
    page = opens(
        "/start", wait=False, viewport={"width": width, "height": height}, color_scheme=scheme
    )
    found = {}
    for path in PAGES:
        page.goto(site.url + path)
        page.wait_for_load_state()
        found[path] = faults(page)
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, (path, wider)
    assert {path: each for path, each in found.items() if each} == {}
