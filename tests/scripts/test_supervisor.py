"""The processes of a demonstration: restarted when they end, gone when it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from scripts import demo, supervisor
from scripts.demo import commands, main, past
from scripts.processes import exists, free_port
from scripts.supervisor import Supervisor, kill_leftovers


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(supervisor, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(supervisor, "STATE", tmp_path / ".outrider")
    monkeypatch.setattr(supervisor, "RECORD", tmp_path / "processes.json")
    monkeypatch.setattr(supervisor, "MARK", str(tmp_path))
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 0.05)
    return tmp_path


def program(folder: Path, name: str, text: str) -> list[str]:
    path = folder / f"{name}.py"
    path.write_text(textwrap.dedent(text))
    return [sys.executable, str(path)]


async def until(condition, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def numbers_in(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def supervise(named: dict[str, list[str]], said: list[str]) -> Supervisor:
    return Supervisor(named, environment=dict(os.environ), say=said.append)


async def test_it_restarts_what_ends_and_says_so(own_folder: Path) -> None:
    (own_folder / ".outrider").mkdir()
    pids, said = own_folder / "pids", []
    short = f"import os; open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n'); raise SystemExit(3)"
    watched = supervise({"short": program(own_folder, "short", short)}, said)
    running = asyncio.create_task(watched.run())

    await until(lambda: len(numbers_in(pids)) >= 3)
    watched.stop()
    await running

    assert "short ended with status 3; starting it again" in said[0]
    assert not any(exists(pid) for pid in numbers_in(pids))


async def test_it_ends_everything_grandchildren_included(own_folder: Path) -> None:
    (own_folder / ".outrider").mkdir()
    pids = own_folder / "pids"
    parent = f"""
        import os, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        open({str(pids)!r}, "a").write(f"{{os.getpid()}}\\n{{child.pid}}\\n")
        time.sleep(600)
    """
    watched = supervise({"parent": program(own_folder, "parent", parent)}, [])
    running = asyncio.create_task(watched.run())
    await until(lambda: len(numbers_in(pids)) == 2)
    assert all(exists(pid) for pid in numbers_in(pids))

    watched.stop()
    await running

    assert not any(exists(pid) for pid in numbers_in(pids))
    assert not (own_folder / "processes.json").exists()


async def test_it_runs_a_job_once_and_repeats_what_it_says(own_folder: Path) -> None:
    (own_folder / ".outrider").mkdir()
    (own_folder / "logs").mkdir()
    said: list[str] = []
    job = "import sys; print('begun'); print('details', file=sys.stderr); raise SystemExit(4)"
    status = await supervise({}, said).run_job("job", program(own_folder, "job", job))
    assert status == 4
    assert said == ["begun"]
    assert (own_folder / "logs" / "job.log").read_text() == "details\n"


async def test_it_ends_a_job_with_everything_else(own_folder: Path) -> None:
    (own_folder / ".outrider").mkdir()
    pids = own_folder / "pids"
    long = f"""
        import os, time
        open({str(pids)!r}, "a").write(f"{{os.getpid()}}\\n")
        time.sleep(600)
    """
    watched = supervise({}, [])
    running = asyncio.create_task(watched.run())
    await asyncio.sleep(0)
    job = asyncio.create_task(watched.run_job("long", program(own_folder, "long", long)))
    await until(lambda: len(numbers_in(pids)) == 1)

    watched.stop()
    await running

    assert not exists(numbers_in(pids)[0])
    assert await job == -signal.SIGTERM


async def test_it_kills_what_will_not_end(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_folder / ".outrider").mkdir()
    monkeypatch.setattr(supervisor, "PATIENCE_S", 0.3)
    pids, said = own_folder / "pids", []
    deaf = f"""
        import os, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open({str(pids)!r}, "a").write(f"{{os.getpid()}}\\n")
        time.sleep(600)
    """
    watched = supervise({"deaf": program(own_folder, "deaf", deaf)}, said)
    running = asyncio.create_task(watched.run())
    await until(lambda: len(numbers_in(pids)) == 1)

    watched.stop()
    await running

    assert not exists(numbers_in(pids)[0])
    assert "is killed" in said[-1]


async def test_it_keeps_the_log_of_each_process_bounded(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_folder / ".outrider").mkdir()
    monkeypatch.setattr(supervisor, "LOG_BYTES", 100_000)
    chatty = "import sys\nfor n in range(20000): print('line', n)\nsys.stdout.flush()\n"
    chatty += "import time; time.sleep(600)"
    watched = supervise({"chatty": program(own_folder, "chatty", chatty)}, [])
    running = asyncio.create_task(watched.run())
    log = own_folder / "logs" / "chatty.log"
    await until(lambda: log.exists() and "line 19999" in log.read_text())

    watched.stop()
    await running

    assert sum(path.stat().st_size for path in log.parent.iterdir()) < 350_000


def test_it_clears_away_what_a_killed_supervisor_left(own_folder: Path) -> None:
    left = subprocess.Popen(
        program(own_folder, "left", "import time; time.sleep(600)"), start_new_session=True
    )
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (own_folder / "processes.json").write_text(f"[{left.pid}, {stranger.pid}]")
    try:
        # Its arguments appear a moment after the fork.
        asyncio.run(until(lambda: str(own_folder) in _arguments(left.pid)))
        assert kill_leftovers() == 1
        assert left.wait(10) == -signal.SIGKILL
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def _arguments(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()


@pytest.mark.parametrize("offset", [0, 1])
def test_it_starts_nothing_when_a_port_is_taken(
    offset: int, capsys: pytest.CaptureFixture[str]
) -> None:
    import socket

    port = free_port()
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", port + offset))
        squatter.listen()
        assert main(["--port", str(port)]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert f"Port {port + offset} " in said[0]


@pytest.mark.parametrize("wrong", [["--port", "80"], ["--port", "65535"], ["--vehicles", "0"]])
def test_it_refuses_what_cannot_be(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(wrong) == 1
    assert "must be" in capsys.readouterr().err


def test_it_runs_every_process_there_is() -> None:
    assert set(commands(vehicles=1, port=8000)) == {
        *("web", "ingest", "writer", "live", "worker", "evaluator", "beat", "simulator")
    }


def test_it_fills_in_the_past_through_the_device_port() -> None:
    assert past(8000)[-3:] == ["simulate_past", "--http-url", "http://127.0.0.1:8001"]


@pytest.mark.parametrize(
    ("set_to", "links_to"),
    [("", "http://127.0.0.1:9300"), ("https://fleet.example", "https://fleet.example")],
)
def test_it_links_to_the_address_it_prints(
    set_to: str, links_to: str, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_folder / ".outrider").mkdir()
    monkeypatch.setattr(demo, "STATE", own_folder / ".outrider")
    monkeypatch.setattr(demo.services, "addresses", dict)
    monkeypatch.setenv("PUBLIC_URL", set_to)
    assert demo._environment(9300)["PUBLIC_URL"] == links_to
