"""The vehicle's page, energy and operations in a real browser, on a drive that was recorded."""

from __future__ import annotations

import csv
import io
import os
import time
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
    page.get_by_role("button", name="300×").click()
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


def test_it_looks_closer_and_back(site, opens, drive):
    page = opens(drive, wait=False)
    drawn(page)
    before = page.locator(".sum__foot").inner_text()
    plot = page.locator(".chart .u-over").first.bounding_box()
    middle = plot["y"] + plot["height"] / 2
    page.mouse.move(plot["x"] + plot["width"] * 0.3, middle)
    page.mouse.down()
    page.mouse.move(plot["x"] + plot["width"] * 0.8, middle, steps=5)
    page.mouse.up()
    expect(page.locator(".sum__foot")).not_to_have_text(before)
    assert "from=" in page.url
    page.go_back()
    expect(page.locator(".sum__foot")).to_have_text(before)


def test_it_moves_every_chart_and_the_map_with_one_pointer(site, opens, drive):
    page = opens(drive, wait=False)
    drawn(page)
    page.locator("#charts .u-over").first.hover(position={"x": 300, "y": 40})
    lines = page.locator(".chart .u-cursor-x").evaluate_all(
        "all => all.map(each => Math.round(each.getBoundingClientRect().left))"
    )
    assert len(lines) >= 2 and max(lines) - min(lines) <= 1
    expect(page.locator(".way__dot")).to_be_visible()


def test_its_export_is_what_the_database_holds(site, opens, drive):
    page = opens(drive, wait=False)
    drawn(page)
    page.locator("summary", has_text="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    stored = site.platform.sql(
        "SELECT r.time, r.speed_kmh, r.soc_pct, r.lat FROM telemetry_vehicle_reading r"
        " JOIN fleet_vehicle v ON v.id = r.vehicle_id WHERE v.reference = %s ORDER BY 1",
        drive.split("/")[2],
    )
    assert len(rows) == len(stored) > 1000
    for row, (at, speed, soc, lat) in zip(rows, stored, strict=True):
        assert row["time"] == at.isoformat().replace("+00:00", "Z")
        exported = (row["speed_kmh [km/h]"], row["soc_pct [%]"], row["lat [°]"])
        assert exported == tuple("" if v is None else str(v) for v in (speed, soc, lat))


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
    ("width", "height", "scheme"), [(1440, 900, "light"), (1440, 900, "dark"), (390, 844, "dark")]
)
def test_it_bars_nobody_from_the_data_pages(site, opens, drive, faults, width, height, scheme):
    page = opens(
        drive, wait=False, viewport={"width": width, "height": height}, color_scheme=scheme
    )
    found = {}
    for path in (drive, f"{drive}readings", "/vehicles/V2/", "/energy", "/operations"):
        page.goto(site.url + path)
        page.wait_for_load_state("networkidle" if path == drive else "load")
        if path == drive:
            drawn(page)
        found[path] = faults(page)
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, (path, wider)
    assert {path: each for path, each in found.items() if each} == {}
