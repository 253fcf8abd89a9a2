"""The README's words work: its code is run as it stands, ports and secrets aside."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.telemetry.platform import running_platform

README = (Path(settings.BASE_DIR) / "README.md").read_text()
PREPARE = """
from tenants.models import Scope, User
from tenants import services as people
from tenants.actors import Actor
from fleet import services as fleet
owner = User.objects.create_user("owner@readme.example")
actor = Actor.command(people.create_organisation(name="Readme", slug="readme", owner=owner), "test")
city = fleet.create_fleet(actor=actor, reference="city", name="City")
van = fleet.create_vehicle(actor=actor, reference="V00001", name="Van 01", fleet=city)
device, secret = fleet.provision_device(actor=actor, reference="t", name="T", vehicle=van)
token = people.issue_token(actor=actor, name="t", scopes=[Scope.TELEMETRY_WRITE])[1]
print("SECRETS", secret, token)
"""


def code(language: str, containing: str) -> str:
    """The README's only block of that language with these words in it."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [block for block in blocks if containing in block]
    return str(found)


@pytest.fixture(scope="module")
def platform(django_db_setup):
    with running_platform() as running:
        prepared = running.manage("shell", "-c", PREPARE)
        assert prepared.returncode == 0, prepared.stderr
        (line,) = [text for text in prepared.stdout.splitlines() if text.startswith("SECRETS")]
        yield running, *line.split()[1:]


def test_it_connects_a_device_in_five_lines_of_python(platform):
    running, secret, _ = platform
    program = code("python", "websockets")
    assert len(program.strip().splitlines()) == 5
    program = program.replace("127.0.0.1:8001", f"127.0.0.1:{running.port}")
    program = program.replace("ord_…", secret)
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert run.returncode == 0, run.stderr
    ready, acknowledgement = (json.loads(text) for text in run.stdout.split(" ", 1))
    assert ready["type"] == "ready"
    assert acknowledgement == {"type": "ack", "seq": 1}


def test_it_sends_a_reading_in_one_line_of_curl(platform):
    running, _, token = platform
    line = code("sh", "/v1/telemetry/ingest").replace("127.0.0.1:8001", f"127.0.0.1:{running.port}")
    assert len(line.strip().splitlines()) == 1
    run = subprocess.run(
        ["sh", "-c", line],
        env={**running.environment, "TOKEN": token},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert json.loads(run.stdout)["accepted"] == 1


def test_it_links_only_to_files_that_are_there():
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README)
    assert "docs/tools.md" in targets
    missing = [target for target in targets if not (Path(settings.BASE_DIR) / target).exists()]
    assert missing == []
