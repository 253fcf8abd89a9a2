"""Where the embedded services of this checkout live, and as whom they run."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parent.parent
STATE = CHECKOUT / ".outrider"

# sockaddr_un holds 107 characters and a terminator; the server adds its own file name.
LONGEST_SOCKET_DIRECTORY = 85


class ServiceUnavailable(Exception):
    """A service cannot be had on this machine; the text tells the person what to do."""


class Account(NamedTuple):
    """An unprivileged account: PostgreSQL refuses to run as root."""

    name: str
    uid: int
    gid: int


def service_account() -> Account | None:
    """The account the services run under when we are root; None keeps the caller's own."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise ServiceUnavailable(
        "PostgreSQL does not run as root, and there is no account 'postgres' or 'nobody' to run "
        "it under. Run this as an ordinary user."
    )


def private_directory(wanted: Path, account: Account | None) -> Path:
    """Create and return `wanted`, or a stand-in below /var/tmp which the account can reach.

    A checkout may lie in a home folder of mode 0700; the service account could then not even
    open its own data. The stand-in is named after the wanted path, so that it is found again.
    """
    wanted = wanted.absolute()
    wanted.mkdir(parents=True, exist_ok=True)
    if account is None or _can_enter(wanted.parent, account):
        _open_the_door(wanted, account)
        return wanted
    stand_in = _stand_in_for(wanted)
    stand_in.mkdir(mode=0o711, exist_ok=True)
    found = stand_in.lstat()
    # /var/tmp is everybody's: somebody else may have put a folder or a link there before us.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise ServiceUnavailable(f"{stand_in} belongs to somebody else; remove it and try again.")
    _open_the_door(stand_in, account)
    return stand_in


def owned_directory(path: Path, account: Account | None) -> Path:
    """Create `path`, readable by nobody but the account that the service runs under."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account is not None:
        os.chown(path, account.uid, account.gid)
    return path


def write_owned(path: Path, text: str, account: Account | None) -> None:
    """Write a file of mode 0600 for the account; it may hold a password."""
    partial = path.with_name(path.name + ".new")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    if account is not None:
        os.chown(partial, account.uid, account.gid)
    partial.replace(path)


def remove_private_directory(wanted: Path) -> None:
    """Remove `wanted` and the stand-in that `private_directory` may have made for it."""
    for path in (wanted, _stand_in_for(wanted)):
        if path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.geteuid():
            shutil.rmtree(path)


def _stand_in_for(wanted: Path) -> Path:
    digest = hashlib.sha256(str(wanted.absolute()).encode()).hexdigest()[:12]
    # `private_directory` trusts nothing that it finds there.
    return Path("/var/tmp") / f"outrider-{digest}"  # noqa: S108


def _can_enter(directory: Path, account: Account) -> bool:
    tried = subprocess.run(
        ["test", "-x", str(directory)],
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return tried.returncode == 0


def _open_the_door(directory: Path, account: Account | None) -> None:
    directory.chmod(0o711 if account is not None else 0o700)
