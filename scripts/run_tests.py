"""Every check and every test there is: `make test`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import services
from scripts.browser import find_browser
from scripts.checks import run_checks
from scripts.places import CHECKOUT, ServiceUnavailable
from scripts.static_files import collect_static_files

# Schemathesis takes seconds to load in each process; only the first suite needs it.
LIGHT = ["-p", "no:schemathesis"]
# Apart: a browser's event loop broke asynchronous tests beside it, and tests that kill
# processes want no others beside them.
SUITES = {
    # What waits for processes of its own leaves time for a third. Properties are tried on the
    # same examples in every run; `pytest` by itself looks for new ones.
    "tests": [
        *("-n", "3", "--dist", "worksteal", "-m", "not browser and not crash"),
        "--hypothesis-profile=ci",
    ],
    # Two browsers, each before a platform of its own; a file's tests share what it has made.
    # They draw by software on a busy machine: one more try, told at the end.
    "browser": ["-n", "2", "--dist", "loadfile", "-m", "browser", "--reruns", "1", "-rR", *LIGHT],
    # Their processes wait for one another most of the time. Handed out one by one: some take a
    # minute, and none should wait behind them.
    "crash": ["-n", "3", "--maxschedchunk", "1", "-m", "crash", *LIGHT],
}


def run_suites(environment: dict[str, str]) -> tuple[list[str], Counter[str]]:
    """Run every suite; returns the names of the failed ones and the counts of outcomes.

    A suite without a single test has failed: tests were lost.
    """
    failed: list[str] = []
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for name, selection in SUITES.items():
            report = Path(folder) / f"{name}.xml"
            print(f"\n=== {name} ===", flush=True)
            done = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "pytest",
                    "-q",
                    f"--junitxml={report}",
                    "--durations=12",
                    *selection,
                    *_files_marked(name),
                ],
                cwd=CHECKOUT,
                env=environment,
                stdin=subprocess.DEVNULL,
                check=False,
            )
            if done.returncode != 0:
                failed.append(name)
            counts += _outcomes(report)
    return failed, counts


def _files_marked(suite: str) -> list[str]:
    """The files that name the suite's mark: to look at all others first takes longer than some
    suites. None for the one that takes whatever no other does."""
    files = sorted((CHECKOUT / "tests").rglob("test_*.py"))
    return [str(file) for file in files if f"pytest.mark.{suite}" in file.read_text()]


def _outcomes(report: Path) -> Counter[str]:
    if not report.exists():
        return Counter()
    suite = ElementTree.parse(report).getroot().find("testsuite")  # noqa: S314  (pytest's own)
    if suite is None:
        return Counter()
    failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    skipped = int(suite.get("skipped", 0))
    passed = int(suite.get("tests", 0)) - failed - skipped
    return Counter(passed=passed, failed=failed, skipped=skipped)


def main() -> int:
    """Run everything; returns the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started: list[str] = []
    try:
        started = services.up()
        environment = {**os.environ, **services.addresses()}
        browser = find_browser()
        if browser is not None:
            environment["OUTRIDER_CHROMIUM"] = str(browser)
        failed = run_checks()
        collect_static_files(environment)
        failed_suites, counts = run_suites(environment)
    except (ServiceUnavailable, subprocess.CalledProcessError) as reason:
        print(reason, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        services.down(started)
    failed += failed_suites
    if failed:
        print(f"\nFailed: {', '.join(failed)}", flush=True)
    print(
        f"\n{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped",
        flush=True,
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
