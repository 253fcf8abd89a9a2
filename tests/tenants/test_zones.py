"""What clocks are ahead of UTC, as browsers are told it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tenants.zones import offsets, offsets_about

START = datetime(2025, 1, 1, tzinfo=UTC)
END = datetime(2026, 1, 1, tzinfo=UTC)


def test_it_tells_to_the_hour_when_a_clock_is_put_on_and_back() -> None:
    assert offsets(ZoneInfo("Europe/Berlin"), START, END) == [
        (START, 3600),
        (datetime(2025, 3, 30, 1, tzinfo=UTC), 7200),
        (datetime(2025, 10, 26, 1, tzinfo=UTC), 3600),
    ]


def test_a_clock_that_is_never_put_on_is_told_once() -> None:
    assert offsets(ZoneInfo("Asia/Tokyo"), START, END) == [(START, 32_400)]


def test_a_change_after_the_end_is_not_told() -> None:
    change = datetime(2025, 3, 30, 1, tzinfo=UTC)
    before = offsets(ZoneInfo("Europe/Berlin"), change - timedelta(hours=5), change)
    assert [seconds for _, seconds in before] == [3600]
    within = offsets(
        ZoneInfo("Europe/Berlin"), change - timedelta(minutes=5), change + timedelta(1)
    )
    assert within[1:] == [(change, 7200)]


@pytest.mark.parametrize(
    "zone",
    ["Africa/Casablanca", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"],
)
def test_it_says_what_the_zone_says_at_every_hour(zone: str) -> None:
    told = offsets(ZoneInfo(zone), START, END)
    at = START
    while at < END:
        held = [seconds for since, seconds in told if since <= at][-1]
        assert timedelta(seconds=held) == at.astimezone(ZoneInfo(zone)).utcoffset(), at
        at += timedelta(hours=1)


def test_a_page_is_told_of_two_years_and_of_the_one_to_come() -> None:
    told = offsets_about(ZoneInfo("Europe/Berlin"), date(2025, 6, 1))
    years = {datetime.fromtimestamp(ms / 1000, UTC).year for ms, _ in told[1:]}
    assert years == {2023, 2024, 2025, 2026}
    assert len(told) < 10
