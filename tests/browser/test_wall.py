"""The live page on a wall, and its clock, numbers and language."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.test_live_alerts import SLOW, alerted
from tests.browser.test_live_page import RABAT, row

__all__ = ["alerted"]

pytestmark = pytest.mark.browser


def press_until(page, key, target, **told):
    """A page that is still drawing may miss a key."""
    for _ in range(40):
        page.keyboard.press(key)
        try:
            expect(target).to_be_visible(timeout=3000)
        except AssertionError:
            continue
        return
    expect(target).to_be_visible(**told)


def test_a_wall_shows_the_time_the_age_the_counts_and_what_is_open(alerted, opens, faults):
    alerted.say({"vehicle_id": "V3", **RABAT, "speed_kmh": 60.0})
    page = opens("/?wall=1")
    wall = page.locator("#wall")
    expect(wall.locator(".wall__clock")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
    expect(wall.locator(".wall__state")).to_contain_text(
        re.compile(r"Newest reading \d+ (s|min) old"), timeout=SLOW
    )
    expect(wall.locator("[data-status='']")).to_have_text(re.compile(r"^1\d\s*Vehicles$"))
    expect(wall.locator("[data-status=moving]")).to_have_text(re.compile(r"^[1-9]\d*\s*Moving$"))
    expect(wall.locator("h2")).to_have_text(re.compile(r"^\d+ open alerts$"), timeout=SLOW)
    expect(wall.locator("li", has_text="Battery at 71 °C")).to_contain_text(
        re.compile("Critical · [78] min")
    )
    first = wall.locator(".wall__list li").first
    expect(first).to_have_attribute("data-severity", "critical")
    # Nothing to press, nothing small.
    expect(page.locator("#list")).to_be_hidden()
    expect(page.locator(".maplibregl-ctrl-group:visible")).to_have_count(0)
    covered = page.evaluate(
        "['.rail', '.bar'].every((name) => document.querySelector(name).inert"
        " && document.elementFromPoint(20, 20).closest('.live--wall'))"
    )
    assert covered
    sizes = page.evaluate(
        "[...document.querySelectorAll('#wall *')].filter((e) => e.childElementCount === 0"
        " && e.textContent && e.getClientRects().length)"
        ".map((e) => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 13
    assert max(sizes) >= 38
    found = faults(page)
    assert not found, "\n".join(found)


def test_a_wall_is_entered_by_button_and_key_and_left_by_escape(site, opens):
    site.say({"vehicle_id": "V4", **RABAT, "speed_kmh": 30.0})
    page = opens("/?find=Van+04")
    expect(row(page, "Van 04")).to_be_visible(timeout=SLOW)
    wall = page.locator("#wall .wall__clock")
    page.get_by_role("button", name="Wall").click()
    expect(wall).to_be_visible(timeout=SLOW)
    assert "wall=1" in page.url
    page.keyboard.press("j")  # What nobody sees does not happen.
    assert "selected=" not in page.url
    page.keyboard.press("Escape")
    expect(wall).to_be_hidden(timeout=SLOW)
    expect(row(page, "Van 04")).to_be_visible()
    assert "wall=" not in page.url
    assert not page.evaluate("document.querySelector('.bar').inert")
    page.locator("#rows").focus()
    press_until(page, "w", wall)
    page.go_back()
    expect(wall).to_be_hidden(timeout=SLOW)


def test_a_wall_says_so_when_the_connection_is_lost(site, opens, complaints):
    site.say({"vehicle_id": "V4", **RABAT, "speed_kmh": 30.0})
    page = opens("/?wall=1")
    state = page.locator(".wall__state")
    expect(state).to_contain_text("Newest reading", timeout=SLOW)
    page.wait_for_load_state("networkidle")
    site.stop_web()
    try:
        expect(state).to_contain_text(
            re.compile(r"Connection lost\. Data as of \d\d:\d\d:\d\d"), timeout=SLOW
        )
        expect(page.locator("#map")).to_have_class(re.compile("map--old"), timeout=SLOW)
    finally:
        site.start_web()
    expect(state).to_contain_text("Newest reading", timeout=60_000)
    complaints[:] = [c for c in complaints if "net::ERR_" not in c]


OF_TOKYO = """
new MutationObserver(() => {
    document.documentElement.lang = "de";
    const app = document.querySelector("[data-clock]");
    if (app) app.dataset.clock = "[[0, 32400]]";
}).observe(document, {childList: true, subtree: true});
"""


def test_numbers_and_times_are_as_the_page_says(site, opens):
    """In its language, on the clock of the organisation, whatever the browser's own are."""
    site.say({"vehicle_id": "V4", **RABAT, "speed_kmh": 30.0, "battery_temp_c": 21.5})
    page = opens("/", timezone_id="America/New_York", locale="en-US")
    page.add_init_script(OF_TOKYO)
    page.goto(f"{site.url}/?selected=vehicle:V4")
    tile = page.locator(".tile", has_text="Battery temperature").locator(".tile__figure")
    expect(tile).to_have_text("21,5°C", timeout=SLOW)
    page.goto(f"{site.url}/?wall=1")
    clock = page.locator(".wall__clock")
    expect(clock).to_be_visible(timeout=SLOW)
    there = datetime.now(UTC) + timedelta(hours=9)
    hours = {f"{there + timedelta(minutes=late):%H}" for late in (0, 1)}
    expect(clock).to_have_text(re.compile(f"^({'|'.join(hours)}):"))
    expect(page.locator(".wall__day")).to_have_text(
        re.compile("^(Mon|Diens|Mittwo|Donners|Frei|Sams|Sonn)")
    )


def test_the_past_is_picked_on_the_clock_of_the_organisation(site, opens):
    page = opens("/", timezone_id="America/New_York")
    page.add_init_script(OF_TOKYO)
    at = (datetime.now(UTC) - timedelta(hours=5)).replace(second=0, microsecond=0)
    page.goto(f"{site.url}/?at={at:%Y-%m-%dT%H:%MZ}")
    field = page.locator("#past input[type=datetime-local]")
    expect(field).to_have_value(f"{at + timedelta(hours=9):%Y-%m-%dT%H:%M}", timeout=SLOW)
    field.fill(f"{at + timedelta(hours=8):%Y-%m-%dT%H:%M}")
    field.dispatch_event("change")
    page.wait_for_url(f"**at={at - timedelta(hours=1):%Y-%m-%dT%H:%MZ}*", timeout=SLOW)
