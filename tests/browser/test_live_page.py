"""The live page, as a person uses it."""

import re
import time

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

RABAT = {"lat": 33.97, "lon": -6.84}


def row(page, name):
    return page.locator(".row", has_text=name)


def point_until_told(page, x, y, name):
    """Move about a place of the map until its hint names the vehicle there: the map may still
    be drawing, and only a pointer that moves asks it what is below."""
    hint = page.locator("#hint")
    for _ in range(200):
        page.mouse.move(x, y + 0.5)
        page.mouse.move(x, y)
        if hint.is_visible() and name in hint.inner_text():
            return
        page.wait_for_timeout(100)
    expect(hint).to_contain_text(name)


def zoom_in(url):
    """Where the map stands, by the address; None: it does not say."""
    found = re.search(r"map=[-.\d]+,[-.\d]+,([.\d]+)", url)
    return float(found[1]) if found else None


def test_it_shows_a_reading_in_list_and_drawer(site, opens):
    site.say({"vehicle_id": "V1", **RABAT, "speed_kmh": 10.0, "soc_pct": 50.0})
    page = opens("/?selected=vehicle:V1")
    speed = page.locator(".tile", has_text="Speed").locator(".tile__figure")
    expect(speed).to_have_text("10km/h", timeout=20_000)
    for told in (36, 41, 44):
        site.say({"vehicle_id": "V1", **RABAT, "speed_kmh": float(told)})
        expect(speed).to_have_text(f"{told}km/h", timeout=20_000)
    expect(row(page, "Van 01")).to_contain_text("44 km/h")
    expect(page.locator("#drawer .tag").first).to_contain_text("Moving")


def test_it_moves_a_vehicle_on_the_map_when_a_reading_comes(site, opens):
    site.say({"vehicle_id": "V2", **RABAT, "speed_kmh": 30.0, "heading_deg": 90.0})
    page = opens(f"/?map={RABAT['lon']},{RABAT['lat']},14&find=Van+02")
    expect(row(page, "Van 02")).to_be_visible()
    box = page.locator("#map").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    # A pixel at zoom 14 is 360 / (512 * 2 ** 14) degrees of longitude.
    there = 200 * 360 / (512 * 2**14)
    point_until_told(page, *middle, "Van 02")
    site.say({"vehicle_id": "V2", "lat": RABAT["lat"], "lon": RABAT["lon"] + there})
    point_until_told(page, middle[0] + 200, middle[1], "Van 02")
    page.mouse.move(*middle)
    expect(page.locator("#hint")).to_be_hidden()
    page.mouse.click(middle[0] + 200, middle[1])
    expect(page.locator("#drawer h2")).to_have_text("Van 02")
    assert "selected=vehicle:V2" in page.url


def test_it_opens_near_to_whoever_the_address_selects(site, opens):
    apart = {"lat": 34.41, "lon": -5.62}  # Where no other test puts anybody.
    site.say({"vehicle_id": "V2", **apart, "speed_kmh": 30.0})
    site.say({"vehicle_id": "V3", "lat": 35.76, "lon": -5.83, "speed_kmh": 30.0})
    page = opens("/?selected=vehicle:V2")
    page.wait_for_url(lambda url: zoom_in(url) == 11.5, timeout=20_000)
    drawer = page.locator("#drawer").bounding_box()
    ground = page.locator("#map").bounding_box()
    middle = (ground["x"] + drawer["x"]) / 2
    point_until_told(page, middle, ground["y"] + ground["height"] / 2, "Van 02")


def test_it_asks_for_trails_only_from_near(site, opens):
    site.say({"vehicle_id": "V2", **RABAT, "speed_kmh": 30.0})
    page = opens(f"/?map={RABAT['lon']},{RABAT['lat']},7")
    expect(page.locator("#pulse")).to_have_attribute("data-state", "live", timeout=20_000)
    expect(page.locator("#map canvas.symbols")).to_be_visible(timeout=20_000)
    page.wait_for_timeout(1500)
    trails = (
        "performance.getEntriesByType('resource').filter(e => e.name.endsWith('/trails')).length"
    )
    assert page.evaluate(trails) == 0
    ground = page.locator(".maplibregl-canvas")
    ground.focus()
    with page.expect_response("**/live/trails") as answered:
        ground.press("+")
        page.wait_for_timeout(600)
        ground.press("+")
    assert answered.value.ok
    ground.press("+")
    page.wait_for_timeout(1000)
    assert page.evaluate(trails) == 1


def test_it_does_not_take_a_late_reading_for_the_present(site, opens):
    site.say({"vehicle_id": "V3", "soc_pct": 71.0})
    page = opens("/?selected=vehicle:V3")
    expect(page.locator("#drawer")).to_contain_text("71")
    site.say({"vehicle_id": "V3", "soc_pct": 12.0, "range_km": 99.0}, seconds_ago=3600)
    expect(page.locator("#drawer")).to_contain_text("99")
    expect(row(page, "Van 03")).to_contain_text("71%")
    tile = page.locator(".tile", has_text="Range")
    expect(tile).to_contain_text("1 h")
    expect(tile).to_have_class(re.compile("tile--old"))


def test_it_says_so_when_the_connection_is_lost_and_comes_back_without_a_gap(
    site, opens, complaints
):
    site.say({"vehicle_id": "V4", **RABAT, "soc_pct": 60.0})
    page = opens("/?selected=vehicle:V4")
    expect(page.locator("#drawer")).to_contain_text("60")
    page.wait_for_load_state("networkidle")  # the map has its workers
    site.stop_web()
    banner = page.locator("#banner")
    expect(banner).to_be_visible()
    expect(banner).to_contain_text(re.compile(r"Data as of \d\d:\d\d:\d\d"))
    expect(page.locator("#pulse")).to_have_text("Not connected")
    site.say({"vehicle_id": "V4", "soc_pct": 58.0})
    site.start_web()
    expect(banner).to_be_hidden(timeout=40_000)
    expect(row(page, "Van 04")).to_contain_text("58%")
    # What the browser says of the attempts that failed is no fault of the page.
    complaints[:] = [c for c in complaints if "net::ERR_" not in c]


def test_it_filters_by_status_by_words_and_by_the_address(site, opens):
    site.say(
        {"vehicle_id": "V5", "speed_kmh": 50.0, "driver": "Amal"},
        {"vehicle_id": "V6", "charging": True, "speed_kmh": 0.0},
        {"vehicle_id": "V7", "soc_pct": 9.0, "speed_kmh": 20.0},
    )
    page = opens("/?status=charging")
    expect(page.locator(".row")).to_have_count(1)
    expect(row(page, "Van 06")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Needs attention")).click()
    expect(row(page, "Van 07")).to_contain_text("SoC low")
    page.keyboard.press("/")
    page.keyboard.type("amal")
    page.get_by_role("button", name=re.compile("^All")).click()
    expect(page.locator(".row")).to_have_count(1)
    expect(row(page, "Van 05")).to_be_visible()
    assert "find=amal" in page.url
    page.fill("#find", "nothing like it")
    expect(page.locator("#empty", has_text="Nothing matches")).to_be_visible()
    page.get_by_role("button", name="Show all", exact=True).click()
    expect(page.locator(".row")).to_have_count(12)


def test_it_is_walked_with_the_keyboard(opens):
    page = opens("/?sort=name")
    page.keyboard.press("j")
    expect(page.locator("#drawer h2")).to_have_text("Van 01")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator("#drawer h2")).to_have_text("Van 02")
    active = page.get_attribute("#rows", "aria-activedescendant")
    expect(page.locator(f"#{active}")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_be_hidden()


def test_it_lists_the_meters(site, opens):
    site.say({"meter_id": "M1", "power_kw": 21.5, "voltage_v": 231.0, "energy_ac_kwh": 0.5})
    page = opens()
    page.get_by_role("tab", name=re.compile("Meters")).click()
    expect(row(page, "Bay 1")).to_contain_text("21.5")
    row(page, "Bay 1").click()
    expect(page.locator(".tile", has_text="AC energy")).to_contain_text("0.50kWh")


def test_it_shows_another_organisation_nothing(site, opens):
    site.say({"vehicle_id": "V1", **RABAT, "speed_kmh": 50.0})
    page = opens("/?selected=vehicle:V1", who="south")
    expect(page.locator("#empty", has_text="No vehicles yet")).to_be_visible()
    expect(page.locator("#drawer")).to_be_hidden()
    site.say({"vehicle_id": "V1", **RABAT, "speed_kmh": 51.0})
    page.wait_for_timeout(500)
    assert "Van 01" not in page.content()


def test_it_sends_whoever_is_not_logged_in_to_the_log_in(opens, faults):
    page = opens("/", who=None, wait=False)
    expect(page.locator("h1")).to_have_text("Log in")
    page.fill("input[name=login]", "north@example.org")
    page.fill("input[name=password]", "wrong")
    page.click("button.button--main")
    expect(page.get_by_role("alert")).to_be_visible()
    found = faults(page)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_it_is_usable_by_everybody(site, opens, faults, theme, size):
    site.say({"vehicle_id": "V8", **RABAT, "speed_kmh": 50.0, "soc_pct": 8.0, "alarms": ["door"]})
    width, height = size
    page = opens(
        "/?selected=vehicle:V8",
        viewport={"width": width, "height": height},
        color_scheme=theme,
    )
    expect(page.locator("#drawer")).to_contain_text("door")
    found = faults(page)
    assert not found, "\n".join(found)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_has_the_list_as_a_sheet_on_a_phone(opens):
    page = opens(viewport={"width": 390, "height": 844}, has_touch=True)
    sheet = page.locator("#list")
    heights = [sheet.bounding_box()["height"]]
    for _ in range(2):
        page.locator("#grip").click()
        page.wait_for_timeout(400)
        heights.append(sheet.bounding_box()["height"])
    assert heights[1] > heights[0] > heights[2]


def test_it_shows_the_fleet_at_a_past_moment_and_never_as_the_present(site, opens):
    site.say({"vehicle_id": "V9", **RABAT, "soc_pct": 77.0}, seconds_ago=3600)
    site.say({"vehicle_id": "V9", **RABAT, "soc_pct": 41.0})
    page = opens("/?selected=vehicle:V9")
    expect(row(page, "Van 09")).to_contain_text("41%", timeout=20_000)
    page.keyboard.press("t")
    expect(page.locator("#past")).to_contain_text("Not live", timeout=20_000)
    expect(page.locator("#pulse")).to_have_attribute("data-state", "past")
    before = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(time.time() - 1800))
    page.goto(f"{site.url}/?selected=vehicle:V9&at={before}")
    expect(row(page, "Van 09")).to_contain_text("77%", timeout=20_000)
    site.say({"vehicle_id": "V9", **RABAT, "soc_pct": 40.0})
    page.keyboard.press("l")
    expect(page.locator("#past")).to_be_hidden()
    expect(row(page, "Van 09")).to_contain_text("40%", timeout=20_000)
    assert "at=" not in page.url


def test_it_tells_since_when_a_vehicle_idles(site, opens):
    for minutes, speed in ((20, 44.0), (14, 0.0), (0, 0.0)):
        site.say(
            {"vehicle_id": "V10", "speed_kmh": speed, "ignition": True}, seconds_ago=minutes * 60
        )
    page = opens("/?find=Van+10")
    expect(row(page, "Van 10")).to_contain_text("Idle 14 min", timeout=20_000)


def test_it_offers_what_can_be_done_with_a_vehicle(site, opens):
    site.say({"vehicle_id": "V11", **RABAT, "soc_pct": 50.0})
    page = opens("/?find=Van+11")
    row(page, "Van 11").click(button="right")
    menu = page.locator("#menu")
    expect(menu).to_contain_text("Copy as curl")
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    row(page, "Van 11").click()
    expect(page.locator("#drawer h2")).to_have_text("Van 11")
    page.keyboard.press("m")
    menu.get_by_role("menuitem", name="Follow on the map").click()
    follow = page.locator("#drawer").get_by_role("button", name="Follow on the map")
    expect(follow).to_have_attribute("aria-pressed", "true", timeout=20_000)
    page.locator("#rows").focus()
    page.keyboard.press("m")
    menu.get_by_role("menuitem", name="Open its page").click()
    page.wait_for_url("**/vehicles/V11/", timeout=20_000)


def test_it_keeps_a_view_under_a_name(site, opens):
    page = opens("/?sort=name&find=Van+1")
    page.locator("#views summary").click()
    page.fill("#views input", "Tens")
    page.locator("#views").get_by_role("button", name="Save").click()
    expect(page.locator("#views li")).to_contain_text("Tens", timeout=20_000)
    page = opens()
    page.locator("#views summary").click()
    page.locator("#views li a", has_text="Tens").click()
    expect(page.locator("#find")).to_have_value("Van 1")
    assert "sort=name" in page.url


def test_it_remembers_the_theme_a_person_chose(opens):
    page = opens(color_scheme="light")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator(".person summary").click()
    page.get_by_role("button", name="Switch light and dark").click()
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


class HeldMessages:
    """What the live socket brings, held back until it is let through."""

    def hold(self, page):
        self.messages = []
        page.route_web_socket("**/telemetry", self._between)

    def _between(self, browser_side):
        self.browser_side = browser_side
        server_side = browser_side.connect_to_server()
        server_side.on_message(lambda message: self.take(message))

    def take(self, message):
        self.messages.append(message)

    def release(self):
        self.take = self.browser_side.send
        for message in self.messages:
            self.browser_side.send(message)


def test_it_carries_ten_thousand_vehicles(site, opens):
    try:
        site.platform.sql(MANY)
        held = HeldMessages()
        page = opens("/", wait=False, prepared=held.hold)
        # Of those that come with the page all are in one town; the map ends with all in sight.
        page.wait_for_url(lambda url: (zoom_in(url) or 0) > 11, timeout=20_000)
        held.release()
        page.wait_for_url(lambda url: zoom_in(url) < 10, timeout=20_000)
        expect(page.locator("#tab-vehicles b")).to_have_text("10,012", timeout=60_000)
        page.fill("#find", "Crowd")
        page.select_option("#sort", "name")
        assert page.locator(".row").count() < 40
        # What scrolling costs us, without the frames of a software renderer.
        drawn = page.evaluate("""() => {
            const rows = document.querySelector("#rows");
            const begin = performance.now();
            rows.scrollTop = 300000;
            rows.dispatchEvent(new Event("scroll"));
            return performance.now() - begin;
        }""")
        expect(row(page, "Crowd 5175")).to_be_visible()
        assert drawn < 300
        site.say({"vehicle_id": "C5180", **RABAT, "speed_kmh": 61.0})
        page.fill("#find", "Crowd 5180")
        expect(row(page, "Crowd 5180")).to_contain_text("61 km/h")
    finally:
        site.platform.sql(FEW)


MANY = """
    WITH home AS (SELECT tenant_id, id AS fleet_id FROM fleet_fleet WHERE name = 'north vans'),
    made AS (
        INSERT INTO fleet_vehicle
            (tenant_id, fleet_id, reference, name, plate, kind, silent_after_s, vin_pseudonym,
             tags, created_at)
        SELECT tenant_id, fleet_id, 'C' || n, 'Crowd ' || to_char(n, 'FM0000'), '', 'van', 300,
               '', '{}', now()
        FROM home, generate_series(1, 10000) n RETURNING id, tenant_id
    )
    INSERT INTO telemetry_vehicle_latest
        (vehicle_id, tenant_id, time, received_at, reading_id, protocol, older, lat, lon,
         speed_kmh, heading_deg, soc_pct)
    SELECT id, tenant_id, now(), now(), 1, 'test', '{}', 33 + random() * spread,
           -7 + random() * spread, round((random() * 90)::numeric, 1),
           round((random() * 359)::numeric), soc
    FROM (SELECT *, row_number() OVER (ORDER BY id) <= 100 AS first FROM made) ordered,
         LATERAL (SELECT CASE WHEN first THEN 0.01 ELSE 1 END AS spread,
                         CASE WHEN first THEN 5 ELSE 20 + round((random() * 80)::numeric) END
                             AS soc) drawn
    RETURNING 1
"""
FEW = """
    WITH gone AS (DELETE FROM fleet_vehicle WHERE reference LIKE 'C%%' RETURNING id)
    DELETE FROM telemetry_vehicle_latest WHERE vehicle_id IN (SELECT id FROM gone) RETURNING 1
"""
