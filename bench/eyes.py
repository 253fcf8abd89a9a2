"""A Chromium that measures what a person sees: when a page is useful, how long its main thread
is held up, when a reading stands on the screen, what a page weighs, what memory it keeps.

Times are taken inside the page: whoever drives a browser is not quick enough to tell.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from bench.product import ROOT
from scripts.browser import find_browser
from scripts.screenshots import FLAGS

WATCH = (ROOT / "bench" / "watch.js").read_text()

SPEEDS = (ROOT / "bench" / "speeds.js").read_text()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Renders by software, as the machines that measure have no graphics card."""
    program = find_browser()
    if program is None:
        raise SystemExit("There is no Chromium; `make bench-ui` brings one.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def session_of(browser: Browser, url: str, email: str, password: str) -> Any:
    """Cookies of somebody who has logged in."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{url}/accounts/login/")
    page.fill("input[name=login]", email)
    page.fill("input[name=password]", password)
    page.click("button.button--main")
    page.wait_for_url(lambda address: "login" not in address, timeout=60_000)
    state = context.storage_state()
    context.close()
    return state


@contextmanager
def opened_page(browser: Browser, session: Any, *, expected: int = 0) -> Iterator[Page]:
    """A page of a browser that has seen nothing of the site yet, with eyes in it."""
    context = browser.new_context(storage_state=session, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.add_init_script(f"window.expected = {expected};{WATCH}")
    try:
        yield page
    finally:
        context.close()


def wait_for(page: Page, expression: str, seconds: float = 60) -> Any:
    """The value of an expression once it has one. Asked from outside: the pages' policy lets
    nobody evaluate text inside them."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := page.evaluate(expression):
            return value
        page.wait_for_timeout(50)
    raise AssertionError(f"{expression} stayed empty for {seconds} s")


def kept_mib(tools: CDPSession) -> dict[str, float]:
    """What is left of the heap when all that can go has gone."""
    for _ in range(3):
        tools.send("HeapProfiler.collectGarbage")
    heap = tools.send("Runtime.getHeapUsage")
    counted = tools.send("Memory.getDOMCounters")
    return {
        "heap_mib": round(heap["usedSize"] / 2**20, 1),
        "nodes": counted["nodes"],
        "listeners": counted["jsEventListeners"],
    }


def weight_kb(browser: Browser, session: Any, address: str) -> float:
    """Kilobytes as they came over the wire, the map library and its map not counted."""
    with opened_page(browser, session) as page:
        tools = page.context.new_cdp_session(page)
        tools.send("Network.enable")
        names: dict[str, str] = {}
        sizes: dict[str, float] = {}
        tools.on(
            "Network.responseReceived",
            lambda event: names.update({event["requestId"]: event["response"]["url"]}),
        )
        tools.on(
            "Network.loadingFinished",
            lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}),
        )
        page.goto(address)
        page.wait_for_timeout(2500)
        return round(
            sum(
                size
                for request, size in sizes.items()
                if "maplibre" not in names.get(request, "")
                and "/map/" not in names.get(request, "")
            )
            / 1000,
            1,
        )
