"""Collects static files under hashed names, if anything they are made from changed."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from scripts.places import CHECKOUT, STATE

STAMP = STATE / "static.stamp"


def collect_static_files(environment: Mapping[str, str]) -> None:
    """Run collectstatic unless the files it would find are those of the last time."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "static.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one at a time: the next then finds them collected
        wanted = _fingerprint()
        manifest = CHECKOUT / "staticfiles" / "staticfiles.json"
        if STAMP.exists() and STAMP.read_text() == wanted and manifest.exists():
            return
        command = [sys.executable, "manage.py", "collectstatic", "--no-input", "--clear", "-v", "0"]
        subprocess.run(command, cwd=CHECKOUT, env=dict(environment), check=True)
        STAMP.write_text(wanted)


def _fingerprint() -> str:
    digest = hashlib.sha256()
    own = [path for path in (CHECKOUT / "static").rglob("*") if path.is_file()]
    # Packages change only with their lock; the settings and finders say what is taken of them.
    deciding = (
        *("package-lock.json", "requirements.txt", "scripts/build_map.mjs"),
        *("config/settings.py", "config/finders.py"),
    )
    for path in (*sorted(own), *(CHECKOUT / name for name in deciding)):
        digest.update(f"{path}\0".encode())
        digest.update(_contents(path))
    return digest.hexdigest()


def _contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
