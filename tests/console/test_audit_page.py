"""The audit trail speaks in words: what was done, on what, before and after in names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils.translation import override

from fleet import services
from fleet.models import Device, Fleet, Meter, Vehicle
from tenants.audit import record
from tenants.audit_words import ACTIONS, KINDS, action_in_words, value_in_words
from tenants.models import Role
from tests.console.conftest import Company
from tests.people import acting, owner_of

ROOMS = ("tenants", "fleet", "telemetry", "alerts")
REFERENCED = (Fleet, Vehicle, Meter, Device)


def recorded(source: str) -> Iterator[str]:
    """The action codes that a module passes to `record` or `record_audit`."""
    tree = ast.parse(source)
    named: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named.setdefault(node.targets[0].id, []).append(node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {
            "record",
            "record_audit",
        }:
            given = [keyword.value for keyword in node.keywords if keyword.arg == "action"]
            for action in given or node.args[1:2]:
                where = named.get(action.id, []) if isinstance(action, ast.Name) else [action]
                for each in where:
                    yield from _texts(each)


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
        yield node.value


def all_recorded() -> set[str]:
    base = Path(settings.BASE_DIR)
    files = [path for room in ROOMS for path in (base / room).rglob("*.py")]
    found = {code for path in files for code in recorded(path.read_text())}
    # Recorded by one service for all of them.
    of_things = {
        f"{model._meta.model_name}.{verb}"
        for model in REFERENCED
        for verb in ("created", "updated", "archived", "restored")
    }
    return found | of_things


def test_every_action_that_is_recorded_has_words() -> None:
    codes = all_recorded()
    assert {"member.role_changed", "vehicle.vin_set", "rule.created", "user.created"} <= codes
    assert codes == ACTIONS.keys(), "each has words, and no words are of nothing"
    assert {code.partition(".")[0] for code in codes} - KINDS.keys() <= {"support", "quarantine", "demo"}  # fmt: skip


def test_a_code_without_words_is_still_legible() -> None:
    assert action_in_words("robot.arm_lifted") == "Robot arm lifted"


def shown(company: Company, q: str = "") -> str:
    answer = company.browser(Role.OWNER).get(reverse("audit"), {"q": q})
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_tells_what_happened_in_words_and_names(company: Company) -> None:
    actor = owner_of(company.tenant)
    south = services.create_fleet(actor=actor, reference="F2", name="South")
    services.update_vehicle(actor=actor, vehicle=company.vehicle, fleet=south, name="Blue van")
    services.rotate_credential(actor=actor, device=company.device)
    page = shown(company)
    for told in ("Vehicle changed", "Vehicle V1", "<del>Atlas fleet (F1)</del>",
                 "<ins>South (F2)</ins>", "Name: ", "<del>Atlas van</del>", "<ins>Blue van</ins>",
                 "New credential issued"):  # fmt: skip
        assert told in page, told
    assert 'title="vehicle.updated">Vehicle changed' in page, "the code is there for who needs it"
    assert ">vehicle.updated" not in page


def test_it_is_found_by_its_words(company: Company) -> None:
    services.rotate_credential(actor=acting(company.tenant), device=company.device)
    found = shown(company, "new credential")
    assert "New credential issued" in found and "Vehicle added" not in found
    assert "New credential issued" in shown(company, "device.credential_rotated")
    assert "Nothing matches" in shown(company, "zebra crossing")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("role", "viewer", "Viewer"),
        ("role", "<b>", "<b>"),
        ("enabled", True, "yes"),
        ("x", None, ""),
        ("x", 0, 0),
        ("tags", ["night", "cold"], "night, cold"),
        ("name", "2026-not-a-date", "2026-not-a-date"),
        ("name", "2026-11-21", "2026-11-21"),
        ("name", "0001-01-01T00:00+14:00", "0001-01-01T00:00+14:00"),
        ("name", "9999-12-31T23:00-12:00", "9999-12-31T23:00-12:00"),
        ("units", ["a", {"b": 1}], '[\n "a",\n {\n  "b": 1\n }\n]'),
        ("units", "imperial", "imperial"),
    ],
)
def test_values_are_told_as_people_say_them(field: str, value: object, words: object) -> None:
    found = value_in_words(field, value)
    assert (str(found) if isinstance(words, str) else found) == words


def test_it_shows_moments_in_the_organisations_zone_and_hostile_names_as_text(
    company: Company,
) -> None:
    company.tenant.time_zone = "Asia/Kolkata"
    company.tenant.save()
    record(
        acting(company.tenant),
        "token.issued",
        "token <script>alert(1)</script>",
        changes={
            "expires_at": (None, "2026-11-21T10:00:00+00:00"),
            "<img src=x>": ("<i>before</i>", "<i>after</i>"),
            "definition": ({"a": "x" * 200}, {"a": "</ins><script>" * 20}),
            "name": ("0001-01-01T00:00+14:00", "<time " + "y" * 200),
        },
    )
    page = shown(company)
    assert "21 Nov 2026, 15:30:00" in page
    assert "<script>" not in page.split('id="table"')[1].split("</section>")[0]
    assert "<img" not in page.split('id="table"')[1].split("</section>")[0]
    assert page.count('<details class="change__long"') == 2, "not what only begins like a time"
    assert "0001-01-01T00:00+14:00" in page and "&lt;i&gt;before" in page


def test_words_are_translated(company: Company) -> None:
    with override("en"):
        assert str(action_in_words("vehicle.updated")) == "Vehicle changed"
    assert not isinstance(ACTIONS["vehicle.updated"], str), "looked up in the reader's language"
