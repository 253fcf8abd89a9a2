"""Files as they come: gzipped, truncated, with odd bytes, without the columns."""

import gzip
from datetime import UTC, datetime

import pytest

from telemetry.replay.mapping import parse
from telemetry.replay.recording import Recording, RecordingError

MAPPING = parse(
    {
        "time": {"columns": ["At"], "format": "%Y-%m-%d %H:%M:%S", "zone": "UTC"},
        "fields": {"speed_kmh": {"column": "Speed"}},
    }
)
TEXT = "At,Speed\n2026-01-01 10:00:00,5\nnever,6\n2026-01-01 09:00:00,7\n"


def recording(tmp_path, data, name="drive.csv"):
    path = tmp_path / name
    path.write_bytes(data)
    return Recording(path, MAPPING)


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress])
def test_it_measures_a_file_gzipped_or_not(tmp_path, pack):
    extent = recording(tmp_path, pack(TEXT.encode())).extent()
    assert extent.rows == 3
    assert extent.oldest == datetime(2026, 1, 1, 9, tzinfo=UTC)
    assert extent.newest == datetime(2026, 1, 1, 10, tzinfo=UTC)


def test_it_takes_its_name_from_the_file_without_its_endings(tmp_path):
    assert recording(tmp_path, b"", "T1_03_29_2021.csv.gz").stem == "T1_03_29_2021"


def test_it_names_a_column_that_is_not_there(tmp_path):
    with pytest.raises(RecordingError, match="no column Speed"):
        recording(tmp_path, b"At,Velocity\n").extent()


def test_it_says_that_a_gzip_file_is_cut_off(tmp_path):
    whole = gzip.compress(TEXT.encode() * 500)
    with pytest.raises(RecordingError, match=r"drive\.csv"):
        recording(tmp_path, whole[: len(whole) // 2]).extent()


def test_it_counts_a_row_whose_bytes_are_no_text(tmp_path):
    assert recording(tmp_path, TEXT.encode() + b"2026-01-01 11:00:00,\xff\xfe\n").extent().rows == 4


def test_it_says_where_a_file_stops_being_a_table(tmp_path):
    endless = b'At,Speed\n2026-01-01 10:00:00,"' + b"x" * 200_000
    with pytest.raises(RecordingError, match="line"):
        recording(tmp_path, endless).extent()


def test_it_says_that_there_is_no_such_file(tmp_path):
    with pytest.raises(RecordingError, match="nowhere"):
        Recording(tmp_path / "nowhere.csv", MAPPING).extent()
