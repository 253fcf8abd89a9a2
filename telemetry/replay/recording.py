"""A recorded CSV file, gzipped or not, read as a stream."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, cast

from telemetry.replay.mapping import Clock, Mapping, time_text

GZIP_MAGIC = b"\x1f\x8b"


class RecordingError(Exception):
    """The file cannot be read as the mapping says; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What a file holds: its rows, and the moments it spans (None: no readable time)."""

    rows: int
    oldest: datetime | None
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class Recording:
    """One file: one device's drive."""

    path: Path
    mapping: Mapping

    @property
    def stem(self) -> str:
        """The file's name without its endings: `T1_03_29_2021.csv.gz` is `T1_03_29_2021`."""
        return self.path.name.split(".")[0]

    @contextmanager
    def opened(self) -> Iterator[tuple[list[str], Iterator[list[str]]]]:
        """Header and rows. Raises RecordingError, also while the rows are read."""
        try:
            with self._text() as text:
                lines = csv.reader(text, delimiter=self.mapping.delimiter)
                header = [name.strip() for name in next(lines, [])]
                lacking = sorted(self.mapping.sources() - set(header))
                if lacking:
                    raise RecordingError(f"{self.path.name} has no column {', '.join(lacking)}")
                try:
                    yield header, (row for row in lines if row)
                except csv.Error as error:
                    raise RecordingError(
                        f"{self.path.name}, line {lines.line_num}: {error}"
                    ) from error
        except (OSError, EOFError) as error:
            raise RecordingError(f"{self.path.name}: {error}") from error

    def extent(self) -> Extent:
        """Read the file once, for its length and its span in time."""
        rows, oldest, newest = 0, None, None
        clock = Clock(self.mapping)
        with self.opened() as (header, lines):
            at = {name: index for index, name in enumerate(header)}
            for row in lines:
                rows += 1
                if len(row) != len(header):
                    continue
                moment = clock.read(time_text(row, at, self.mapping))
                if moment is not None:
                    oldest = moment if oldest is None else min(oldest, moment)
                    newest = moment if newest is None else max(newest, moment)
        return Extent(rows, oldest, newest)

    def _text(self) -> IO[str]:
        with self.path.open("rb") as raw:
            gzipped = raw.read(2) == GZIP_MAGIC
        # A byte that is no text becomes U+FFFD, and its value is refused by the server.
        raw_bytes = gzip.GzipFile(self.path) if gzipped else self.path.open("rb")
        return io.TextIOWrapper(
            cast(IO[bytes], raw_bytes), self.mapping.encoding, errors="replace", newline=""
        )
