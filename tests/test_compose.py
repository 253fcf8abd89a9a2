"""docker-compose.yml against the Compose specification, and against what we promise of it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.demo import commands

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "docker-compose.yml"
STORES = {"db", "redis"}
PROCESSES = {"web", "ingest", "writer", "live", "worker", "evaluator", "beat"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return loaded


def held_against_the_specification(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    return subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)


def test_it_follows_the_compose_specification() -> None:
    done = held_against_the_specification(FILE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_specification_finds_a_fault(tmp_path: Path) -> None:
    faulty = tmp_path / "docker-compose.yml"
    faulty.write_text(FILE.read_text().replace("restart: unless-stopped", "restart: [1]"))
    assert held_against_the_specification(faulty).returncode == 1


def test_it_has_one_service_per_process(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == STORES | PROCESSES | {"migrate"}
    run = {name: tuple(compose["services"][name]["command"]) for name in PROCESSES}
    assert len(set(run.values())) == len(PROCESSES)


def test_it_runs_the_same_programs_as_the_demonstration(compose: dict[str, Any]) -> None:
    demo = commands(vehicles=1, port=8000)
    for name in PROCESSES:
        program, *arguments = (Path(part).name for part in demo[name])
        ours = [Path(part).name for part in compose["services"][name]["command"]]
        where = {"127.0.0.1", "0.0.0.0", "8000", "8001"}  # noqa: S104  (in a container)
        assert ours[0] == program
        assert set(ours[1:]) - where == set(arguments) - where


def test_every_service_that_stays_has_a_health_check(compose: dict[str, Any]) -> None:
    for name in STORES | PROCESSES:
        check = compose["services"][name]["healthcheck"]
        assert check["test"], name
        assert {"interval", "timeout", "retries"} <= set(check), name


def test_it_starts_stores_then_migration_then_processes(compose: dict[str, Any]) -> None:
    services = compose["services"]
    healthy = {name: {"condition": "service_healthy"} for name in STORES}
    assert services["migrate"]["depends_on"] == healthy
    assert services["migrate"]["restart"] == "no"
    for name in PROCESSES:
        assert services[name]["depends_on"] == {
            **healthy,
            "migrate": {"condition": "service_completed_successfully"},
        }
    assert all("depends_on" not in services[name] for name in STORES)


def test_it_names_the_versions_of_the_stores(compose: dict[str, Any]) -> None:
    assert re.fullmatch(
        r"timescale/timescaledb:\d+\.\d+\.\d+-pg17", compose["services"]["db"]["image"]
    )
    assert compose["services"]["redis"]["image"] == "redis:8"


def test_redis_writes_its_log_before_it_answers(compose: dict[str, Any]) -> None:
    command = compose["services"]["redis"]["command"]
    settings = dict(zip(command[1::2], command[2::2], strict=True))
    assert settings["--appendonly"] == "yes"
    assert settings["--appendfsync"] == "always"
    assert settings["--maxmemory-policy"] == "noeviction"


def test_stores_keep_their_data_in_named_volumes_and_publish_no_port(
    compose: dict[str, Any],
) -> None:
    for name in STORES:
        service = compose["services"][name]
        assert "ports" not in service
        assert service["volumes"][0].partition(":")[0] in compose["volumes"]


def test_it_holds_no_secret_and_starts_with_none_missing(compose: dict[str, Any]) -> None:
    for name in ("SECRET_KEY", "VIN_PSEUDONYM_KEY", "FIELD_ENCRYPTION_KEYS"):
        value = compose["services"]["web"]["environment"][name]
        assert value == f"${{{name}:?set {name}}}"
    text = FILE.read_text()
    assert not re.search(r"\$\{\w*(PASSWORD|KEY|KEYS)(:-|-)", text)
    assert len(re.findall(r"\$\{(POSTGRES|REDIS)_PASSWORD:\?", text)) == 5


def test_the_image_runs_as_an_ordinary_account() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    last_stage = max(n for n, line in enumerate(lines) if line.startswith("FROM "))
    users = [line for line in lines[last_stage:] if line.startswith("USER ")]
    assert users == ["USER outrider"]


def test_the_image_copies_every_application() -> None:
    text = (ROOT / "Dockerfile").read_text()
    applications = [path.parent.name for path in ROOT.glob("*/apps.py")]
    assert applications
    for name in (*applications, "config", "templates", "static"):
        assert f"\nCOPY {name} {name}\n" in text
