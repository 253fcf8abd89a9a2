"""Why is this vehicle dark? Each way of going dark, made with the services that make it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from fleet import services
from telemetry import connected, evidence, knocks, streams
from telemetry.models import DeviceHealth, VehicleLatest
from tests.console.conftest import Company, hear
from tests.people import acting


@pytest.fixture(autouse=True)
def nobody_at_the_door() -> Iterator[None]:
    def sweep() -> None:
        client = streams.sync_client()
        for pattern in ("knock:*", "device-owners", "watched-*"):
            for key in client.scan_iter(f"{settings.REDIS_PREFIX}:{pattern}"):
                client.delete(key)

    sweep()
    yield
    sweep()


def told(company: Company) -> tuple[str, str]:
    """What the vehicle's and what the device's page give as the first reason."""
    browser = company.browser()
    answers = []
    for name, of in (("vehicle-dark", "V1"), ("device", "D1")):
        answer = browser.get(reverse(name, args=[of]))
        assert answer.status_code == 200
        found = answer.context["findings"]
        answers.append(f"{found[0].title}. {found[0].detail}" if found else "")
    return answers[0], answers[1]


def test_it_never_connected(company: Company) -> None:
    for answer in told(company):
        assert answer.startswith("D1 has never sent a reading. Check its power")


def test_it_is_connected_and_never_sent(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "open_among", lambda ids: set(ids))
    for answer in told(company):
        assert answer.startswith("D1 is connected and has never sent a reading")


def test_it_has_the_credential_from_before(company: Company) -> None:
    hear(company, ago=timedelta(hours=1))
    services.rotate_credential(actor=acting(company.tenant), device=company.device)
    knocks.note([company.secret])
    for answer in told(company):
        assert answer.startswith("D1 uses a credential that is revoked. It was turned away")


def test_it_has_a_credential_that_was_mistyped(company: Company) -> None:
    knocks.note([company.secret[:-1]])
    for answer in told(company):
        assert answer.startswith("D1 uses a wrong credential. It was turned away")


def test_its_credential_was_revoked(company: Company) -> None:
    hear(company, ago=timedelta(hours=1))
    services.revoke_credential(actor=acting(company.tenant), device=company.device)
    for answer in told(company):
        assert answer == (
            "The credential of D1 is revoked. It cannot connect until you issue a new one."
        )
    knocks.note([company.secret])
    for answer in told(company):
        assert "It was turned away" in answer


def refused(company: Company, code: str, at: datetime) -> None:
    DeviceHealth.objects.filter(pk=company.device.pk).update(
        refused=7, refusals={code: 7}, last_refusal_at=at, last_refusal_code=code
    )


def test_its_clock_is_ahead(company: Company) -> None:
    hear(company, ago=timedelta(hours=1))
    refused(company, "future_time", timezone.now())
    for answer in told(company):
        assert answer.startswith("The clock of D1 is ahead. Its readings carry times in the future")


def test_its_clock_is_behind(company: Company) -> None:
    moment = hear(company, ago=timedelta(seconds=3))
    VehicleLatest.objects.update(time=moment - timedelta(hours=2))
    DeviceHealth.objects.update(skew_ms=7_200_000, lag_ms=7_200_000)
    for answer in told(company):
        assert answer.startswith("The clock of D1 is behind, or it sends a backlog")
        assert "2 h" in answer


def test_what_it_sends_is_refused(company: Company) -> None:
    hear(company, ago=timedelta(hours=1))
    refused(company, "unknown_field", timezone.now() - timedelta(minutes=4))
    for answer in told(company):
        assert "The last was refused 4 min ago: “Unknown field”." in answer


def test_its_vehicle_is_archived(company: Company) -> None:
    hear(company, ago=timedelta(hours=1))
    services.archive_vehicle(actor=acting(company.tenant), vehicle=company.vehicle)
    of_vehicle, of_device = told(company)
    assert of_vehicle == "It is archived. Nothing is taken in from it until it is restored."
    assert of_device.startswith("What D1 speaks for is archived. It is shut out until")
    services.restore_vehicle(actor=acting(company.tenant), vehicle=company.vehicle)
    assert "archived" not in told(company)[1]


def test_the_device_itself_is_archived(company: Company) -> None:
    services.archive_device(actor=acting(company.tenant), device=company.device)
    of_vehicle, of_device = told(company)
    assert of_vehicle.startswith("No device speaks for it")
    assert of_device.startswith("It is archived")


def test_it_is_installed_nowhere(company: Company) -> None:
    services.update_device(actor=acting(company.tenant), device=company.device, vehicle=None)
    of_vehicle, of_device = told(company)
    assert of_vehicle.startswith("No device speaks for it")
    assert of_device.startswith("D1 is installed nowhere. It is turned away")


@pytest.mark.parametrize(
    ("lag", "words"),
    [
        (None, "We cannot take readings in just now. It is our fault."),
        (timedelta(minutes=3), "We are behind. Readings have been waiting for 3 min"),
    ],
)
def test_it_is_our_outage(
    company: Company, monkeypatch: pytest.MonkeyPatch, lag: Any, words: str
) -> None:
    hear(company, ago=timedelta(hours=1))
    services.revoke_credential(actor=acting(company.tenant), device=company.device)
    monkeypatch.setattr(evidence, "ingress_lag", lambda now: lag)
    for answer in told(company):
        assert answer.startswith(words)


def test_redis_that_is_away_is_called_our_fault(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    from redis.exceptions import ConnectionError as Away

    def away(*_arguments: Any, **_options: Any) -> Any:
        raise Away("away")

    for module, name in (
        (connected, "sync_client"),
        (knocks, "sync_client"),
        (streams.INGRESS, "lag"),
    ):
        monkeypatch.setattr(module, name, away)
    for answer in told(company):
        assert answer.startswith("We cannot take readings in just now")


def test_only_a_clock_is_told_of_what_reports(company: Company) -> None:
    hear(company)
    knocks.note([company.secret[:-1]])
    assert told(company) == ("", "")
