"""From rows to readings: conversion, wall clocks, and values that no mapping can save."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from telemetry.replay import mapping as mappings
from telemetry.replay.mapping import Clock, MappingError, milliseconds, parse, readings

HEADER = ["Date", "Time", "Speed", "Temp", "Energy", "Door"]
DOCUMENT: dict[str, Any] = {
    "time": {
        "columns": ["Date", "Time"],
        "format": "%m/%d/%Y %H:%M:%S",
        "zone": "Africa/Casablanca",
    },
    "fields": {
        "speed_kmh": {"column": "Speed", "unit": "m/s"},
        "ambient_temp_c": {"column": "Temp", "unit": "°F"},
        "energy_dc_kwh": {"column": "Energy", "unit": "Wh"},
    },
    "attributes": {"door_open": {"column": "Door", "type": "boolean"}},
}
NO_SHIFT = timedelta(0)


def read(*rows, document=DOCUMENT, shift=NO_SHIFT):
    return list(readings(iter(rows), HEADER, parse(document), shift))


def at(*moment):
    return milliseconds(datetime(*moment).replace(tzinfo=UTC))


def test_it_converts_units_and_numbers_the_rows():
    (reading,) = read(["03/29/2021", "11:13:45", "10", "212", "1500", "1"])
    assert reading == {
        "seq": 1,
        "time": at(2021, 3, 29, 10, 13, 45),
        "speed_kmh": 36,
        "ambient_temp_c": 100,
        "energy_dc_kwh": Decimal("1.5"),
        "attributes": {"door_open": True},
    }


@pytest.mark.parametrize("text", ["90/02/2032", "03/00/2000", "02/29/2021", "yesterday", ""])
def test_it_sends_an_impossible_date_as_it_stands(text):
    (reading,) = read([text, "12:08:07", "1", "", "", ""])
    assert reading["time"] == f"{text} 12:08:07"


@pytest.mark.parametrize("text", ["fast", "nan", "inf", "1_0", "0x10", "12,5", "--1", "1e9999"])
def test_it_sends_a_value_that_is_no_number_as_it_stands(text):
    (reading,) = read(["03/29/2021", "11:13:45", text, "", "", ""])
    assert reading["speed_kmh"] == text


def test_it_sends_nothing_for_an_empty_cell():
    (reading,) = read(["03/29/2021", "11:13:45", "", " ", "", ""])
    assert reading == {"seq": 1, "time": at(2021, 3, 29, 10, 13, 45)}


def test_it_sends_nothing_for_a_cell_that_the_mapping_calls_missing():
    document = {**DOCUMENT, "file": {"missing": ["NA"]}}
    (reading,) = read(["03/29/2021", "11:13:45", "NA", "", "", ""], document=document)
    assert "speed_kmh" not in reading


@pytest.mark.parametrize("row", [["03/29/2021"], ["03/29/2021", "11:13:45", *"123456"]])
def test_it_sends_a_row_of_the_wrong_length_whole(row):
    assert read(row) == [{"seq": 1, "row": row}]


def test_it_shifts_the_times_it_could_read_and_no_others():
    good, bad = read(
        ["03/29/2021", "11:13:45", "1", "", "", ""],
        ["90/02/2032", "11:13:46", "1", "", "", ""],
        shift=timedelta(days=1),
    )
    assert good["time"] == at(2021, 3, 30, 10, 13, 45)
    assert bad["time"] == "90/02/2032 11:13:46"


def test_it_knows_that_ramadan_takes_an_hour_back():
    # Morocco is an hour ahead of UTC, but not between 11 April and 16 May 2021.
    march, april, may = read(
        ["03/29/2021", "12:00:00", "1", "", "", ""],
        ["04/22/2021", "12:00:00", "1", "", "", ""],
        ["05/25/2021", "12:00:00", "1", "", "", ""],
    )
    assert march["time"] == at(2021, 3, 29, 11)
    assert april["time"] == at(2021, 4, 22, 12)
    assert may["time"] == at(2021, 5, 25, 11)


def test_it_reads_an_hour_shown_twice_in_the_order_of_the_rows():
    clock = Clock(parse(DOCUMENT))
    # On 11 April 2021 the clocks went from 03:00 back to 02:00.
    walls = ["02:58:00", "02:59:00", "02:00:00", "02:01:00", "03:01:00"]
    moments = [at for wall in walls if (at := clock.read(f"04/11/2021 {wall}"))]
    assert len(moments) == len(walls)
    assert moments == sorted(moments)
    assert moments[2] - moments[1] == timedelta(minutes=1)
    assert moments[4] - moments[3] == timedelta(hours=1)


def test_it_does_not_believe_a_time_that_the_clocks_skipped():
    # On 16 May 2021 the clocks went from 02:00 on to 03:00.
    assert Clock(parse(DOCUMENT)).read("05/16/2021 02:30:00") is None


def test_it_takes_a_time_that_brings_its_own_zone():
    document = {**DOCUMENT, "time": {**DOCUMENT["time"], "format": "%Y-%m-%dT%H:%M:%S%z"}}
    moment = Clock(parse(document)).read("2021-03-29T11:13:45+0200")
    assert moment == datetime(2021, 3, 29, 9, 13, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    ("section", "value", "complaint"),
    [
        ("fields", {"warp": {"column": "Speed"}}, "no such field"),
        ("fields", {"speed_kmh": {"column": "Speed", "unit": "parsec"}}, "cannot convert"),
        ("fields", {"speed_kmh": {"unit": "m/s"}}, "needs column"),
        ("fields", {"speed_kmh": {"column": "Speed", "colour": "red"}}, "unknown colour"),
        ("fields", {"speed_kmh": "Speed"}, "must be a table"),
        ("attributes", {"door": {"column": "Door", "type": "date"}}, "type is one of"),
        ("time", {"columns": ["Date"], "format": "%Y"}, "needs zone"),
        ("time", {**DOCUMENT["time"], "zone": "Africa/Atlantis"}, "is not a time zone"),
        ("tyres", {}, "unknown tyres"),
    ],
)
def test_it_names_the_place_where_a_mapping_is_wrong(section, value, complaint):
    with pytest.raises(MappingError, match=complaint):
        parse({**DOCUMENT, section: value})


def test_it_ships_a_mapping_for_the_recorded_drives():
    from telemetry.management.commands.replay import mapping_path

    shipped = mappings.load(mapping_path("twizy"))
    assert shipped.zone == ZoneInfo("Africa/Casablanca")
    assert {"Date", "Time", "Soc", "Mode", "WindSpeedAv"} <= shipped.sources()
