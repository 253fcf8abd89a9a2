"""Starting, finding and ending the processes of a service that outlives its starter."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from scripts.places import Account, ServiceUnavailable

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A TCP port on the loopback address that nobody listens on.

    Below the range from which systems number outgoing connections: a port in there may be
    somebody's connection the next time the server wants it.
    """
    ports = range(15_000, 32_000)
    while port_is_taken(port := secrets.choice(ports)):
        pass
    return port


def port_is_taken(port: int) -> bool:
    """Whether somebody holds the port; a connection lingering in TIME_WAIT does not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    directory: Path,
    account: Account | None,
    environment: Mapping[str, str],
) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own, so that neither Ctrl-C nor our end reaches it."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=dict(environment),
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )


def run_as(
    command: Sequence[str | Path],
    *,
    account: Account | None,
    environment: Mapping[str, str],
    text: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a short command as the service account and capture what it says."""
    return subprocess.run(
        [str(part) for part in command],
        input=text if text is not None else "",
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=dict(environment),
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def is_alive(pid: int, *, mark: str) -> bool:
    """Whether `pid` runs and carries `mark` among its arguments: a number is soon used again."""
    _reap(pid)
    return mark in _arguments_of(pid)


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Poll a condition every few milliseconds; False if it did not come true in time."""
    deadline = time.monotonic() + seconds
    pause = 0.005
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return True


def end(pid: int, *, mark: str, with_signal: signal.Signals, seconds: float) -> bool:
    """Ask a process to end; False if it was still there after `seconds`."""
    _send(pid, with_signal)
    return wait_until(lambda: not is_alive(pid, mark=mark), seconds=seconds)


def kill_tree(pid: int) -> None:
    """SIGKILL a process and its children, and return when none of them is left."""
    # Stopped first: a postmaster would replace the children while we go through them.
    _send(pid, signal.SIGSTOP)
    family = [pid, *_children_of(pid)]
    for member in family:
        _send(member, signal.SIGKILL)
    if not wait_until(lambda: not any(exists(member) for member in family), seconds=10):
        raise ServiceUnavailable(f"Process {pid} or a child of it survived SIGKILL.")


def last_lines(log: Path, count: int = 15) -> str:
    """The end of a server's log, for a message to a person."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])
    except OSError:
        return "(no log was written)"


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _reap(pid: int) -> None:
    # Only the starter has the server as a child; elsewhere there is nothing to collect.
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def exists(pid: int) -> bool:
    """Whether a process of that id, anybody's, is there and not a zombie."""
    _reap(pid)
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
        return bool(_ps("-p", str(pid), "-o", "pid="))
    except ProcessLookupError:
        return False
    # A zombie holds nothing any more; its parent (init) collects it when it likes.
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


def _arguments_of(pid: int) -> str:
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            return ""
    return _ps("-p", str(pid), "-o", "args=")


def _children_of(pid: int) -> list[int]:
    if not Path("/proc/self").exists():
        pairs = (line.split() for line in _ps("-A", "-o", "pid=,ppid=").splitlines())
        return [int(child) for child, parent in pairs if int(parent) == pid]
    children = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            children.append(int(entry.name))
    return children


def _ps(*arguments: str) -> str:
    return subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False).stdout
