"""A Chromium for the browser tests: the machine's, else Debian's package below `.outrider/`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from scripts.debian_packages import Unpacked, unpack_packages
from scripts.places import STATE, ServiceUnavailable

WRAPPER = STATE / "bin" / "chromium"

_PACKAGES = ("chromium", "fonts-dejavu-core", "fontconfig-config")
# Desktop integration, printing, hardware drivers and what only maintainer scripts run.
_LEFT_OUT = (
    "adwaita-icon-theme",
    "dbus",
    "dconf-gsettings-backend",
    "debconf",
    "gtk-update-icon-cache",
    "hicolor-icon-theme",
    "init-system-helpers",
    "libgtk-3-0t64",
    "libllvm19",
    "perl",
    "perl-base",
    "procps",
    "shared-mime-info",
    "systemd",
    "ucf",
    "x11-common",
    "xdg-desktop-portal-backend",
    "xdg-utils",
)
_RUNNABLE = ("usr/lib/chromium/chromium", "usr/lib/chromium/chrome_crashpad_handler")


def find_browser() -> Path | None:
    """The Chromium to test with, None if there is none (yet)."""
    given = os.environ.get("OUTRIDER_CHROMIUM")
    if given:
        return Path(given)
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    return WRAPPER if WRAPPER.exists() else None


def ensure_browser(*, say: Callable[[str], None]) -> Path:
    """The Chromium to test with, unpacked if need be. Raises ServiceUnavailable."""
    found = find_browser()
    if found is not None and found != WRAPPER:
        return found
    directory = STATE / "browser"
    if found is None:
        say("Unpacking Chromium into .outrider/browser …")
    try:
        unpacked = unpack_packages(
            _PACKAGES, left_out=_LEFT_OUT, into=directory, programs=_RUNNABLE
        )
    except ServiceUnavailable as reason:
        raise ServiceUnavailable(
            f"{reason}\n\nThe browser tests need Chromium: install it, or name one in "
            "OUTRIDER_CHROMIUM."
        ) from reason
    _write_wrapper(unpacked, directory / "fonts.conf")
    said = subprocess.run(
        [WRAPPER, "--version"], capture_output=True, text=True, check=False, timeout=60
    )
    if said.returncode != 0:
        raise ServiceUnavailable(f"The unpacked Chromium does not run:\n{said.stderr}")
    return WRAPPER


def _write_wrapper(unpacked: Unpacked, fonts: Path) -> None:
    root = unpacked.root
    # Some libraries carry a run path of their own (libpulse), which hides the program's.
    private = [folder / "pulseaudio" for folder in unpacked.libraries]
    search_path = ":".join(str(folder) for folder in (*unpacked.libraries, *private))
    # Debian's fonts.conf names absolute folders, which are not where we unpacked the fonts.
    fonts.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n'
        f"<fontconfig><dir>{root}/usr/share/fonts</dir><dir>/usr/share/fonts</dir>"
        f'<cachedir prefix="xdg">fontconfig</cachedir></fontconfig>\n'
    )
    WRAPPER.parent.mkdir(parents=True, exist_ok=True)
    WRAPPER.write_text(
        "#!/bin/sh\n"
        f"export FONTCONFIG_FILE='{fonts}' LD_LIBRARY_PATH='{search_path}'\n"
        f"exec '{root}/usr/lib/chromium/chromium' \"$@\"\n"
    )
    WRAPPER.chmod(0o755)
