"""Tells the dashboards what the writer has stored: any number of processes share the work."""

from __future__ import annotations

import signal
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from telemetry import routes
from telemetry.collector import settle

ROUTE = "live"


class Command(BaseCommand):
    help = (
        "Publish stored readings to the dashboards. SIGTERM finishes the entry in hand and stops."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="Stop when the log is empty")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        settle()
        routes.consume(ROUTE, stop, once=options["once"])
