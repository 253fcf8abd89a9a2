"""Pictures of every page, from the demonstration: `make screenshots` writes `docs/images/`.

Light and dark, on a desk (1440 px) and on a phone (390 px). Runs a demonstration of its own
and stops it at the end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import Browser, Page, sync_playwright

from scripts.browser import find_browser
from scripts.places import CHECKOUT, STATE

PORT = 8790
ADDRESS = f"http://127.0.0.1:{PORT}"
OWNER = "owner@atlas.example"
WARM_UP_S = 240
"""Seconds before the first picture: the fleet drives, and the week before it is filled in."""
SLOW = {"live", "wall", "vehicle", "alert", "geofence", "rule"}
"""Pages whose maps and charts take a moment."""
SIZES = {"desk": (1440, 900), "phone": (390, 844)}
PAGES = {
    "live": "/",
    "wall": "/?wall=1",
    "handover": "/handover?since=24h",
    "alerts": "/alerts",
    "alert": "/alerts?state=all",
    "rules": "/alerts/rules",
    "rule": "/alerts/rules/new",
    "channels": "/alerts/channels",
    "channel-new": "/alerts/channels/new",
    "deliveries": "/alerts/deliveries",
    "geofences": "/geofences",
    "geofence": "/geofences/new",
    "vehicles": "/vehicles",
    "vehicle": "/vehicles/V00001/",
    "meters": "/meters",
    "fleets": "/fleets",
    "devices": "/devices",
    "device-new": "/devices/new",
    "import": "/vehicles/import",
    "energy": "/energy",
    "quality": "/quality",
    "operations": "/operations",
    "settings": "/settings/",
    "members": "/settings/members",
    "tokens": "/settings/tokens",
    "audit": "/settings/audit",
    "profile": "/settings/profile",
    "start": "/start",
}
# A software renderer draws the map; the rest keeps the browser from calling home.
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
]


def main() -> int:
    folder = CHECKOUT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    demo = subprocess.Popen(
        [sys.executable, "scripts/demo.py", "--vehicles", "60", "--port", str(PORT)],
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until_healthy(demo)
        time.sleep(WARM_UP_S)
        browser_path = os.environ.get("OUTRIDER_CHROMIUM") or str(find_browser())
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
            for scheme in ("light", "dark"):
                for size in SIZES:
                    take(browser, folder, scheme, size)
            browser.close()
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.wait(60)
    return 0


def wait_until_healthy(demo: subprocess.Popen[bytes], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and demo.poll() is None:
        try:
            with urllib.request.urlopen(f"{ADDRESS}/healthz", timeout=2):  # noqa: S310
                return
        except OSError:
            time.sleep(0.5)
    raise SystemExit("The demonstration did not start; .outrider/logs may tell why.")


def take(browser: Browser, folder: Path, scheme: str, size: str) -> None:
    """Every page in one theme and one size."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(f"{ADDRESS}/accounts/login/")
    page.screenshot(path=folder / f"login-{scheme}-{size}.png")
    page.fill("input[name=login]", OWNER)
    page.fill("input[name=password]", (STATE / "demo_password").read_text().strip())
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "login" not in url)
    for name, path in PAGES.items():
        page.goto(ADDRESS + path)
        if name == "alert" and not opens_an_alert(page):
            continue
        page.wait_for_timeout(5000 if name in SLOW else 1500)
        page.screenshot(path=folder / f"{name}-{scheme}-{size}.png")
    context.close()


def opens_an_alert(page: Page) -> bool:
    """From the list of alerts to the first of them; False if there is none yet."""
    first = page.evaluate("""() => [...document.links].map((link) => link.pathname)
        .find((path) => /^\\/alerts\\/[0-9a-f-]{36}$/.test(path))""")
    if first is not None:
        page.goto(ADDRESS + first)
    return first is not None


if __name__ == "__main__":
    sys.exit(main())
