"""Recorded drives through a running platform: every row is accounted for."""

import os
import re
import time
from pathlib import Path

import pytest
from django.conf import settings

MAPPING = """
[time]
columns = ["At"]
format = "%Y-%m-%d %H:%M:%S"
zone = "UTC"

[vehicle]
name = "Test car {stem}"
kind = "car"

[fields]
lat = { column = "Lat" }
lon = { column = "Lon" }
speed_kmh = { column = "Speed", unit = "m/s" }

[attributes]
mode = { column = "Mode", type = "text" }
"""
ROWS = """At,Lat,Lon,Speed,Mode
2026-01-05 10:00:00,34.0,-6.8,10,D
2026-01-05 10:00:01,34.0001,-6.8,10,D
2026-01-05 10:00:01,34.0001,-6.8,10,D
2026-01-05 10:00:01,34.0002,-6.8,10,D
2026-13-45 10:00:02,34.0003,-6.8,10,D
2026-01-05 10:00:03,91.5,-6.8,10,D
2026-01-05 10:00:04,34.0005,-6.8,fast,D
2026-01-05 10:00:05,0,0,10,D
2026-01-05 10:00:06,34.0006
2126-01-05 10:00:07,34.0007,-6.8,10,D
2026-01-05 09:59:59,33.9999,-6.8,10,R
"""
TWIZY = Path(
    os.environ.get("OUTRIDER_DRIVES", settings.BASE_DIR.parent / "shared" / "data" / "twizy")
)
needs_the_drives = pytest.mark.skipif(
    not TWIZY.is_dir(), reason="the recorded drives (../shared/data/twizy) are not here"
)


def replay(platform, *arguments):
    """Run it; returns the summary as {file: {column: count}}."""
    run = platform.manage(
        "replay", *arguments, "--tenant", "drives", "--url", platform.device_url, "--wait", 60
    )
    assert run.returncode == 0, run.stdout + run.stderr
    head, *lines = [re.split(r"\s+", line.strip()) for line in run.stdout.splitlines()]
    return {line[0]: dict(zip(head[1:], map(int, line[1:]), strict=True)) for line in lines}


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drive")
    (folder / "car.toml").write_text(MAPPING)
    (folder / "Trip_1.csv").write_text(ROWS)
    return folder


def rows_of(platform, reference):
    return platform.sql(
        "SELECT r.time, r.lat, r.lon, r.speed_kmh, r.attributes, r.invalid"
        " FROM telemetry_vehicle_reading r JOIN fleet_vehicle v ON v.id = r.vehicle_id"
        " WHERE v.reference = %s ORDER BY r.time, r.lat",
        reference,
    )


def quarantined(platform):
    return platform.sql(
        "SELECT d.reference, q.code, count(*)::int FROM telemetry_quarantined_frame q"
        " JOIN fleet_device d ON d.id = q.device_id WHERE d.reference LIKE 'T_\\_%%'"
        " GROUP BY 1, 2 ORDER BY 1"
    )


def eventually(look, wanted, seconds=30):
    """What is there once it is as wanted, or at the end: the quarantine fills behind the answer."""
    deadline = time.monotonic() + seconds
    while (found := look()) != wanted and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def test_it_accounts_for_every_row_and_stores_none_twice(platform, drive):
    arguments = (drive / "Trip_1.csv", "--mapping", drive / "car.toml")
    first = replay(platform, *arguments)["Trip_1.csv"]
    refused = {"bad_time": 1, "out_of_range": 1, "malformed": 1, "unknown_field": 1}
    refused["future_time"] = 1
    assert first == {"rows": 11, "stored": 5, "duplicate": 1, **refused, "unaccounted": 0}

    rows = rows_of(platform, "Trip_1")
    assert len(rows) == 5
    assert rows[0][3:5] == (36.0, {"mode": "R"})
    assert rows[-1][1:3] == (None, None)
    assert rows[-1][5] == ["position"]

    again = replay(platform, *arguments)["Trip_1.csv"]
    assert again == {"rows": 11, "stored": 0, "duplicate": 6, **refused, "unaccounted": 0}
    assert rows_of(platform, "Trip_1") == rows


def test_it_moves_a_recording_to_the_present(platform, drive, tmp_path):
    recent = tmp_path / "Trip_2.csv"
    recent.write_text("\n".join(ROWS.splitlines()[:3]) + "\n")
    replay(platform, recent, "--mapping", drive / "car.toml", "--as-of", "2026-02-01T00:00:00Z")
    times = [row[0].isoformat() for row in rows_of(platform, "Trip_2")]
    assert times == ["2026-01-31T23:59:59+00:00", "2026-02-01T00:00:00+00:00"]


def test_it_names_what_it_cannot_read_before_it_sends_anything(platform, drive, tmp_path):
    other = tmp_path / "Trip_3.csv"
    other.write_text("When,Where\n1,2\n")
    run = platform.manage("replay", other, "--mapping", drive / "car.toml", "--tenant", "drives")
    assert run.returncode == 1
    assert "Trip_3.csv has no column At, Lat, Lon, Mode, Speed" in run.stderr
    assert rows_of(platform, "Trip_3") == []


@needs_the_drives
def test_it_replays_the_twelve_drives_exactly(platform):
    impossible = {
        "T1_03_29_2021": 10,
        "T1_06_30_2021_1": 34,
        "T2_03_29_2021": 57,
        "T2_03_30_2021": 56,
    }
    files = sorted(TWIZY.glob("*.csv.gz"))
    assert len(files) == 12

    summary = replay(platform, *files, "--mapping", "twizy")
    total = {"rows": 39_928, "stored": 39_771, "duplicate": 0, "bad_time": 157, "unaccounted": 0}
    assert summary["total"] == total
    for file in files:
        reference = file.name.split(".")[0]
        refused = impossible.get(reference, 0)
        assert summary[file.name]["bad_time"] == refused
        assert summary[file.name]["stored"] == summary[file.name]["rows"] - refused
        assert len(rows_of(platform, reference)) == summary[file.name]["stored"]

    # What was refused lies in the quarantine with its reason, and nothing else of these does.
    expected = [(reference, "bad_time", count) for reference, count in impossible.items()]
    assert eventually(lambda: quarantined(platform), expected) == expected

    # The four rows whose latitude is 0 are kept without a position.
    lost = platform.sql(
        "SELECT v.reference, count(*)::int FROM telemetry_vehicle_reading r"
        " JOIN fleet_vehicle v ON v.id = r.vehicle_id"
        " WHERE 'position' = ANY(r.invalid) AND r.lat IS NULL AND r.lon IS NULL"
        " AND v.reference LIKE 'T_\\_%%' GROUP BY 1"
    )
    assert lost == [("T1_06_30_2021_2", 4)]

    # The latest state is the newest row.
    behind = platform.sql(
        "SELECT v.reference FROM fleet_vehicle v"
        " JOIN telemetry_vehicle_latest l ON l.vehicle_id = v.id"
        " CROSS JOIN LATERAL (SELECT time, reading_id, soc_pct FROM telemetry_vehicle_reading"
        "  WHERE vehicle_id = v.id ORDER BY time DESC, reading_id DESC LIMIT 1) n"
        " WHERE l.time <> n.time OR l.reading_id <> n.reading_id OR l.soc_pct <> n.soc_pct"
    )
    assert behind == []

    again = replay(platform, *files, "--mapping", "twizy")
    assert again["total"] == {**total, "stored": 0, "duplicate": 39_771}
    assert platform.sql(
        "SELECT count(*)::int FROM telemetry_vehicle_reading r"
        " JOIN fleet_vehicle v ON v.id = r.vehicle_id WHERE v.reference LIKE 'T_\\_%%'"
    ) == [(39_771,)]


def test_it_leaves_history_latest_state_and_roll_ups_in_agreement(platform):
    verified = platform.manage("verify_telemetry", "--tenant", "drives")
    assert verified.returncode == 0, verified.stdout + verified.stderr
