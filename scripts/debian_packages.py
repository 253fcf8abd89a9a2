"""Debian packages unpacked into a private folder and made to run there, without root.

apt resolves, verifies and downloads with folders of its own below ours, so nothing of the system
changes; `dpkg-deb -x` unpacks; patchelf gives every program the folder's own C library and
libraries, so that programs built for Debian 13 run on an older system.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.places import CHECKOUT, ServiceUnavailable

SUITE = "trixie"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class Mirror(NamedTuple):
    """One archive this machine already takes Debian packages from."""

    uri: str
    is_security: bool


class Unpacked(NamedTuple):
    """The root folder of the unpacked packages."""

    root: Path

    @property
    def libraries(self) -> list[Path]:
        folders = [*self.root.glob("usr/lib/*-linux-*"), *self.root.glob("lib/*-linux-*")]
        return [folder for folder in folders if folder.is_dir()]

    @property
    def loader(self) -> Path:
        for folder in self.libraries:
            for candidate in folder.glob("ld-linux*.so.*"):
                return candidate
        raise ServiceUnavailable("The unpacked C library has no loader; run 'make clean'.")


def unpack_packages(
    names: Sequence[str], *, left_out: Iterable[str], into: Path, programs: Sequence[str]
) -> Unpacked:
    """Bring packages and what they need into `into`, once; later calls return at once.

    `left_out` are packages declared as installed already, so that apt brings neither them nor
    what only they need. `programs` are glob patterns, relative to the root, of what shall run.
    Raises ServiceUnavailable where this machine cannot do it.
    """
    root = into / "root"
    stamp = into / "stamp"
    # The loader's absolute path is inside the programs: a moved checkout unpacks anew.
    contents = f"{root}\n{' '.join(names)}\n"
    if stamp.exists() and stamp.read_text() == contents:
        return Unpacked(root)
    patchelf = _find_patchelf()
    for tool in ("apt-get", "dpkg-deb", "dpkg"):
        if shutil.which(tool) is None:
            raise ServiceUnavailable(f"This is no Debian system ({tool} is missing).")
    shutil.rmtree(into, ignore_errors=True)
    root.mkdir(parents=True)
    archives = _download(names, left_out=left_out, workshop=into / "apt")
    for archive in archives:
        _run(["dpkg-deb", "-x", str(archive), str(root)], "unpacking " + archive.name)
    unpacked = Unpacked(root)
    _make_runnable(unpacked, programs, patchelf)
    shutil.rmtree(into / "apt")
    _let_everybody_read(into, root)
    stamp.write_text(contents)
    return unpacked


def _download(names: Sequence[str], *, left_out: Iterable[str], workshop: Path) -> list[Path]:
    configuration = _write_apt_configuration(workshop, left_out)
    apt = ["apt-get", "-c", str(configuration), "-q", "-y"]
    _run([*apt, "update"], "reading the package lists")
    _run([*apt, "install", "--download-only", *names], "downloading the packages")
    archives = sorted((workshop / "archives").glob("*.deb"))
    if not archives:
        raise ServiceUnavailable("apt downloaded no package.")
    return archives


def _write_apt_configuration(workshop: Path, left_out: Iterable[str]) -> Path:
    for folder in ("lists/partial", "archives/partial"):
        (workshop / folder).mkdir(parents=True)
    architecture = _run(["dpkg", "--print-architecture"], "asking for the architecture").strip()
    (workshop / "status").write_text(
        "".join(
            f"Package: {name}\nStatus: install ok installed\nMaintainer: nobody\n"
            f"Architecture: {architecture}\nMulti-Arch: foreign\nVersion: 999\n"
            f"Description: left out\n\n"
            for name in left_out
        )
    )
    signed = f" signed-by={KEYRING}" if KEYRING.exists() else ""
    lines = [
        f"deb [arch={architecture}{signed}] {mirror.uri} "
        f"{SUITE}{'-security' if mirror.is_security else ''} main\n"
        for mirror in debian_mirrors()
    ]
    (workshop / "sources.list").write_text("".join(lines))
    configuration = workshop / "apt.conf"
    # Read after the machine's own configuration (proxy, certificates), so that it wins. The
    # machine's hooks would touch the system's caches.
    configuration.write_text(
        "#clear APT::Update::Pre-Invoke;\n"
        "#clear APT::Update::Post-Invoke;\n"
        "#clear APT::Update::Post-Invoke-Success;\n"
        "#clear DPkg::Pre-Install-Pkgs;\n"
        "#clear DPkg::Pre-Invoke;\n"
        "#clear DPkg::Post-Invoke;\n"
        f'Dir::State "{workshop}";\n'
        f'Dir::State::lists "{workshop}/lists";\n'
        f'Dir::State::status "{workshop}/status";\n'
        f'Dir::State::extended_states "{workshop}/extended_states";\n'
        f'Dir::Cache "{workshop}";\n'
        f'Dir::Cache::archives "{workshop}/archives";\n'
        f'Dir::Etc::sourcelist "{workshop}/sources.list";\n'
        'Dir::Etc::sourceparts "/dev/null";\n'
        'Dir::Etc::preferences "/dev/null";\n'
        'Dir::Etc::preferencesparts "/dev/null";\n'
        f'Dir::Log "{workshop}";\n'
        'Acquire::Languages "none";\n'
        'Acquire::Retries "3";\n'
        'APT::Install-Recommends "false";\n'
        'APT::Sandbox::User "root";\n'
        'APT::Get::AllowUnauthenticated "false";\n'
        'Debug::NoLocking "true";\n'
    )
    return configuration


def debian_mirrors(etc: Path = Path("/etc")) -> list[Mirror]:
    """The Debian archives in this machine's apt sources, without their suites.

    Reads one-line and deb822 files. Raises ServiceUnavailable on anything but Debian.
    """
    release = _read_fields(etc / "os-release")
    if release.get("ID") != "debian":
        raise ServiceUnavailable("This is no Debian system.")
    codename = release.get("VERSION_CODENAME", "stable")
    # dict keeps the order and drops repetitions.
    mirrors: dict[Mirror, None] = {}
    for uri, suite in _apt_sources(etc / "apt"):
        base, _, rest = suite.partition("-")
        if base.partition("/")[0] not in {codename, "stable", "testing", "sid"}:
            continue
        if not rest and "/" not in suite:
            mirrors[Mirror(uri, is_security=False)] = None
        elif rest == "security":
            mirrors[Mirror(uri, is_security=True)] = None
    if not any(not mirror.is_security for mirror in mirrors):
        raise ServiceUnavailable("No Debian archive stands in this machine's apt sources.")
    return list(mirrors)


def _apt_sources(apt: Path) -> Iterator[tuple[str, str]]:
    """Pairs of address and suite of every binary source with the component `main`."""
    for file in (apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))):
        for line in _readable_text(file).splitlines():
            words = re.sub(r"\[.*?\]", "", line).split()
            if len(words) >= 4 and words[0] == "deb" and "main" in words[3:]:
                yield words[1], words[2]
    for file in sorted((apt / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", _readable_text(file)):
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, flags=re.MULTILINE))
            usable = fields.get("Enabled", "yes").strip().lower() != "no"
            if not usable or "main" not in fields.get("Components", "").split():
                continue
            for uri in fields.get("URIs", "").split():
                for suite in fields.get("Suites", "").split():
                    yield uri, suite


def _make_runnable(unpacked: Unpacked, programs: Sequence[str], patchelf: str) -> None:
    found = [path for pattern in programs for path in unpacked.root.glob(pattern)]
    real = {path for path in found if path.is_file() and not path.is_symlink() and _is_elf(path)}
    if not real:
        raise ServiceUnavailable("The packages hold none of the programs looked for.")
    search_path = ":".join(str(folder) for folder in unpacked.libraries)
    for program in sorted(real):
        program.chmod(program.stat().st_mode | 0o200)
        # DT_RPATH, not DT_RUNPATH: it also serves the libraries of libraries and modules, and
        # it comes before an LD_LIBRARY_PATH of the machine's.
        _run(
            [
                *(patchelf, "--set-interpreter", str(unpacked.loader)),
                *("--force-rpath", "--set-rpath", search_path, str(program)),
            ],
            f"setting the loader of {program.name}",
        )


def _find_patchelf() -> str:
    places = [Path(sys.executable).parent, CHECKOUT / ".outrider" / "venv" / "bin"]
    for place in places:
        if (place / "patchelf").exists():
            return str(place / "patchelf")
    found = shutil.which("patchelf")
    if found is None:
        raise ServiceUnavailable("patchelf is missing; 'make setup' installs it.")
    return found


def _let_everybody_read(*folders: Path) -> None:
    # A umask of 077 would hide the programs from the account that runs them.
    for folder in folders:
        folder.chmod(0o755)
    _run(["chmod", "-R", "a+rX", str(folders[-1])], "opening the unpacked folder")


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _read_fields(file: Path) -> dict[str, str]:
    pairs = (line.partition("=") for line in _readable_text(file).splitlines())
    return {name: value.strip('"') for name, _, value in pairs}


def _readable_text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def _run(command: Sequence[str], doing: str) -> str:
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise ServiceUnavailable(f"Failed while {doing}:\n{said}")
    return done.stdout
