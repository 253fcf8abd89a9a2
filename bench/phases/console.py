"""The console in a real browser: Live with ten thousand vehicles that report every five
seconds through the whole pipeline, a long chart, and what each page weighs.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from playwright.sync_api import Browser, Page

from bench.crowded import OWNER, PASSWORD
from bench.eyes import SPEEDS, chromium, kept_mib, opened_page, session_of, wait_for, weight_kb
from bench.installation import Installation, opened
from bench.measure import summary_ms
from bench.options import Options
from bench.phases.edge import processes
from bench.product import ROOT, wait_for_port
from bench.say import say
from bench.seed import Seed, sow

VEHICLES = 10_000
CHARTS = (
    ("charts of", "V0", 100_000, timedelta(seconds=25)),
    ("charts of thirty days,", "V1", 259_200, timedelta(seconds=10)),
)
"""Whose, of how many readings, one in how much time; a page shows 31 days at most."""
VIEWS = {
    "the country in sight, in rings": "selected=vehicle:V0&map=-7,32,5.5",
    "a town in sight, 700 symbols": "selected=vehicle:V0&map=-6.84,33.97,11.5",
}
PROBE_EVERY_S = 0.4
SPEEDS_OF_PROBE = range(31, 119)
LOOKS = 3
PAGES = {
    "Live": "/",
    "Vehicle": "/vehicles/V0/",
    "Vehicles": "/vehicles",
    "Devices": "/devices",
    "Energy": "/energy",
    "Quality": "/quality",
    "Operations": "/operations",
    "Alerts": "/alerts",
    "Settings": "/settings/",
}


def in_a_browser(folder: Path, options: Options) -> dict[str, Any]:
    """`options.ui_seconds` of each view of Live; the rest takes a minute."""
    settings = {
        "STATICFILES_BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage",
        # Its own map: nothing beyond this machine is measured.
        "MAP_STYLE_URL": "",
        "MAP_STYLE_DARK_URL": "",
    }
    seconds = 30 if options.quick else options.ui_seconds
    with opened(folder, processes(options), vehicles=len(CHARTS), settings=settings) as (
        installation,
        credentials,
    ):
        say("static files, vehicles, history")
        installation.run("manage.py", "collectstatic", "--no-input", "-v", "0")
        installation.start("web")  # It reads what there is when it starts.
        wait_for_port(installation.web_port)
        installation.run("-m", "bench.crowded", str(VEHICLES))
        until = _history(installation, credentials)
        url = f"http://127.0.0.1:{installation.web_port}"
        with _traffic(installation, len(VIEWS) * seconds) as traffic, chromium() as browser:
            session = session_of(browser, url, OWNER, PASSWORD)
            time.sleep(6)  # until every vehicle has been heard
            first = _first_looks(browser, session, url)
            say(json.dumps(first))
            live = [
                _live(browser, session, f"{url}/?{view}", installation, credentials, seconds)
                | {"view": name}
                for name, view in VIEWS.items()
            ]
            say(json.dumps(live))
            charts = [
                _charts(browser, session, f"{url}/vehicles/{vehicle}/", until, rows * interval)
                | {"what": what, "readings": rows}
                for what, vehicle, rows, interval in CHARTS
            ]
            say(json.dumps(charts))
            weights = {
                name: weight_kb(browser, session, url + path) for name, path in PAGES.items()
            }
            traffic.terminate()
        if died := installation.died():
            raise RuntimeError(f"{died}: {installation.log(died[0])[-2000:]}")
    return {
        "vehicles": VEHICLES,
        "first_look": first,
        "live": live,
        "charts": charts,
        "page_kb": weights,
    }


def _history(installation: Installation, credentials: dict[str, Any]) -> datetime:
    """Of the vehicles whose charts are looked at; returns when it ends."""
    until = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    devices = {device["reference"]: device["vehicle_id"] for device in credentials["devices"]}
    with psycopg.connect(installation.postgres.url, autocommit=True) as connection:
        for _what, vehicle, rows, interval in CHARTS:
            sow(connection, Seed(rows, [devices[vehicle]], [], until, interval))
    return until


@contextmanager
def _traffic(installation: Installation, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    driving = subprocess.Popen(
        [
            *(sys.executable, "-m", "bench.traffic"),
            *("--credentials", str(installation.credentials)),
            *("--port", str(installation.ingest_port)),
            *("--vehicles", str(VEHICLES), "--seconds", str(seconds + 600)),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield driving
    finally:
        driving.kill()
        driving.wait()


def _first_looks(browser: Browser, session: Any, url: str) -> dict[str, Any]:
    """From the request to the frame with the first rows of the list, with the fleet on the map,
    with all of it counted: with an empty cache, the middle and the worst of several."""
    looks = []
    for _ in range(LOOKS):
        with opened_page(browser, session, expected=VEHICLES) as page:
            page.goto(url)
            for what in ("rows", "map", "all"):
                wait_for(page, f"window.seen.firsts.{what}")
            looks.append(page.evaluate("window.seen.firsts"))
    return {
        f"{what}_ms": {
            "middle": round(sorted(look[what] for look in looks)[LOOKS // 2]),
            "worst": round(max(look[what] for look in looks)),
        }
        for what in ("rows", "map", "all")
    }


def _live(
    browser: Browser,
    session: Any,
    address: str,
    installation: Installation,
    credentials: dict[str, Any],
    seconds: float,
) -> dict[str, Any]:
    with opened_page(browser, session, expected=VEHICLES) as page:
        tools = page.context.new_cdp_session(page)
        page.goto(address)
        wait_for(page, "window.seen.firsts.all")
        page.wait_for_timeout(5000)
        page.evaluate(SPEEDS)
        page.evaluate("seen.tasks.length = seen.frames.length = 0")
        said: list[tuple[int, float]] = []
        stop = threading.Event()
        probe = threading.Thread(target=_probe, args=(installation, credentials, said, stop))
        probe.start()
        begun = time.monotonic()
        page.wait_for_timeout(1000 * min(60, seconds / 3))
        early = kept_mib(tools)
        page.wait_for_timeout(max(0, 1000 * (seconds - (time.monotonic() - begun))))
        stop.set()
        probe.join()
        page.wait_for_timeout(1500)
        late = kept_mib(tools)
        seen = page.evaluate("({...window.seen, speeds: window.speeds})")
    waits = _waits(said, seen["speeds"])
    if not waits:
        raise RuntimeError(f"of {len(said)} readings none came to the screen: {seen['speeds'][:5]}")
    return {
        "seconds": round(seconds),
        **_held_up(seen["tasks"], seen["frames"], seconds),
        "reading_to_screen": summary_ms(waits) | {"sent": len(said)},
        "memory": {"after_a_minute": early, "at_the_end": late},
    }


def _probe(
    installation: Installation,
    credentials: dict[str, Any],
    said: list[tuple[int, float]],
    stop: threading.Event,
) -> None:
    """The vehicle that is looked at gives another speed each time."""
    turn = 0
    while not stop.wait(PROBE_EVERY_S):
        speed = SPEEDS_OF_PROBE[turn % len(SPEEDS_OF_PROBE)]
        turn += 1
        body = {"vehicle_id": "V0", "time": int(time.time() * 1000), "speed_kmh": float(speed)}
        body |= {"lat": 33.97, "lon": -6.84}
        sent = time.time() * 1000
        if installation.post("/v1/telemetry/ingest", body, credentials["token"]) == 202:
            said.append((speed, sent))


def _waits(said: list[tuple[int, float]], seen: list[list[float]]) -> list[float]:
    """Seconds from sending (a little before acceptance) to the frame that showed it. What was
    overtaken by the next one before a frame was drawn is not counted: it was never due. A speed
    that was not sent by the probe is passed over."""
    waits, at = [], 0
    for speed, when in seen:
        sent = (n for n in range(at, len(said)) if said[n][0] == speed and said[n][1] <= when)
        if (found := next(sent, None)) is not None:
            waits.append((when - said[found][1]) / 1000)
            at = found + 1
    return waits


def _held_up(tasks: list[list[float]], frames: list[list[Any]], seconds: float) -> dict[str, Any]:
    """How long the main thread was held up at a time: by anything at all (the software renderer
    and the other processes of this machine make a task longer), and by which of our scripts."""
    durations = sorted(duration for _, duration in tasks)
    over = [duration for duration in durations if duration > 50]
    scripts = sorted(frames, key=lambda script: -float(script[0]))
    return {
        "long_tasks": {
            "count": len(over),
            "longest_ms": round(durations[-1]) if durations else 0,
            "share": round(sum(over) / seconds / 1000, 4),
        },
        "scripts": {
            "over_50_ms": sum(1 for script in scripts if float(script[0]) > 50),
            "longest_ms": round(float(scripts[0][0])) if scripts else 0,
            "longest": [[round(float(took)), *named] for took, *named in scripts[:5]],
        },
    }


def _charts(
    browser: Browser, session: Any, address: str, until: datetime, length: timedelta
) -> dict[str, Any]:
    """From opening the page to the drawn charts, its files being in the browser's cache; and, on
    the open page, from asking for the period to its answer and to the drawn charts."""
    since = until - length
    period = f"?from={since:%Y-%m-%dT%H:%M:%SZ}&to={until:%Y-%m-%dT%H:%M:%SZ}"
    opened, asked = [], []
    with opened_page(browser, session) as page:
        for _ in range(1 + LOOKS):
            page.goto(address + period)
            opened.append(_drawn(page))
        for _ in range(LOOKS):
            page.wait_for_timeout(1500)  # until the map rests
            page.evaluate(_ASK_AGAIN, period)
            asked.append(_drawn(page))
    return {
        "opened_ms": _middle(look["opened"] for look in opened[1:]),
        "answered_ms": _middle(look["answered"] for look in asked),
        "drawn_ms": _middle(look["drawn"] for look in asked),
    }


def _drawn(page: Page) -> dict[str, float]:
    wait_for(page, "document.documentElement.dataset.drawnMs")
    return dict(page.evaluate(_DRAWN))


def _middle(times: Iterable[float]) -> int:
    return round(statistics.median(times))


_DRAWN = """(() => {
  const fetched = performance.getEntriesByType("resource");
  const asked = fetched.findLast(({ name }) => name.includes("/recording"));
  const drawn = Number(document.documentElement.dataset.drawnMs);
  return { answered: asked.duration, drawn, opened: asked.startTime + drawn };
})()"""

_ASK_AGAIN = """(period) => {
  delete document.documentElement.dataset.drawnMs;
  history.replaceState(null, "", period);
  dispatchEvent(new PopStateEvent("popstate"));
}"""
"""As the back button does."""
