"""Alerts as people use them: opened by real readings through the real evaluator."""

from __future__ import annotations

import json
import re
import sys

import pytest
from playwright.sync_api import expect
from standardwebhooks import Webhook

from scripts.processes import wait_until
from tests.alerts.receivers import Receiver

pytestmark = pytest.mark.browser

SLOW = 30_000
"""Milliseconds within which an alert shows on a machine that does everything at once."""

RULE = """
import json
from alerts.channels import create_channel
from alerts.rules import create_rule
from alerts.models import Rule
from fleet.geofence_services import create_geofence
from tenants.actors import Actor
from tenants.models import Organisation
tenant = Organisation.objects.get(slug="north")
actor = Actor.command(tenant, "test")
if not Rule.objects.for_tenant(tenant).filter(name="Too fast").exists():
    create_rule(actor=actor, name="Too fast", definition={
        "kind": "threshold", "severity": "high", "clear_duration_s": 3600, "params": {
            "conditions": [{"metric": "speed_kmh", "op": ">", "value": 150, "clear": 140}]}})
    fence = create_geofence(actor=actor, reference="yard", name="Yard",
        shape={"type": "circle", "centre": [13.4, 52.5], "radius_m": 800})
    create_rule(actor=actor, name="Enters the yard", definition={
        "kind": "geofence", "severity": "medium", "max_gap_s": 0,
        "params": {"geofences": [fence.pk], "event": "enter"}})
    create_channel(actor=actor, name="Depot", kind="email", address="depot@north.example")
"""


@pytest.fixture(scope="module")
def evaluating(site):
    """A worker for evaluation and deliveries, and the beat that sets them going."""
    celery = [sys.executable, "-m", "celery", "-A", "config.celery:app"]
    site.platform.environment |= {"ALERTS_EVALUATE_S": "2"}
    started = [
        site.platform.start(*celery, "worker", "--queues", "celery,evaluation", "--concurrency",
                            "2", "--loglevel", "WARNING"),
        site.platform.start(*celery, "beat", "--pidfile=", "--loglevel", "WARNING"),
    ]  # fmt: skip
    made = site.platform.manage("shell", "-v", "0", "-c", RULE)
    assert made.returncode == 0, made.stderr
    yield site
    for process in started:
        process.terminate()
    for process in started:
        process.wait(timeout=30)
        site.platform.processes.remove(process)


def row_of(page, name):
    return page.locator(".alert", has_text=name).filter(has_text="Too fast")


def speed(site, vehicle, kmh, *, seconds_ago=0.0, lat=52.6):
    site.say(
        {"vehicle_id": vehicle, "lat": lat, "lon": 13.4, "speed_kmh": kmh},
        seconds_ago=seconds_ago,
    )


def test_an_alert_shows_without_a_reload_and_keys_take_it(evaluating, opens):
    page = opens("/alerts?group=none", wait=False)
    elsewhere = opens("/fleets", wait=False)
    expect(row_of(page, "Van 05")).to_have_count(0)
    speed(evaluating, "V5", 163)
    row = row_of(page, "Van 05")
    expect(row).to_be_visible(timeout=SLOW)
    expect(row).to_contain_text("163 km/h")
    expect(elsewhere.locator("#alert-count")).to_be_visible(timeout=SLOW)
    expect(elsewhere.get_by_role("link", name=re.compile(r"Alerts\s*, \d+ open"))).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator(".alert.is-marked")).to_have_count(1)
    row.get_by_role("checkbox").check()
    page.keyboard.press("a")
    expect(page.locator(".toast")).to_contain_text("1 alert acknowledged", timeout=SLOW)
    expect(row).to_contain_text("Acknowledged", timeout=SLOW)
    page.keyboard.press("z")
    expect(page.locator(".toast")).to_contain_text("Taken back", timeout=SLOW)
    expect(row_of(page, "Van 05")).to_contain_text("Open", timeout=SLOW)


def test_a_thumb_acknowledges_it(evaluating, opens):
    page = opens(
        "/alerts", wait=False, viewport={"width": 390, "height": 844}, has_touch=True,
        is_mobile=True,
    )  # fmt: skip
    speed(evaluating, "V6", 171)
    row = row_of(page, "Van 06")
    expect(row).to_be_visible(timeout=SLOW)
    button = row.get_by_role("button", name="Acknowledge")
    box = button.bounding_box()
    assert box is not None and box["height"] >= 44 and box["width"] >= 44
    button.tap()
    expect(row.locator(".alert__tags")).to_contain_text("Acknowledged", timeout=SLOW)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_it_is_explained_with_chart_and_map(evaluating, opens):
    for ago in (40, 30, 20):
        speed(evaluating, "V7", 120 + ago / 10, seconds_ago=ago)
    speed(evaluating, "V7", 158)
    wait_until(lambda: bool(evaluating.platform.sql(
        "SELECT 1 FROM alerts_alert WHERE subject_reference = 'V7'")), seconds=30)  # fmt: skip
    page = opens("/alerts?vehicle=V7", wait=False)
    row_of(page, "Van 07").get_by_role("link").click(timeout=SLOW)
    expect(page.locator(".rule-chart canvas")).to_be_visible(timeout=SLOW)
    expect(page.locator(".rule-chart")).to_contain_text("opens at 150 km/h")
    expect(page.locator("#map canvas")).to_be_visible(timeout=SLOW)
    expect(page.locator(".is-opening")).to_contain_text("158 km/h")
    page.get_by_placeholder("Note").fill("Called the driver")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator(".happened")).to_contain_text("Called the driver", timeout=SLOW)


def test_a_fence_that_was_entered_is_on_the_map(evaluating, opens):
    speed(evaluating, "V8", 30, seconds_ago=20, lat=52.55)
    speed(evaluating, "V8", 30, lat=52.5)
    page = opens("/alerts?vehicle=V8", wait=False)
    row = page.locator(".alert", has_text="Enters the yard")
    row.get_by_role("link").click(timeout=SLOW)
    expect(page.locator("#map canvas")).to_be_visible(timeout=SLOW)
    start = json.loads(page.locator("#start").text_content() or "")
    assert [fence["name"] for fence in start["fences"]] == ["Yard"]


def test_a_rule_is_written_with_its_preview_beside_it(evaluating, opens):
    site = evaluating
    for ago, kmh in ((300, 50), (290, 77), (280, 78), (270, 79), (260, 50), (240, 50)):
        speed(site, "V9", kmh, seconds_ago=ago)
    page = opens("/alerts/rules/new", wait=False)
    page.get_by_label("Name").fill("Faster than 75")
    page.locator("#watched").select_option("V9")
    says = page.locator("#preview-says")
    expect(says).to_contain_text("Van 09 would not have alerted", timeout=SLOW)
    page.locator("[name=condition-0-value]").fill("seventy")
    expect(page.locator(".row--condition")).to_contain_text("Write a number", timeout=SLOW)
    page.locator("[name=condition-0-value]").fill("75")
    expect(says).to_contain_text("Van 09 would have alerted 1 time", timeout=SLOW)
    expect(page.locator("#preview-charts canvas")).to_be_visible()
    page.locator("[name=duration]").fill("1 h")
    expect(says).to_contain_text("would not have alerted", timeout=SLOW)
    page.locator("[name=duration]").fill("10 s")
    expect(says).to_contain_text("would have alerted 1 time", timeout=SLOW)
    page.get_by_role("button", name="Another condition").click()
    expect(page.locator(".row--condition")).to_have_count(2)
    page.locator("[data-removes]").nth(1).click()
    page.get_by_role("button", name="Try it on everything").click()
    expect(page.locator("#run")).to_contain_text("this would have alerted", timeout=SLOW)
    expect(page.locator("#run")).to_contain_text("V9")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text("Faster than 75 watches now")
    page.get_by_role("button", name="Remove Faster than 75").click()
    expect(page.locator(".toast")).to_contain_text("was removed")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name="Faster than 75")).to_be_visible()


def test_a_condition_looks_at_a_change_or_at_an_age(evaluating, opens):
    for ago in range(200, 90, -10):
        speed(evaluating, "V10", 200 - ago, seconds_ago=ago)
    for ago in range(90, 0, -20):
        speed(evaluating, "V10", 100, seconds_ago=ago)
    page = opens("/alerts/rules/new", wait=False)
    page.locator("#watched").select_option("V10")
    window = page.locator("[name=condition-0-window]")
    expect(window).to_be_hidden(timeout=SLOW)
    page.locator("[name=condition-0-aspect]").select_option("rate_of_change")
    expect(window).to_be_visible()
    window.fill("1 min")
    page.locator("[name=condition-0-value]").fill("40")
    says = page.locator("#preview-says")
    expect(says).to_contain_text(
        "Van 10 would have alerted 1 time: Speed changes > 40 km/h/min over 1 min", timeout=SLOW
    )
    expect(page.locator(".rule-chart")).to_contain_text("Speed, change over 1 min")
    page.locator("[name=condition-0-metric]").select_option("lat")
    expect(page.locator("[name=condition-0-aspect]")).to_have_value("age_s")
    expect(window).to_be_hidden()
    page.locator("[name=condition-0-value]").fill("30 s")
    expect(says).to_contain_text("would not have alerted: Position > 30 s old", timeout=SLOW)
    page.get_by_label("Name").fill("Lost")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Lost").click()
    expect(page.locator("[name=condition-0-metric]")).to_have_value("lat", timeout=SLOW)
    expect(page.locator("[name=condition-0-value]")).to_have_value("30 s")


def test_a_test_message_arrives_at_the_receiver(evaluating, opens):
    with Receiver() as receiver:
        page = opens("/alerts/channels/new", wait=False)
        page.get_by_text("Webhook", exact=True).click()
        page.get_by_label("Name", exact=True).fill("Dispatch")
        page.get_by_role("textbox", name="Address").fill(receiver.url)
        page.get_by_role("button", name="Add quiet hours").click()
        page.locator(".days__all label", has_text="Sun").click()
        page.get_by_role("button", name="Add the channel").click()
        secret = page.locator("#secret").inner_text()
        page.get_by_role("link", name="I have kept it").click()
        page.get_by_role("button", name="Send a test to Dispatch").click()
        expect(page.locator(".test")).to_contain_text("It arrived", timeout=SLOW)
        expect(page.locator(".test")).to_contain_text("thanks")
        (_path, headers, body), *more = receiver.requests
        assert not more
        told = Webhook(secret).verify(body.decode(), headers)
        assert told["type"] == "test"
        page.get_by_role("link", name="In the log").click()
        page.locator(".delivery summary").first.click()
        expect(page.locator(".attempt").first).to_contain_text("webhook-id")


def test_another_organisation_sees_nothing_of_it(evaluating, opens):
    north = opens("/alerts?state=all&vehicle=V5", wait=False)
    address = north.locator(".alert a").first.get_attribute("href")
    page = opens("/alerts?state=all", who="south", wait=False)
    expect(page.locator("#alerts")).not_to_contain_text("Too fast")
    assert page.request.get(evaluating.url + address).status == 404
    page.goto(evaluating.url + "/alerts/rules")
    expect(page.locator("main")).not_to_contain_text("Too fast")


@pytest.mark.parametrize(("width", "height", "scheme"), [(1440, 900, "dark"), (390, 844, "light")])
def test_it_bars_nobody_from_its_pages(evaluating, opens, faults, width, height, scheme):
    page = opens(
        "/alerts?state=all", wait=False, viewport={"width": width, "height": height},
        color_scheme=scheme,
    )  # fmt: skip
    one = page.locator(".alert a").first.get_attribute("href")
    page.goto(evaluating.url + "/alerts/rules")
    rule = page.locator("tbody th a").first.get_attribute("href")
    found = {}
    for path in [
        "/alerts?state=all", "/alerts?vehicle=nothing", one, "/alerts/rules", rule,
        "/alerts/rules/new", "/alerts/channels", "/alerts/channels/new", "/alerts/deliveries",
        "/alerts/deliveries?status=dead",
    ]:  # fmt: skip
        page.goto(evaluating.url + path)
        page.wait_for_load_state()
        found[path] = faults(page)
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, (path, wider)
    assert {path: each for path, each in found.items() if each} == {}
