"""Reading this machine's apt sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.debian_packages import Mirror, debian_mirrors
from scripts.places import ServiceUnavailable

DEBIAN = 'ID=debian\nVERSION_CODENAME="bookworm"\n'


def machine(etc: Path, files: dict[str, str], release: str = DEBIAN) -> Path:
    for name, text in {"os-release": release, **files}.items():
        path = etc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return etc


def test_it_reads_deb822_sources(tmp_path: Path) -> None:
    etc = machine(
        tmp_path,
        {
            "apt/sources.list.d/debian.sources": (
                "Types: deb\n# a remark\nURIs: http://mirror.example/debian\n"
                "Suites: bookworm bookworm-updates\nComponents: main contrib\n\n"
                "Types: deb\nURIs: http://mirror.example/debian-security\n"
                "Suites: bookworm-security\nComponents: main\n"
            )
        },
    )
    assert debian_mirrors(etc) == [
        Mirror("http://mirror.example/debian", is_security=False),
        Mirror("http://mirror.example/debian-security", is_security=True),
    ]


def test_it_reads_one_line_sources(tmp_path: Path) -> None:
    etc = machine(
        tmp_path,
        {
            "apt/sources.list": (
                "# deb http://old.example/debian bookworm main\n"
                "deb [arch=amd64 signed-by=/a/b] http://mirror.example/debian bookworm main\n"
                "deb-src http://mirror.example/debian bookworm main\n"
                "deb http://mirror.example/debian bookworm-backports main\n"
            )
        },
    )
    assert debian_mirrors(etc) == [Mirror("http://mirror.example/debian", is_security=False)]


def test_it_takes_no_disabled_and_no_foreign_source(tmp_path: Path) -> None:
    etc = machine(
        tmp_path,
        {
            "apt/sources.list": "deb http://vendor.example/apt nodistro main\n",
            "apt/sources.list.d/off.sources": (
                "Enabled: no\nTypes: deb\nURIs: http://mirror.example/debian\n"
                "Suites: bookworm\nComponents: main\n"
            ),
        },
    )
    with pytest.raises(ServiceUnavailable, match="No Debian archive"):
        debian_mirrors(etc)


def test_it_refuses_another_distribution(tmp_path: Path) -> None:
    etc = machine(tmp_path, {}, release="ID=ubuntu\nVERSION_CODENAME=noble\n")
    with pytest.raises(ServiceUnavailable, match="no Debian"):
        debian_mirrors(etc)
