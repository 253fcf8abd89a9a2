"""Runs the processes of the product side by side and brings back whichever ends."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

from scripts.places import STATE
from scripts.processes import is_alive

LOGS = STATE / "logs"
RECORD = STATE / "processes.json"
# Every process of ours is run by this folder's Python or one of its scripts.
MARK = str(STATE / "venv")

LOG_BYTES = 5_000_000
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
SOUND_AFTER_S = 30.0
PATIENCE_S = 20.0
# A zombie nobody collects keeps its group; a second is enough for everything else.
GROUP_POLLS = 100

Say = Callable[[str], None]


class Supervisor:
    """Starts commands, keeps their logs, restarts them with growing pauses, ends them all.

    Each command gets a session of its own, so that Ctrl-C reaches only the supervisor, which
    then ends them in its own time, children of theirs included.
    """

    def __init__(
        self, commands: Mapping[str, Sequence[str]], *, environment: Mapping[str, str], say: Say
    ) -> None:
        self._commands = commands
        self._environment = dict(environment)
        self._say = say
        self._stopping = asyncio.Event()
        self._running: dict[str, asyncio.subprocess.Process] = {}

    def stop(self) -> None:
        """Ask `run` to end everything and return."""
        self._stopping.set()

    async def run(self) -> None:
        """Run all commands until `stop` is called; none of them is left when this returns."""
        LOGS.mkdir(parents=True, exist_ok=True)
        keepers = [asyncio.create_task(self._keep(name)) for name in self._commands]
        try:
            await self._stopping.wait()
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
            await asyncio.gather(*(self._end(*each) for each in list(self._running.items())))
            RECORD.unlink(missing_ok=True)

    async def run_job(self, name: str, command: Sequence[str]) -> int:
        """Run a command to its end beside the others, repeating what it says; returns its status.

        It is ended with the others where they are ended first.
        """
        return await self._run_once(name, command, self._say)

    async def _keep(self, name: str) -> None:
        pause = FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            try:
                status = await self._run_once(name, self._commands[name])
            except OSError as reason:
                self._say(f"{name} cannot be started: {reason}")
                status = -1
            if time.monotonic() - began > SOUND_AFTER_S:
                pause = FIRST_PAUSE_S
            self._say(
                f"{name} ended with status {status}; starting it again in {pause:.0f} s "
                f"(its log: {(LOGS / f'{name}.log').relative_to(STATE.parent)})"
            )
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _run_once(self, name: str, command: Sequence[str], hears: Say | None = None) -> int:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE if hears else asyncio.subprocess.STDOUT,
            cwd=STATE.parent,
            env=self._environment,
            start_new_session=True,
        )
        self._running[name] = process
        self._write_record()
        log = _BoundedLog(LOGS / f"{name}.log")
        pumps = [asyncio.create_task(_pump(process.stderr if hears else process.stdout, log))]
        if hears:
            pumps.append(asyncio.create_task(_repeat(process.stdout, hears)))
        status = await _ended(process)
        # What it had started goes with it: the next one must not share a port with it.
        await _clear_group(process.pid)
        await asyncio.wait(pumps, timeout=1)
        for pump in pumps:
            pump.cancel()
        del self._running[name]
        self._write_record()
        return status

    async def _end(self, name: str, process: asyncio.subprocess.Process) -> None:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(_ended(process), PATIENCE_S)
        except TimeoutError:
            self._say(f"{name} did not end within {PATIENCE_S:.0f} s and is killed")
        await _clear_group(process.pid)
        await _ended(process)

    def _write_record(self) -> None:
        RECORD.write_text(json.dumps([process.pid for process in self._running.values()]))


def kill_leftovers() -> int:
    """SIGKILL what a supervisor that was itself killed left behind; returns how many."""
    try:
        recorded: list[int] = json.loads(RECORD.read_text())
    except (OSError, ValueError):
        return 0
    found = [pid for pid in recorded if is_alive(pid, mark=MARK)]
    for pid in found:
        _signal_group(pid, signal.SIGKILL)
    RECORD.unlink()
    return len(found)


class _BoundedLog:
    """A file that starts over when it is full, keeping one predecessor."""

    def __init__(self, path: Path) -> None:
        self._handler = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=1)
        self._handler.terminator = ""

    def append(self, chunk: bytes) -> None:
        text = chunk.decode(errors="replace")
        self._handler.emit(logging.LogRecord("", logging.INFO, "", 0, text, None, None))

    def close(self) -> None:
        self._handler.close()


async def _pump(output: asyncio.StreamReader | None, log: _BoundedLog) -> None:
    # To the very end, its last words while stopping included: a full pipe would hold it up.
    if output is not None:
        while chunk := await output.read(65_536):
            log.append(chunk)
    log.close()


async def _repeat(output: asyncio.StreamReader | None, say: Say) -> None:
    if output is not None:
        async for line in output:
            say(line.decode(errors="replace").rstrip())


async def _ended(process: asyncio.subprocess.Process) -> int:
    # Process.wait() would also wait for its children, which may hold its output open.
    while process.returncode is None:
        await asyncio.sleep(0.05)
    return process.returncode


async def _clear_group(leader: int) -> None:
    """SIGKILL what is left of a process group and give the kernel the time to end it."""
    for _ in range(GROUP_POLLS):
        if not _signal_group(leader, signal.SIGKILL):
            return
        await asyncio.sleep(0.01)


def _signal_group(leader: int, number: signal.Signals) -> bool:
    """False if there is no such group (any more)."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
