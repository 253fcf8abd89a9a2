"""Everything that can be said about the code without running its tests: `make check`."""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import services
from scripts.places import CHECKOUT, STATE, ServiceUnavailable

PROGRAMS = STATE / "venv" / "bin"
OPENAPI = CHECKOUT / "docs" / "openapi.yaml"
MANAGE = [sys.executable, "manage.py"]
SCHEMA = [*MANAGE, "spectacular", "--validate", "--fail-on-warn", "--file"]

AT_ONCE = 2
"""mypy takes as long as all the others."""
CHECKS = {
    "types": [str(PROGRAMS / "mypy"), "."],
    "ruff": [str(PROGRAMS / "ruff"), "check", "."],
    "formatting": [str(PROGRAMS / "ruff"), "format", "--check", "."],
    "imports": [str(PROGRAMS / "lint-imports")],
    "migrations": [*MANAGE, "makemigrations", "--check", "--dry-run"],
    "deployment": [*MANAGE, "check", "--deploy", "--fail-level", "WARNING"],
}


def run_checks() -> list[str]:
    """Run every check, tell of each, and return the names of those that failed."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        passed = dict(zip(CHECKS, pool.map(_passes, CHECKS, CHECKS.values()), strict=True))
    failed = [name for name in CHECKS if not passed[name]]
    if not _openapi_is_unchanged():
        failed.append("openapi")
    return failed


def write_openapi() -> bool:
    """Write docs/openapi.yaml anew; False if the schema has errors or warnings."""
    OPENAPI.parent.mkdir(exist_ok=True)
    return subprocess.run([*SCHEMA, str(OPENAPI)], cwd=CHECKOUT, check=False).returncode == 0


def _passes(name: str, command: list[str]) -> bool:
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    passed = done.returncode == 0
    told = "" if passed else done.stdout
    print(f"{'ok' if passed else 'FAILED':7}{name}\n{told}", end="", flush=True)
    return passed


def _openapi_is_unchanged() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "openapi.yaml"
        if not _passes("openapi schema", [*SCHEMA, str(fresh)]):
            return False
        committed = OPENAPI.read_text() if OPENAPI.exists() else ""
        difference = difflib.unified_diff(
            committed.splitlines(),
            fresh.read_text().splitlines(),
            "committed",
            "fresh",
            lineterm="",
        )
        lines = list(difference)
    print(f"{'FAILED' if lines else 'ok':7}openapi file", flush=True)
    if lines:
        print("\n".join(lines[:60]), "\n'make openapi' writes docs/openapi.yaml anew.", flush=True)
    return not lines


def _environment() -> dict[str, str]:
    # What holds for a deployment is checked, whatever this shell is set to.
    return {**os.environ, "DEBUG": "false", "HTTPS_ONLY": "true"}


def main(arguments: list[str]) -> int:
    """Carry out the command line; returns the exit status."""
    started: list[str] = []
    try:
        started = services.up()
        if arguments == ["--write-openapi"]:
            return 0 if write_openapi() else 1
        failed = run_checks()
    except ServiceUnavailable as reason:
        print(reason, file=sys.stderr)
        return 1
    finally:
        services.down(started)
    if failed:
        print(f"Failed: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
