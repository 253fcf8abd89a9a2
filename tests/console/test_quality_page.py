"""Data quality: what was refused, found by reason, device and time, and shown without harm."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from telemetry.models import QuarantinedFrame
from tenants.models import Role
from tests.console.conftest import Company


def refuse(company: Company, raw: bytes, **fields: Any) -> QuarantinedFrame:
    n = QuarantinedFrame.objects.count()
    return QuarantinedFrame.objects.create(
        **{
            "log_id": f"test-{n}",
            "tenant_id": company.tenant.pk,
            "device_id": company.device.pk,
            "adapter": "http.v1",
            "adapter_version": 1,
            "code": "out_of_range",
            "field": "soc_pct",
            "detail": "101 is more than 100",
            "raw": raw,
            "raw_size": len(raw),
            "received_at": timezone.now() - timedelta(minutes=5),
            **fields,
        }
    )


def shown(company: Company, query: str = "", role: str = Role.MANAGER) -> str:
    answer = company.browser(role).get(reverse("quality") + query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_shows_hostile_bytes_as_text_and_as_bytes_and_runs_nothing(company: Company) -> None:
    refuse(company, b'"><script>alert(1)</script>', detail="<img src=x onerror=alert(2)>")
    page = shown(company)
    assert "<script>alert(1)" not in page and "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "22 3e 3c 73 63 72 69 70 74" in page


@pytest.mark.parametrize(
    "query",
    ["?from=x&to=y", "?device=%00", "?from=2026-13-01", "?from=9999-01-01", "?field=%00", "?code=%00&field=a%00b",
     "?from=2026-03-02T00:00&to=2026-03-01T00:00", "?after=@@@", "?period=ever"],
)  # fmt: skip
def test_it_takes_nonsense_for_no_filter(company: Company, query: str) -> None:
    refuse(company, b"{}")
    shown(company, query)


def test_it_finds_refusals_by_reason_field_device_and_time(company: Company) -> None:
    refuse(company, b'"first"')
    refuse(company, b'"second"', code="bad_time", field="time")
    refuse(company, b'"third"', device_id=None)
    refuse(company, b'"fourth"', received_at=datetime.fromisoformat("2026-01-02T10:00Z"))
    assert "first" not in shown(company, "?code=bad_time")
    assert "second" in shown(company, "?code=bad_time")
    assert "second" not in shown(company, "?field=soc_pct")
    by_device = shown(company, "?device=D1")
    assert "first" in by_device and "third" not in by_device
    assert "Nothing matches" in shown(company, "?device=NOBODYS")
    picked = shown(company, "?from=2026-01-02T00:00Z&to=2026-01-03T00:00Z")
    assert "fourth" in picked and "first" not in picked


def test_it_tells_the_same_fault_once_however_often_it_came(company: Company) -> None:
    for n in range(7):
        refuse(company, b"%d" % n)
    refuse(company, b"x", code="bad_time", field="time")
    faults = company.browser().get(reverse("quality")).context["faults"]
    assert [(each["code"], each["n"]) for each in faults] == [("out_of_range", 7), ("bad_time", 1)]


def test_it_names_the_vehicles_nobody_registered_and_holds_what_they_sent(company: Company) -> None:
    for n in range(3):
        refuse(company, b'{"vehicle_id": "GHOST", "n": %d}' % n, code="unknown_vehicle",
               device_id=None)  # fmt: skip
    refuse(company, b'{"meterId": "<b>M"}', code="unknown_meter", device_id=None)
    for hostile in (b"[]", b"{", b'{"vehicle_id": {"a": 1}}', b"[" * 60_000):
        refuse(company, hostile, code="unknown_vehicle", device_id=None)
    answer = company.browser().get(reverse("quality"))
    held = {each.reference: each for each in answer.context["strangers"]}
    assert {name: (each.kind, each.n) for name, each in held.items()} == {
        "GHOST": ("vehicle", 3),
        "<b>M": ("meter", 1),
    }
    page = answer.content.decode()
    assert "?id=GHOST" in page and "<b>M" not in page
    # Who may not add a vehicle is told, and gets no button.
    assert "?id=GHOST" not in shown(company, role=Role.VIEWER)


def test_it_adds_the_vehicle_that_is_missing_with_its_id_filled_in(company: Company) -> None:
    form = company.browser().get(reverse("vehicle-new") + "?id=GHOST").content.decode()
    assert 'value="GHOST"' in form


def test_it_costs_the_same_however_much_was_refused(
    company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(40):
        refuse(company, b'{"vehicle_id": "G%d"}' % n, code="unknown_vehicle")
    shown(company)
    with django_assert_max_num_queries(15):
        shown(company)
