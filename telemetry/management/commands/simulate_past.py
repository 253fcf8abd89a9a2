"""Give the demonstration fleet the week before it was created, over HTTP ingest; once."""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from telemetry.simulator import roster
from telemetry.simulator.filling import Filling, NotTaken
from telemetry.simulator.posting import IngestPost
from tenants.actors import Actor
from tenants.models import Organisation

NICE = 5
"""The live fleet comes first."""


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", default="atlas", help="slug; see create_demo")
        parser.add_argument(
            "--http-url", default="http://127.0.0.1:8001", help="base URL of HTTP ingest"
        )
        parser.add_argument("--rate", type=float, default=3_000.0, help="readings a second at most")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = Organisation.objects.filter(slug=options["tenant"]).first()
        if tenant is None:
            raise CommandError(f"There is no organisation {options['tenant']}: run create_demo")
        if options["rate"] <= 0:
            raise CommandError("--rate must be more than 0")
        actor = Actor.command(tenant, "manage.py simulate_past")
        secrets = roster.Secrets()
        vehicles = roster.vehicles(actor, None, secrets)
        filling = Filling(
            tenant=tenant,
            ingest=IngestPost(options["http_url"], roster.api_token(actor, secrets)),
            vehicles=vehicles,
            meters=roster.meters(actor, None, vehicles),
            rate=options["rate"],
        )
        parts = filling.missing()
        if not parts:
            return
        os.nice(NICE)
        count = sum(vehicle.past is not None for vehicle in vehicles)
        self._tell(f"The week before is being filled in for {count} vehicles, newest day first …")
        began = time.monotonic()
        try:
            filling.fill(parts)
        except NotTaken as reason:
            raise CommandError(f"The week before cannot be filled in: {reason}") from reason
        took = time.monotonic() - began
        self._tell(f"The week before is filled in: {filling.sent:,} readings in {took:.0f} s.")

    def _tell(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
