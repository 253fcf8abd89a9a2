"""Moments as whole microseconds: there and back, none lost."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.clock import from_us, to_us

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=ZONES))
def test_it_keeps_every_microsecond_of_any_zone_and_century(at):
    assert from_us(to_us(at)) == at
    assert to_us(at + timedelta(microseconds=1)) == to_us(at) + 1


@pytest.mark.parametrize(("time_us", "text"), [
    (0, "1970-01-01T00:00:00+00:00"),
    (-1, "1969-12-31T23:59:59.999999+00:00"),
    (1_772_366_400_000_001, "2026-03-01T12:00:00.000001+00:00"),
    # As a float of seconds this one would come out a microsecond off.
    (253_402_300_799_999_999, "9999-12-31T23:59:59.999999+00:00"),
])  # fmt: skip
def test_it_counts_from_1970_in_utc(time_us, text):
    assert (from_us(time_us).isoformat(), to_us(datetime.fromisoformat(text))) == (text, time_us)


def test_it_takes_no_time_without_a_zone():
    with pytest.raises(TypeError):
        to_us(datetime(2026, 3, 1, 12))
