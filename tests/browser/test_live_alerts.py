"""Open alerts on the live page, and the way of a vehicle coloured by speed."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_live_page import RABAT, row

pytestmark = pytest.mark.browser

SLOW = 20_000
ALERTS = """
from datetime import timedelta
from django.utils import timezone
from alerts.models import Alert, Rule
from alerts.rules import create_rule
from fleet.models import Vehicle
from tenants.actors import Actor
from tenants.models import Organisation
tenant = Organisation.objects.get(slug="north")
rule = Rule.objects.for_tenant(tenant).filter(name="By hand").first()
if rule is None:
    rule = create_rule(actor=Actor.command(tenant, "test"), name="By hand", definition={
        "kind": "threshold", "severity": "high", "params": {
            "conditions": [{"metric": "speed_kmh", "op": ">", "value": 400, "clear": 390}]}})
Alert.objects.for_tenant(tenant).filter(rule=rule).delete()
# What other tests have left open.
Alert.objects.for_tenant(tenant).exclude(state="resolved").update(
    state="resolved", resolved_at=timezone.now())
begun = timezone.now() - timedelta(minutes=7)
for reference, severity, title in [
    ("V1", "medium", "Geofence left"), ("V2", "critical", "Battery at 71 °C"),
]:
    vehicle = Vehicle.objects.for_tenant(tenant).get(reference=reference)
    Alert.objects.create(
        tenant=tenant, rule=rule, rule_version=rule.current, kind="v", subject_id=vehicle.pk,
        subject_reference=reference, subject_label=vehicle.name, fleet=vehicle.fleet,
        title=title, severity=severity, started_at=begun, opened_at=begun)
"""
NO_ALERTS = """
from alerts.models import Alert
Alert.unscoped.filter(rule__name="By hand").delete()
"""


@pytest.fixture
def alerted(site):
    """One critical alert and one that is not, both open."""
    made = site.platform.manage("shell", "-v", "0", "-c", ALERTS)
    assert made.returncode == 0, made.stderr
    yield site
    site.platform.manage("shell", "-v", "0", "-c", NO_ALERTS)


def test_open_alerts_are_counted_and_filtered_by_and_a_key_takes_one_on(alerted, opens):
    page = opens("/?find=Van")
    chip = page.get_by_role("button", name=re.compile(r"^Open alerts\s*2$"))
    expect(chip).to_be_visible(timeout=SLOW)
    chip.click()
    expect(page.locator(".row")).to_have_count(2, timeout=SLOW)
    assert "status=alerts" in page.url
    row(page, "Van 02").click()
    note = page.locator("#drawer .note", has_text="Battery at 71 °C")
    expect(note).to_contain_text("Open since", timeout=SLOW)
    page.locator("#rows").focus()
    page.keyboard.press("a")
    expect(page.locator("#said")).to_have_text("1 alert acknowledged", timeout=SLOW)
    expect(note).to_contain_text("Acknowledged, open since", timeout=SLOW)
    expect(note.get_by_role("button", name="Acknowledge")).to_have_count(0)
    states = alerted.platform.sql(
        "SELECT subject_reference, state FROM alerts_alert WHERE title LIKE 'Battery at 71%%'"
    )
    assert states == [("V2", "acknowledged")]
    page.keyboard.press("a")
    expect(page.locator("#said")).to_have_text("No open alert to acknowledge.", timeout=SLOW)


def test_the_key_takes_on_nothing_where_nothing_is_selected(alerted, opens):
    page = opens("/?find=Van")
    expect(page.get_by_role("button", name=re.compile("^Open alerts"))).to_be_visible(timeout=SLOW)
    page.keyboard.press("a")
    page.keyboard.press("j")
    expect(page.locator("#drawer")).to_be_visible(timeout=SLOW)
    rows = alerted.platform.sql(
        "SELECT DISTINCT state FROM alerts_alert WHERE title LIKE 'Bat%%71%%'"
    )
    assert rows == [("open",)]


PACES = """wanted => {
    const probe = document.body.appendChild(document.createElement("i"));
    const canvas = document.querySelector(".symbols");
    if (!canvas?.width) return null;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const there = new Set();
    for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3] === 255) there.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
    }
    const found = wanted.filter((name) => {
        probe.style.color = `var(--${name})`;
        const [r, g, b] = getComputedStyle(probe).color.match(/[\\d.]+/g).map(Number);
        return there.has(r << 16 | g << 8 | b);
    });
    probe.remove();
    return found.join(" ");
}"""


def test_the_way_of_the_last_hour_is_coloured_by_speed(site, opens):
    for step, speed in enumerate((20, 20, 20, 45, 45, 45, 75, 75, 75, 110, 110)):
        place = {"lat": RABAT["lat"] + 0.02, "lon": RABAT["lon"] + step * 0.002}
        site.say(
            {"vehicle_id": "V12", **place, "speed_kmh": float(speed)},
            seconds_ago=700 - 60 * step,
        )
    paces = ["pace-1", "pace-2", "pace-3", "pace-4"]
    page = opens(f"/?map={RABAT['lon'] + 0.016},{RABAT['lat'] + 0.02},13&find=Van+12")
    expect(row(page, "Van 12")).to_be_visible()
    expect(page.locator(".symbols")).to_be_visible(timeout=SLOW)
    assert page.evaluate(PACES, paces) == ""
    row(page, "Van 12").click()
    expect(page.locator("#drawer h2")).to_have_text("Van 12")
    for _ in range(100):
        if page.evaluate(PACES, paces) == " ".join(paces):
            break
        page.wait_for_timeout(200)
    assert page.evaluate(PACES, paces) == " ".join(paces)
