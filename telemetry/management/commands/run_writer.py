"""Writes the ingress log into the database: one process, as many partitions as is its share."""

from __future__ import annotations

import signal
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from telemetry import routes
from telemetry.collector import settle
from telemetry.streams import INGRESS
from telemetry.writer import Writer


class Command(BaseCommand):
    help = "Store readings from the ingress log. SIGTERM finishes the batch in hand and stops."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--partitions", help="Only these, e.g. 0,2; default: a fair share among all writers"
        )
        parser.add_argument("--once", action="store_true", help="Stop when the log is empty")

    def handle(self, *args: Any, **options: Any) -> None:
        partitions = None
        if options["partitions"]:
            try:
                partitions = [int(part) for part in options["partitions"].split(",")]
            except ValueError as error:
                raise CommandError("--partitions takes numbers with commas between") from error
            if not all(0 <= partition < INGRESS.partitions for partition in partitions):
                raise CommandError(f"partitions go from 0 to {INGRESS.partitions - 1}")
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        routes.forget_undeclared()
        settle()
        Writer(partitions=partitions).run(stop, once=options["once"])
