"""A private server of this checkout: one folder, one port, one process tree."""

from __future__ import annotations

import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path

from scripts.places import (
    ServiceUnavailable,
    owned_directory,
    private_directory,
    service_account,
)
from scripts.processes import end, is_alive, kill_tree, last_lines, port_is_taken, wait_until


class PrivateServer(ABC):
    """A server on the loopback address.

    `directory` holds data, log and passwords: below the folder asked for, or below a stand-in
    in /var/tmp where the account that the server runs under cannot reach that.
    """

    product: str
    folder_name: str
    # Signals that end it cleanly, mildest first, with the seconds each is given.
    stop_signals: tuple[tuple[signal.Signals, float], ...]

    def __init__(self, directory: Path, *, port: int) -> None:
        self.port = port
        self._wanted = directory
        self._account = service_account()
        self.directory = owned_directory(
            private_directory(directory, self._account) / self.folder_name, self._account
        )
        self._log = self.directory / f"{self.folder_name}.log"

    @property
    @abstractmethod
    def url(self) -> str:
        """Address for the application."""

    @property
    def pid(self) -> int | None:
        """The server's process id, None if it does not run."""
        try:
            pid = int(self._pid_file.read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return None
        return pid if is_alive(pid, mark=self._mark) else None

    def is_running(self) -> bool:
        """Whether the process is there; it may still be recovering or loading."""
        return self.pid is not None

    def start(self) -> None:
        """Start it and return when it answers and any recovery is over."""
        if self.is_running():
            self._wait_until_it_answers(None)
            return
        # Just killed, it may take the kernel a moment to give its port back.
        if not wait_until(lambda: not port_is_taken(self.port), seconds=2):
            raise ServiceUnavailable(f"Port {self.port} is taken; {self.product} cannot use it.")
        self._wait_until_it_answers(self._launch())

    def stop(self) -> None:
        """Stop it cleanly."""
        pid = self.pid
        if pid is None:
            return
        if not any(self._ended(pid, by, seconds) for by, seconds in self.stop_signals):
            raise ServiceUnavailable(f"{self.product} (process {pid}) does not stop.")

    def kill(self) -> None:
        """SIGKILL the server and its children, as a power failure would."""
        pid = self.pid
        if pid is not None:
            kill_tree(pid)

    def wipe(self) -> None:
        """Stop it and remove everything it ever wrote."""
        self.stop()
        shutil.rmtree(self.directory)
        for folder in {self.directory.parent, self._wanted}:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    @property
    @abstractmethod
    def _pid_file(self) -> Path: ...

    @property
    @abstractmethod
    def _mark(self) -> str:
        """An argument that tells this server's process from a stranger's with the same id."""

    @abstractmethod
    def _launch(self) -> subprocess.Popen[bytes]: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    def _ended(self, pid: int, by: signal.Signals, seconds: float) -> bool:
        return end(pid, mark=self._mark, with_signal=by, seconds=seconds)

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes] | None) -> None:
        def answers_or_died() -> bool:
            return self._answers() or (process is not None and process.poll() is not None)

        if not wait_until(answers_or_died, seconds=300) or not self._answers():
            raise ServiceUnavailable(
                f"{self.product} did not start. The end of its log:\n{last_lines(self._log)}"
            )
