"""Compares what is kept beside history with history itself."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from rich.console import Console
from rich.table import Table

from telemetry.retention import kept_since
from telemetry.storage.connection import connect
from telemetry.verification import Verification
from tenants.models import Organisation

MAX_SHOWN = 1000


class Command(BaseCommand):
    help = (
        "Recompute latest states, roll-ups, refusal counts and the logs' sequence, and print "
        "what differs. Exit status 1 if anything does. Safe on a live system."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", help="Slug of the organisation; default: all")
        parser.add_argument("--since", help="Date or time, e.g. 2026-02-08; default: all history")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant_id = self._tenant(options["tenant"])
        since = self._since(options["since"])
        shown = 0
        table = Table("what", "where", "recomputed", "stored", title="Differences")
        with connect("outrider verify") as connection:
            verification = Verification(
                connection,
                tenant_id=tenant_id,
                since=since,
                kept_since=kept_since(timezone.now(), tenant_id),
            )
            for difference in verification.differences():
                shown += 1
                if shown <= MAX_SHOWN:
                    table.add_row(
                        difference.what, difference.where, difference.expected, difference.found
                    )
        compared = ", ".join(f"{count} {what}" for what, count in verification.compared.items())
        out: Any = self.stdout
        console = Console(file=out, soft_wrap=True)
        if shown:
            console.print(table)
        console.print(f"Compared {compared}: {shown or 'no'} difference{'s' * (shown != 1)}.")
        if shown:
            sys.exit(1)

    @staticmethod
    def _tenant(slug: str | None) -> int | None:
        if slug is None:
            return None
        found = Organisation.objects.filter(slug=slug).first()
        if found is None:
            raise CommandError(f"There is no organisation {slug!r}.")
        return found.pk

    @staticmethod
    def _since(text: str | None) -> datetime | None:
        if text is None:
            return None
        try:
            found = parse_datetime(text)
            if found is None and (day := parse_date(text)) is not None:
                found = datetime(day.year, day.month, day.day)
        except ValueError:
            found = None
        if found is None:
            raise CommandError("--since takes a date or a time, e.g. 2026-02-08T12:00:00Z")
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        oldest = timezone.now() - timedelta(days=settings.TELEMETRY_RETENTION_DAYS + 1)
        return max(found, oldest)
