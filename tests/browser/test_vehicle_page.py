"""The vehicle's page, energy and operations in a real browser, on a drive that was recorded."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import time
import urllib.error
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

DRIVES = Path(
    os.environ.get("OUTRIDER_DRIVES", settings.BASE_DIR.parent / "shared" / "data" / "twizy")
)
DRIVE = DRIVES / "T3_04_22_2021_2.csv.gz"


@pytest.fixture(scope="module")
def drive(site) -> str:
    """One of the recorded drives, sent through the device socket; its vehicle's page."""
    if not DRIVE.exists():
        pytest.skip("the recorded drives are not here")
    replayed = site.platform.manage(
        "replay", str(DRIVE), "--mapping", "twizy", "--tenant", "north",
        "--url", f"ws://127.0.0.1:{site.platform.port}/device",
    )  # fmt: skip
    assert replayed.returncode == 0, replayed.stderr + replayed.stdout
    [(reference,)] = site.platform.sql(
        "SELECT reference FROM fleet_vehicle WHERE name LIKE 'Twizy%%'"
    )
    return f"/vehicles/{reference}/"


def drawn(page) -> None:
    expect(page.locator("#charts .chart").first).to_be_visible(timeout=20_000)
    page.wait_for_selector("#vehicle:not([aria-busy])")


def test_it_plays_a_real_drive_back(site, opens, drive):
    page = opens(drive, wait=False)
    drawn(page)
    expect(page.locator("#charts .chart")).not_to_have_count(0)
    now, speed = page.locator("#now"), page.locator(".chart", has_text="Speed").locator("output")
    scrubber = page.locator("#scrubber")
    scrubber.focus()
    page.keyboard.press("Home")
    begun = now.inner_text()
    for speed_of_it in ("1×", "300×", "20×"):
        chosen = page.get_by_role("button", name=speed_of_it, exact=True)
        chosen.click()
        expect(chosen).to_have_attribute("aria-pressed", "true")
    # A minute of playback: a slow machine gets to the button before it is over.
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    values = set()
    deadline = time.monotonic() + 20
    while len(values) <= 5 and time.monotonic() < deadline:
        values.add((now.inner_text(), speed.inner_text()))
        time.sleep(0.05)
    page.get_by_role("button", name="Pause").click()
    assert len(values) > 5
    assert now.inner_text() != begun
    # The moment stands in the address: a link shows the same.
    page.wait_for_function("location.search.includes('t=')")
    rested = now.inner_text()
    page.reload()
    drawn(page)
    expect(now).to_have_text(rested)


def test_it_opens_on_what_was_recorded_of_a_day_and_says_so(site, opens, drive):
    page = opens(drive, wait=False)
    drawn(page)
    # Twenty minutes of a day: they fill the charts, and the address says which they are.
    page.wait_for_function("location.search.includes('from=')")
    first, last = page.evaluate(
        "['from', 'to'].map(name => Date.parse(new URLSearchParams(location.search).get(name)))"
    )
    assert last - first < 30 * 60_000
    # No chart is wider than its card: what is cut off at its end is missed by nobody.
    beyond = page.locator("#charts .chart").evaluate_all(
        "all => all.map(card => card.querySelector('.u-wrap').getBoundingClientRect().right"
        " - card.getBoundingClientRect().right)"
    )
    assert max(beyond) <= 0
    day = page.locator(".seg__step").first
    day.click()
    expect(page.locator("#nothing")).to_be_visible(timeout=20_000)
    # The whole day before, hatched and empty: asked for, so shown as it is.
    assert "day=" in page.url and page.locator("#charts .chart").count() == 0


def test_it_looks_closer_and_back(site, opens, drive):
    page = opens(drive, wait=False)
    drawn(page)
    page.wait_for_function("location.search.includes('from=')")
    foot = page.locator(".sum__foot")
    before, asked = foot.inner_text(), page.url
    deadline = time.monotonic() + 30
    while foot.inner_text() == before and time.monotonic() < deadline:
        plot = page.locator(".chart .u-over").first.bounding_box()
        middle = plot["y"] + plot["height"] / 2
        page.mouse.move(plot["x"] + plot["width"] * 0.3, middle)
        page.mouse.down()
        page.mouse.move(plot["x"] + plot["width"] * 0.8, middle, steps=5)
        page.mouse.up()
        with contextlib.suppress(AssertionError):
            expect(foot).not_to_have_text(before, timeout=4_000)
    assert foot.inner_text() != before
    assert page.url != asked
    page.go_back()
    expect(foot).to_have_text(before, timeout=20_000)


def test_it_says_how_long_its_charts_took(site, opens, drive):
    """What `make bench-ui` reads: each time they were drawn, and when they had been."""
    page = opens(f"{drive}?day=2021-04-22", wait=False)
    drawn(page)
    said = re.compile(r"^[1-9][\d.]*$")
    expect(page.locator("html")).to_have_attribute("data-drawn-ms", said, timeout=20_000)
    asked = page.evaluate(
        "performance.getEntriesByType('resource').filter(e => e.name.includes('/recording'))"
        ".map(({ duration }) => duration)"
    )
    # Asked for once, long before the map is there, and drawn after it was answered.
    took = float(page.locator("html").get_attribute("data-drawn-ms"))
    assert len(asked) == 1 and took >= asked[0] > 0
    page.evaluate("delete document.documentElement.dataset.drawnMs")
    page.get_by_role("button", name="Fit to the readings").click()
    expect(page.locator("html")).to_have_attribute("data-drawn-ms", said, timeout=20_000)


def test_it_moves_every_chart_and_the_map_with_one_pointer(site, opens, drive):
    page = opens(drive, wait=False)
    drawn(page)
    deadline = time.monotonic() + 20
    lines: list[int] = []
    while (len(lines) < 2 or max(lines) - min(lines) > 1) and time.monotonic() < deadline:
        page.locator("#charts .u-over").first.hover(position={"x": 300, "y": 40})
        lines = page.locator(".chart .u-cursor-x").evaluate_all(
            "all => all.map(each => Math.round(each.getBoundingClientRect().left))"
        )
    assert len(lines) >= 2 and max(lines) - min(lines) <= 1
    expect(page.locator(".way__dot")).to_be_visible(timeout=20_000)


def test_it_charts_what_else_the_vehicle_reports_and_remembers_it(site, opens, drive):
    page = opens(drive, wait=False)
    drawn(page)
    page.get_by_role("button", name="Speed limit").click()
    chart = page.locator(".chart", has_text="Speed limit")
    expect(chart).to_be_visible(timeout=20_000)
    stored = site.platform.sql(
        "SELECT max((attributes->>'speed_limit_kmh')::float8) FROM telemetry_vehicle_reading r"
        " JOIN fleet_vehicle v ON v.id = r.vehicle_id WHERE v.reference = %s",
        drive.split("/")[2],
    )
    page.locator("#scrubber").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    shown = {chart.locator("output").inner_text()}
    for _step in range(60):
        page.keyboard.press("PageUp")
        shown.add(chart.locator("output").inner_text())
    assert f"{stored[0][0]:.0f}" in shown
    page.reload()
    drawn(page)
    expect(chart).to_be_visible(timeout=20_000)


def test_it_hatches_the_silence_of_the_day_with_its_reason(site, opens, drive):
    page = opens(f"{drive}?day=2021-04-22", wait=False)
    drawn(page)
    page.locator("#scrubber").focus()
    page.keyboard.press("End")
    expect(page.locator(".charts__why")).to_contain_text("Silent:", timeout=20_000)
    expect(page.locator("#events")).to_contain_text("Silent for")
    page.get_by_role("button", name="Fit to the readings").click()
    expect(page.locator(".charts__why")).to_be_hidden(timeout=20_000)


def downloaded(page, kind):
    page.locator("summary", has_text="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name=kind).click()
    page.locator("summary", has_text="Export").click()
    return download.value.path().read_bytes()


def test_its_exports_are_what_the_database_holds(site, opens, drive):
    page = opens(drive, wait=False)
    drawn(page)
    page.wait_for_function("location.search.includes('from=')")
    stored = site.platform.sql(
        "SELECT r.time, r.speed_kmh, r.soc_pct, r.lat, r.lon, r.altitude_m, r.attributes"
        " FROM telemetry_vehicle_reading r JOIN fleet_vehicle v ON v.id = r.vehicle_id"
        " WHERE v.reference = %s ORDER BY 1",
        drive.split("/")[2],
    )
    rows = list(csv.DictReader(io.StringIO(downloaded(page, "CSV").decode("utf-8-sig"))))
    assert len(rows) == len(stored) > 1000
    for row, (at, *numbers, attributes) in zip(rows, stored, strict=True):
        assert row["time"] == iso(at)
        names = ("speed_kmh [km/h]", "soc_pct [%]", "lat [°]", "lon [°]", "altitude_m [m]")
        assert [row[name] for name in names] == ["" if v is None else str(v) for v in numbers]
        assert json.loads(row["attributes"]) == attributes
    placed = [row for row in stored if row[3] is not None]
    track = ET.fromstring(downloaded(page, "GPX"))  # noqa: S314  (our own)
    points = track.findall(".//{*}trkpt")
    assert [(p.get("lat"), p.get("lon"), p.findtext("{*}time")) for p in points] == [
        (str(row[3]), str(row[4]), iso(row[0])) for row in placed
    ]
    features = json.loads(downloaded(page, "GeoJSON"))["features"]
    assert [f["geometry"]["coordinates"] for f in features] == [[r[4], r[3]] for r in placed]
    assert [f["properties"].get("speed_kmh") for f in features] == [r[1] for r in placed]


def iso(at):
    return at.isoformat().replace("+00:00", "Z")


def test_operations_counts_what_comes_in_while_one_looks(site, opens):
    page = opens("/operations", wait=False)
    expect(page.locator("#latency")).to_contain_text("waiting")
    deadline = time.monotonic() + 25
    while "p99" not in page.locator("#latency").inner_text() and time.monotonic() < deadline:
        site.say({"vehicle_id": "V5", "speed_kmh": 30.0})
        time.sleep(0.5)
    expect(page.locator("#latency")).to_contain_text("p99")
    expect(page.locator(".tile", has_text="Readings")).to_contain_text("/s", timeout=15_000)
    # The figures are swapped for newer ones; what was measured on the socket stays.
    expect(page.locator("#latency")).to_contain_text("p99")


@pytest.mark.parametrize(
    ("width", "height", "scheme"),
    [(1440, 900, "dark"), (390, 844, "light")],
)
def test_it_bars_nobody_from_the_data_pages(site, opens, drive, faults, width, height, scheme):
    page = opens(
        drive, wait=False, viewport={"width": width, "height": height}, color_scheme=scheme
    )
    # Something to look at on the page of what was refused.
    with contextlib.suppress(urllib.error.HTTPError):
        site.say({"vehicle_id": "GHOST", "speed_kmh": 1}, {"vehicle_id": "V3", "soc_pct": 500})
    found = {}
    for path in (drive, f"{drive}readings", "/vehicles/V2/", "/energy", "/quality", "/operations"):
        page.goto(site.url + path)
        page.wait_for_load_state("networkidle" if path == drive else "load")
        if path == drive:
            drawn(page)
            page.locator("#signals summary").click()
        found[path] = faults(page)
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, (path, wider)
    assert {path: each for path, each in found.items() if each} == {}
