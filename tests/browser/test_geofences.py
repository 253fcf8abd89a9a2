"""A geofence from the first click on the map to the alert acknowledged on a phone."""

from __future__ import annotations

import json
import re
import sys
import time
import uuid

import pytest
from playwright.sync_api import Page, expect

from scripts.processes import wait_until

pytestmark = pytest.mark.browser

A_FENCE = """
from alerts import geofences
from tenants.actors import Actor
from tenants.models import Organisation
actor = Actor.command(Organisation.objects.get(slug="north"), "test")
shape = {"type": "corridor", "line": [[-6.9, 33.9], [-6.8, 34.0]], "width_m": 300}
fence = geofences.create(actor=actor, name="Axe", shape=shape, reference="axe")
geofences.watch(actor=actor, geofence=fence, event="dwell", minutes=5, severity="low")
"""

SLOW = 30_000
"""Milliseconds that a loaded machine may take."""


@pytest.fixture(scope="module")
def evaluates(site):
    """The Celery processes of production: evaluator, worker and beat."""
    celery = [sys.executable, "-m", "celery", "-A", "config.celery:app"]
    options = ["--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
    site.platform.start(*celery, "worker", "-Q", "evaluation,celery", "-c", "2", *options)
    site.platform.start(*celery, "beat", "--loglevel", "WARNING", "--pidfile=")


def editor(page: Page) -> None:
    """The map has drawn and listens."""
    expect(page.locator("#map[data-ready=yes]")).to_be_attached(timeout=SLOW)


def spot(page: Page, x: float, y: float) -> tuple[float, float]:
    """Of the map's width and height, as a point of the screen."""
    box = page.locator("#map").bounding_box()
    assert box is not None
    return box["x"] + box["width"] * x, box["y"] + box["height"] * y


def click(page: Page, x: float, y: float) -> None:
    """As a hand does it: there, a little more there, down, up."""
    at = spot(page, x, y)
    page.mouse.move(*at, steps=4)
    page.mouse.down()
    page.mouse.up()


def draws(page: Page, kind: str, gesture) -> None:
    """Repeat a gesture until the map has taken it: it may have been busy."""
    for _ in range(4):
        page.get_by_role("button", name=kind, exact=True).click()
        gesture()
        shape = {"Circle": "circle", "Area": "polygon", "Corridor": "corridor"}[kind]
        try:
            expect(page.locator(f"#map[data-shape={shape}]")).to_be_attached(timeout=5000)
        except AssertionError:
            continue
        return
    raise AssertionError(f"the map took no {kind}")


def test_it_draws_with_the_mouse_and_alerts_who_watches(site, opens, evaluates):
    name = f"Harbour {uuid.uuid4().hex[:4]}"  # Another one where the test is tried again.
    site.say({"vehicle_id": "V5", "lat": 33.90, "lon": -6.84, "speed_kmh": 30.0})
    wait_until(lambda: bool(site.platform.sql(
        "SELECT 1 FROM telemetry_vehicle_latest WHERE lat = 33.90")), seconds=30)  # fmt: skip
    page = opens("/geofences/new", wait=False)
    editor(page)

    def circle() -> None:
        click(page, 0.5, 0.5)
        click(page, 0.62, 0.5)

    draws(page, "Circle", circle)
    centre = page.get_by_label("Centre", exact=False)
    expect(centre).to_have_value(re.compile(r"^\d+\.\d+, -?\d+\.\d+$"))
    # The map shows all vehicles, wherever earlier tests have sent them.
    lat, lon = map(float, centre.input_value().split(","))
    south, north, west, east = site.platform.sql(
        "SELECT min(lat), max(lat), min(lon), max(lon) FROM telemetry_vehicle_latest"
    )[0]
    assert south - 0.1 <= lat <= north + 0.1 and west - 0.1 <= lon <= east + 0.1
    drawn = float(page.get_by_label("Radius (m)").input_value())
    assert drawn > 100

    # The fields say the same as the map, and undo takes steps back.
    page.get_by_label("Radius (m)").fill("400")
    expect(page.locator("#draft")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    assert float(page.get_by_label("Radius (m)").input_value()) == drawn
    page.get_by_role("button", name="Redo").click()
    expect(page.get_by_label("Radius (m)")).to_have_value("400")
    centre.fill("33.97, -6.84")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text(f"{name} is saved", timeout=SLOW)

    page.locator("#watch select[name=severity]").select_option("high")
    page.get_by_role("button", name="Alert me").click()
    expect(page.locator(".toast")).to_contain_text(f"{name}: enters", timeout=SLOW)

    inbox = opens("/alerts", wait=False, viewport={"width": 390, "height": 844})
    alert = inbox.locator("#alerts").get_by_text(f"{name}: enters")
    expect(alert).to_have_count(0)
    # It drives in and out until somebody notices: the rule counts from when it is loaded.
    deadline = time.monotonic() + 90
    while not alert.count() and time.monotonic() < deadline:
        for lat in (33.90, 33.97):
            site.say({"vehicle_id": "V5", "lat": lat, "lon": -6.84, "speed_kmh": 30.0})
            inbox.wait_for_timeout(1200)
    expect(alert.first).to_be_visible(timeout=SLOW)

    inbox.locator("#alerts .alert", has_text=f"{name}: enters").first.locator(
        "input[name=alert]"
    ).check()
    inbox.get_by_role("button", name="Acknowledge").first.click()
    wait_until(
        lambda: any(
            title.startswith(name) and state == "acknowledged"
            for title, state in site.platform.sql("SELECT title, state FROM alerts_alert")
        ),
        seconds=30,
    )


def test_it_draws_an_area_bends_it_and_tries_it_on_history(site, opens, evaluates, complaints):
    page = opens("/geofences/new", wait=False)
    editor(page)

    def area() -> None:
        for x, y in ((0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6)):
            click(page, x, y)
        click(page, 0.4, 0.6)

    draws(page, "Area", area)
    points = page.get_by_label("Points", exact=False)
    expect(points).to_have_value(
        re.compile(r"^(-?\d+\.\d+, -?\d+\.\d+\n){3}-?\d+\.\d+, -?\d+\.\d+$")
    )
    before = points.input_value()

    # A corner is dragged; the gesture is repeated until the map has taken it.
    for n in range(5):
        page.mouse.move(*spot(page, 0.6, 0.4), steps=4)
        page.mouse.down()
        page.mouse.move(*spot(page, 0.66 + n / 100, 0.34), steps=12)
        page.mouse.up()
        if wait_until(lambda: points.input_value() != before, seconds=4):
            break
    assert points.input_value() != before
    page.keyboard.press("Control+z")
    expect(points).to_have_value(before)
    for _ in range(5):
        page.mouse.click(*spot(page, 0.4, 0.6), button="right")
        if wait_until(lambda: points.input_value().count("\n") == 2, seconds=4):
            break
    assert points.input_value().count("\n") == 2
    page.get_by_role("button", name="Undo").click()
    expect(points).to_have_value(before)

    # Typed over history: where V5 has been.
    points.fill("33.8, -7\n33.8, -6.7\n34, -6.7\n34, -7")
    site.say({"vehicle_id": "V6", "lat": 30.0, "lon": -6.84}, seconds_ago=60)
    site.say({"vehicle_id": "V6", "lat": 33.9, "lon": -6.84}, seconds_ago=30)
    wait_until(lambda: len(site.platform.sql(
        "SELECT 1 FROM telemetry_vehicle_reading WHERE lat IN (30.0, 33.9)")) > 1, seconds=30)  # fmt: skip
    page.get_by_role("button", name="Try", exact=True).click()
    expect(page.locator("#tried")).to_contain_text("in the last 7 days", timeout=60_000)
    expect(page.locator("#tried")).to_contain_text("Van 06")
    points.fill("33.8, -7\n34, -6.7\n34, -7\n33.8, -6.7")
    page.get_by_role("button", name="Try", exact=True).click()
    expect(page.locator("#tried [role=alert]")).to_contain_text("crosses itself", timeout=SLOW)
    # The browser notes every refusal.
    complaints[:] = [said for said in complaints if "status of 422" not in said]


def test_it_draws_a_corridor_and_takes_an_archiving_back(site, opens):
    page = opens("/geofences/new", wait=False)
    editor(page)

    def corridor() -> None:
        for x, y in ((0.3, 0.5), (0.5, 0.4), (0.7, 0.5)):
            click(page, x, y)
        click(page, 0.7, 0.5)

    draws(page, "Corridor", corridor)
    page.get_by_label("Width (m)").fill("250")
    page.get_by_label("Name").fill("Route 7")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text("Route 7 is saved", timeout=SLOW)
    page.get_by_role("button", name="Archive").click()
    expect(page.locator(".toast")).to_contain_text("Route 7 was archived", timeout=SLOW)
    expect(page.locator("#table")).not_to_contain_text("Route 7")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#table")).to_contain_text("250 m wide", timeout=SLOW)


def test_it_needs_no_pointer(site, opens):
    page = opens("/geofences/new", wait=False)
    editor(page)
    page.get_by_label("Name").fill("By keys")
    page.get_by_label("Centre", exact=False).fill("33.97, -6.84")
    page.get_by_label("Radius (m)").fill("900")
    expect(page.locator("#map[data-shape=circle]")).to_be_attached(timeout=SLOW)
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("By keys is saved", timeout=SLOW)


def test_it_draws_with_a_finger(site, opens):
    page = opens("/geofences/new", wait=False, viewport={"width": 390, "height": 844},
                 has_touch=True, is_mobile=True)  # fmt: skip
    editor(page)

    def circle() -> None:
        for x in (0.5, 0.7):
            page.touchscreen.tap(*spot(page, x, 0.6))

    for _ in range(4):
        page.get_by_role("button", name="Circle", exact=True).tap()
        circle()
        if wait_until(lambda: page.get_by_label("Centre", exact=False).input_value() != "",
                      seconds=5):  # fmt: skip
            break
    # It reaches to the second tap: some hundreds of pixels of a map of the world or a town.
    assert float(page.get_by_label("Radius (m)").input_value()) > 50


def test_the_live_map_shows_them_and_can_do_without(site, opens):
    page = opens("/")
    switch = page.get_by_role("button", name="Geofences")
    expect(switch).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".maplibregl-map[data-geofences]")).to_be_attached(timeout=SLOW)
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "false")
    page.reload()
    expect(page.get_by_role("button", name="Geofences")).to_have_attribute("aria-pressed", "false")


def test_another_organisation_sees_none_of_them(site, opens):
    page = opens("/geofences", who="south", wait=False)
    expect(page.locator("#table")).to_contain_text("No geofences yet")
    found = page.request.get(site.url + "/geofences/shapes?vehicles=1").text()
    assert json.loads(found) == {"fences": [], "vehicles": []}


@pytest.mark.parametrize(("width", "height", "scheme"), [(1440, 900, "light"), (390, 844, "dark")])
def test_it_bars_nobody_from_its_pages(site, opens, faults, width, height, scheme):
    if not site.platform.sql("SELECT 1 FROM fleet_geofence WHERE reference = 'axe'"):
        made = site.platform.manage("shell", "-v", "0", "-c", A_FENCE)
        assert made.returncode == 0, made.stderr
    page = opens("/geofences", wait=False, viewport={"width": width, "height": height},
                 color_scheme=scheme)  # fmt: skip
    found = {"/geofences": faults(page)}
    for path in ("/geofences/new", "/geofences/import", "/geofences/axe/"):
        page.goto(site.url + path)
        page.wait_for_load_state()
        if "import" not in path:
            editor(page)
        found[path] = faults(page)
    assert not any(found.values()), found
