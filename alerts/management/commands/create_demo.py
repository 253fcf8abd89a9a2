"""Create the demonstration tenant with its people and its fleet, or complete it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from alerts.demo import ensure_alerts
from alerts.staff import ensure_staff
from telemetry.demo import people, things
from telemetry.simulator import roster
from tenants.actors import Actor


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--vehicles", type=int, default=60, help="how many there shall be")
        parser.add_argument("--meters", type=int, help="default: one for four vehicles")

    def handle(self, *args: Any, **options: Any) -> None:
        password = people.demo_password()
        tenant = people.ensure_organisation(password)
        actor = Actor.command(tenant, "manage.py create_demo")
        wanted = max(0, options["vehicles"])
        meters = options["meters"] if options["meters"] is not None else max(4, wanted // 4)
        things.ensure_things(actor, vehicles=wanted, meters=meters)
        ensure_alerts(actor)
        ensure_staff()
        token = roster.api_token(actor, roster.Secrets())
        for email, role in people.logins():
            self.stdout.write(f"  {email:<28} {password}   {role}")
        self.stdout.write(f"  API token: {token}")
