"""Replay recorded drives through the real device socket, and account for every row."""

from __future__ import annotations

import asyncio
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_datetime
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from telemetry.client import DeviceStopped
from telemetry.replay import mapping as mappings
from telemetry.replay.account import Account, Span, settle, wait_until_written
from telemetry.replay.provisioning import Speaker, fleet_called, speaker_for
from telemetry.replay.recording import Extent, Recording, RecordingError
from telemetry.replay.sending import Answers, send
from tenants.actors import Actor
from tenants.errors import DomainError
from tenants.models import Organisation

SHIPPED = Path(__file__).resolve().parents[2] / "mappings"
CONCURRENT_FILES = 16


@dataclass(slots=True)
class Drive:
    """One file on its way."""

    recording: Recording
    extent: Extent
    shift: timedelta
    speaker: Speaker
    account: Account

    @property
    def span(self) -> Span | None:
        if self.extent.oldest is None or self.extent.newest is None:
            return None
        return Span(
            self.speaker.vehicle_id,
            self.speaker.device_id,
            self.extent.oldest + self.shift,
            self.extent.newest + self.shift,
        )


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, help="CSV files, gzipped or not")
        parser.add_argument(
            "--mapping", required=True, help="a mapping file, or the name of one that is shipped"
        )
        parser.add_argument("--tenant", help="slug; may be left out where there is only one")
        parser.add_argument("--fleet", default="replay", help="fleet that new vehicles join")
        parser.add_argument("--url", default="ws://127.0.0.1:8001/device")
        parser.add_argument("--rate", type=float, help="rows a second and file; default: all speed")
        parser.add_argument(
            "--as-of", help="'now' or a moment: shift each file so that its newest row is then"
        )
        parser.add_argument(
            "--together",
            action="store_true",
            help="with --as-of: one shift for all files, which keeps the time between them",
        )
        parser.add_argument(
            "--wait", type=float, default=60, help="seconds to wait for the writer (default 60)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            drives = self._prepare(options)
        except (mappings.MappingError, RecordingError) as error:
            raise CommandError(str(error)) from error
        except DomainError as error:
            raise CommandError(error.detail) from error

        self._wait_for_writer(drives, options["wait"])
        before = [len(drive.span.stored_times()) if drive.span else 0 for drive in drives]
        try:
            answers = asyncio.run(send_all(drives, options["url"], options["rate"]))
        except (DeviceStopped, RecordingError) as error:
            raise CommandError(str(error)) from error
        self._wait_for_writer(drives, options["wait"])

        for drive, said, rows_before in zip(drives, answers, before, strict=True):
            settle(drive.account, said, drive.span, rows_before)
        self._report([drive.account for drive in drives])

    def _prepare(self, options: dict[str, Any]) -> list[Drive]:
        mapping = mappings.load(mapping_path(options["mapping"]))
        recordings = [Recording(path, mapping) for path in options["files"]]
        twice = [stem for stem, n in Counter(r.stem for r in recordings).items() if n > 1]
        if twice:
            raise CommandError(f"Two files would be one device: {', '.join(twice)}")
        extents = [recording.extent() for recording in recordings]
        shifts = shifts_for(extents, options["as_of"], together=options["together"])
        actor = Actor.command(tenant_called(options["tenant"]), "manage.py replay")
        fleet = fleet_called(actor, options["fleet"])
        return [
            Drive(
                recording=recording,
                extent=extent,
                shift=shift,
                speaker=speaker_for(actor, recording, fleet),
                account=Account(recording.path.name, extent.rows),
            )
            for recording, extent, shift in zip(recordings, extents, shifts, strict=True)
        ]

    def _wait_for_writer(self, drives: list[Drive], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        for drive in drives:
            wait_until_written(drive.speaker.vehicle_id, deadline - time.monotonic())

    def _report(self, accounts: list[Account]) -> None:
        codes = sorted({code for account in accounts for code in account.refused})
        total = Account("total", sum(account.rows for account in accounts))
        for account in accounts:
            total.stored += account.stored
            total.duplicate += account.duplicate
            total.refused.update(account.refused)
        heads = ["rows", "stored", "duplicate", *codes, "unaccounted"]
        width = max(len(account.name) for account in [*accounts, total])
        self.stdout.write(" ".join(["file".ljust(width), *(head.rjust(11) for head in heads)]))
        for account in [*accounts, total]:
            figures = [
                account.rows,
                account.stored,
                account.duplicate,
                *(account.refused[code] for code in codes),
                account.unaccounted,
            ]
            cells = (str(n).rjust(max(11, len(h))) for n, h in zip(figures, heads, strict=True))
            self.stdout.write(" ".join([account.name.ljust(width), *cells]))
        if total.unaccounted:
            raise CommandError(
                f"{total.unaccounted} rows are not accounted for. Is the writer running? "
                "Replay again: what is stored already is not stored twice."
            )


async def send_all(drives: list[Drive], url: str, rate: float | None) -> list[Answers]:
    """All files beside each other; the answers in the order of the files."""
    at_once = asyncio.Semaphore(CONCURRENT_FILES)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    ) as progress:

        async def one(drive: Drive) -> Answers:
            bar = progress.add_task(drive.recording.stem, total=drive.extent.rows)
            async with at_once:
                return await send(
                    drive.recording,
                    url=url,
                    token=drive.speaker.token,
                    shift=drive.shift,
                    rate=rate,
                    answered=lambda rows: progress.advance(bar, rows),
                )

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(drive)) for drive in drives]
    return [task.result() for task in tasks]


def shifts_for(extents: list[Extent], as_of: str | None, *, together: bool) -> list[timedelta]:
    """Whole seconds to add to the times of each file."""
    if as_of is None:
        return [timedelta(0)] * len(extents)
    target = datetime.now(UTC) if as_of == "now" else parse_datetime(as_of)
    if target is None or target.tzinfo is None:
        raise CommandError("--as-of takes 'now' or a moment with its zone: 2026-11-20T12:00:00Z")
    newest = [extent.newest for extent in extents]
    if together:
        known = [moment for moment in newest if moment is not None]
        newest = [max(known, default=None)] * len(extents)
    return [
        timedelta(0)
        if moment is None
        else timedelta(seconds=(target - moment) // timedelta(seconds=1))
        for moment in newest
    ]


def mapping_path(name: str) -> Path:
    path = Path(name)
    shipped = SHIPPED / f"{name}.toml"
    return shipped if not path.exists() and shipped.is_file() else path


def tenant_called(slug: str | None) -> Organisation:
    tenants = Organisation.objects.filter(archived_at=None)
    found = list(tenants.filter(slug=slug) if slug else tenants[:2])
    if len(found) != 1:
        raise CommandError(
            f"There is no organisation {slug}." if slug else "Say which organisation: --tenant SLUG"
        )
    return found[0]
