"""A platform that runs as it does in production, and a browser in front of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Browser, Page, expect, sync_playwright

from scripts.static_files import collect_static_files
from tests.browser.mailbox import Mailbox
from tests.telemetry.platform import CHECKOUT, Platform, free_port, running_platform, wait_for_port

# Two browsers that draw by software share two cores with two platforms.
expect.set_options(timeout=20_000)

PASSWORD = "correct horse battery staple"
FLAGS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader", "--disable-gpu-compositing", "--disable-gpu-rasterization",
]  # fmt: skip

WORLD = f"""
import json
from fleet.models import Fleet, Meter, Vehicle
from tenants import services
from tenants.actors import Actor
from tenants.models import Scope, User
tokens = {{}}
for name in ("north", "south"):
    owner = User.objects.create_user(name + "@example.org", {PASSWORD!r})
    tenant = services.create_organisation(name=name.title(), slug=name, owner=owner)
    actor = Actor.command(tenant, "test")
    scopes = [Scope.TELEMETRY_WRITE, Scope.TELEMETRY_READ]
    tokens[name] = services.issue_token(actor=actor, name="test", scopes=scopes)[1]
    fleet = Fleet.objects.create(tenant=tenant, reference="F1", name=name + " vans")
    if name == "north":
        for n in range(1, 13):
            Vehicle.objects.create(tenant=tenant, fleet=fleet, reference=f"V{{n}}",
                                   name=f"Van {{n:02}}", plate=f"N-{{n:03}}")
        Meter.objects.create(tenant=tenant, fleet=fleet, reference="M1", name="Bay 1")
print(json.dumps(tokens))
"""


@dataclass
class Site:
    """The pages' address, and a way to be a device."""

    platform: Platform
    tokens: dict[str, str]
    port: int
    web: subprocess.Popen[bytes]
    mailbox: Mailbox

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start_web(self) -> None:
        daphne = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port)]
        self.web = self.platform.start(*daphne, "config.asgi:application")
        wait_for_port(self.port)

    def stop_web(self) -> None:
        self.web.terminate()
        self.web.wait(timeout=30)

    def say(self, *readings: dict[str, Any], seconds_ago: float = 0) -> None:
        """Send readings as an integration does; `timestamp` defaults to now."""
        now = datetime.fromtimestamp(time.time() - seconds_ago, tz=UTC).isoformat()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.platform.port}/v1/telemetry/ingest",
            data=json.dumps([{"timestamp": now} | each for each in readings]).encode(),
            headers={
                "Authorization": f"Bearer {self.tokens['north']}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 (loopback)
            assert answer.status == 202


@pytest.fixture(scope="session")
def site(django_db_setup):
    mailbox = Mailbox()
    mailbox.controller.start()
    with running_platform() as platform:
        # Its own map: the tests reach nothing beyond this machine.
        platform.environment |= {
            "HTTPS_ONLY": "false",
            "MAP_STYLE_URL": "",
            "MAP_STYLE_DARK_URL": "",
            "EMAIL_URL": mailbox.url,
            # Webhooks of the tests go to receivers on this machine.
            "ALERTS_ALLOW_PRIVATE_WEBHOOKS": "true",
        }
        collect_static_files(platform.environment)
        made = platform.manage("shell", "-v", "0", "-c", WORLD)
        assert made.returncode == 0, made.stderr
        platform.start(sys.executable, "manage.py", "run_live")
        site = Site(platform, json.loads(made.stdout.splitlines()[-1]), free_port(), None, mailbox)
        site.start_web()
        yield site
    mailbox.controller.stop()
    connections.close_all()


@pytest.fixture(scope="session")
def browser(site) -> Any:
    program = os.environ.get("OUTRIDER_CHROMIUM") or shutil.which("chromium")
    if program is None:
        pytest.skip("needs a Chromium, which make setup brings")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def sessions(site, browser) -> dict[str, Any]:
    """Logged in once as each organisation's owner: hashing a password takes its time."""
    states = {}
    for name in ("north", "south"):
        context = browser.new_context()
        page = context.new_page()
        page.goto(site.url)
        page.fill("input[name=login]", f"{name}@example.org")
        page.fill("input[name=password]", PASSWORD)
        page.click("button.button--main")
        page.wait_for_selector("#pulse[data-state=live]", timeout=20_000)
        states[name] = context.storage_state()
        context.close()
    return states


@pytest.fixture
def complaints():
    """What the console of a page said; anything left of it fails the test."""
    said: list[str] = []
    yield said
    assert said == []


@pytest.fixture
def opens(site, browser: Browser, sessions, complaints):
    """Opens a page, by default as the owner of north."""
    contexts = []

    def opened(path="/", *, who="north", wait=True, prepared=None, **options) -> Page:
        options.setdefault("viewport", {"width": 1440, "height": 900})
        context = browser.new_context(
            storage_state=sessions[who] if who else None, reduced_motion="reduce", **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(error.stack or str(error)))
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        if prepared:
            prepared(page)
        page.goto(site.url + path)
        if wait:
            page.wait_for_selector("#pulse[data-state=live]", timeout=20_000)
        return page

    yield opened
    for context in contexts:
        context.close()


AXE = CHECKOUT / "node_modules" / "axe-core" / "axe.min.js"
# Of what is right it would note every element, thousands a page.
AXE_RUN = """async rules => {
  const found = await axe.run(document, {
    runOnly: {type: "tag", values: rules}, resultTypes: ["violations"],
  });
  return found.violations;
}"""


@pytest.fixture
def faults():
    """What axe-core finds wrong on a page by WCAG 2.2, A and AA."""

    def found(page: Page) -> list[str]:
        if not page.evaluate("() => 'axe' in window"):
            page.evaluate(AXE.read_text())
        rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
        violations = page.evaluate(AXE_RUN, rules)
        return [
            f"{fault['id']}: {node['html'][:120]} {node['failureSummary'][:160]}"
            for fault in violations
            for node in fault["nodes"]
        ]

    return found
