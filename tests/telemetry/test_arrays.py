"""A long history is read by several sessions at once, and comes as if by one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from telemetry import abreast, arrays
from telemetry.clock import to_us
from telemetry.models import VehicleHour, VehicleReadingRow

VEHICLE = 7
START = datetime(2026, 3, 2, tzinfo=UTC)
END = START + timedelta(days=1)
EVERY = timedelta(minutes=6)
TIMES = [to_us(START + n * EVERY) for n in range(240)]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "SLICE", 25)
    monkeypatch.setattr(arrays, "PAGE", 50)


@pytest.fixture(autouse=True)
def history(committed: Callable[[], None]) -> None:
    VehicleReadingRow.objects.bulk_create(
        VehicleReadingRow(
            vehicle_id=VEHICLE,
            tenant_id=1,
            device_id=1,
            time=START + n * EVERY,
            received_at=START + n * EVERY,
            reading_id=n,
            protocol="telemetry.v1",
            soc_pct=n / 10,
        )
        for n in range(len(TIMES))
    )


@pytest.fixture
def hours(history: None) -> None:
    counts = {f"{f}_count": 0 for f in ("speed_kmh", "soc_pct", "battery_temp_c", "energy_dc_kwh")}
    VehicleHour.objects.bulk_create(
        VehicleHour(
            vehicle_id=VEHICLE,
            tenant_id=1,
            hour=START + timedelta(hours=n),
            readings=10,
            late=0,
            first_time=START,
            last_time=START,
            **counts,
        )
        for n in range(24)
    )


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of the threads that have read."""
    names: set[str] = set()
    page = arrays._page

    def noted(*given: Any) -> Any:
        names.add(threading.current_thread().name)
        return page(*given)

    monkeypatch.setattr(arrays, "_page", noted)
    return names


def read() -> list[arrays.Rows]:
    return list(arrays.pages(VEHICLE, start=START, end=END))


def assert_whole(pages: list[arrays.Rows]) -> None:
    assert [time for rows in pages for time in rows.time.tolist()] == TIMES
    assert [soc for rows in pages for soc in rows.values["soc_pct"].tolist()] == [
        n / 10 for n in range(len(TIMES))
    ]
    assert all(len(rows) >= arrays.SLICE for rows in pages[:-1])


def test_it_is_read_by_two_sessions_and_comes_in_order(hours: None, readers: set[str]) -> None:
    assert_whole(read())
    assert len(readers) == abreast.AT_ONCE and threading.current_thread().name not in readers


def test_a_history_without_sums_is_read_all_the_same(readers: set[str]) -> None:
    assert_whole(read())
    assert readers == {threading.current_thread().name}


def test_a_transaction_reads_by_itself(hours: None, readers: set[str]) -> None:
    with transaction.atomic():
        VehicleReadingRow.objects.filter(vehicle_id=VEHICLE).update(soc_pct=1.0)
        assert {soc for rows in read() for soc in rows.values["soc_pct"].tolist()} == {1.0}
        transaction.set_rollback(True)
    assert readers == {threading.current_thread().name}


def test_many_requests_take_no_more_sessions(
    hours: None, readers: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abreast, "_askers", threading.BoundedSemaphore(1))
    first = arrays.pages(VEHICLE, start=START, end=END)
    begun = next(first)
    assert_whole(read())
    assert threading.current_thread().name in readers
    assert_whole([begun, *first])
    readers.clear()
    assert_whole(read())
    assert len(readers) == abreast.AT_ONCE


def test_who_leaves_early_gives_the_sessions_back(
    hours: None, readers: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abreast, "_askers", threading.BoundedSemaphore(1))
    begun = arrays.pages(VEHICLE, start=START, end=END)
    next(begun)
    begun.close()
    readers.clear()
    read()
    assert len(readers) == abreast.AT_ONCE


def test_a_slice_that_cannot_be_read_is_an_error(
    hours: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: Any) -> Any:
        raise ValueError("broken")

    monkeypatch.setattr(arrays, "_page", broken)
    monkeypatch.setattr(abreast, "_askers", threading.BoundedSemaphore(1))
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            read()
