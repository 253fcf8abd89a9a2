"""Everything that can be said about the code without running its tests: `make check`."""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import services
from scripts.places import CHECKOUT, STATE, ServiceUnavailable

PROGRAMS = STATE / "venv" / "bin"
OPENAPI = CHECKOUT / "docs" / "openapi.yaml"
MANAGE = [sys.executable, "manage.py"]
SCHEMA = [*MANAGE, "spectacular", "--validate", "--fail-on-warn", "--file"]

CHECKS = {
    "ruff": [str(PROGRAMS / "ruff"), "check", "."],
    "formatting": [str(PROGRAMS / "ruff"), "format", "--check", "."],
    "types": [str(PROGRAMS / "mypy"), "."],
    "imports": [str(PROGRAMS / "lint-imports")],
    "migrations": [*MANAGE, "makemigrations", "--check", "--dry-run"],
    "deployment": [*MANAGE, "check", "--deploy", "--fail-level", "WARNING"],
}


def run_checks() -> list[str]:
    """Run every check, tell of each, and return the names of those that failed."""
    failed = [name for name, command in CHECKS.items() if not _passes(name, command)]
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
    print(f"{'ok' if passed else 'FAILED':7}{name}", flush=True)
    if not passed:
        print(done.stdout, flush=True)
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
