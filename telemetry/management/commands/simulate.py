"""Simulate the demonstration fleet over the real device socket and HTTP ingest."""

from __future__ import annotations

import asyncio
import random
import signal
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError

from telemetry.simulator import fleet, roster
from telemetry.simulator.driver import HANDSHAKES_AT_ONCE, Driver, Pace, tracker_for
from telemetry.simulator.faults import Rates
from telemetry.simulator.metering import MeterPost
from telemetry.simulator.meters import SimulatedMeter
from telemetry.simulator.past import present_of
from telemetry.simulator.posting import IngestPost
from telemetry.simulator.roster import RosteredVehicle
from telemetry.simulator.vehicle import SimulatedVehicle
from tenants.actors import Actor
from tenants.models import Organisation

log = structlog.get_logger(__name__)


def share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ArgumentTypeError("a share lies between 0 and 1")
    return value


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", default="atlas", help="slug; see create_demo")
        parser.add_argument("--vehicles", type=int, help="the first N; default: all there are")
        parser.add_argument("--meters", type=int, help="the first M; default: all there are")
        parser.add_argument("--url", default="ws://127.0.0.1:8001/device")
        parser.add_argument(
            "--http-url", default="http://127.0.0.1:8001", help="base URL of HTTP ingest"
        )
        parser.add_argument("--interval", type=float, default=5.0, help="seconds between readings")
        parser.add_argument("--meter-interval", type=float, default=15.0)
        parser.add_argument(
            "--speedup", type=float, default=1.0, help="model seconds in one real second"
        )
        parser.add_argument("--seed", type=int, default=roster.SEED)
        parser.add_argument(
            "--drop-rate", type=share, default=0.02, help="share of devices out of reach"
        )
        parser.add_argument(
            "--backlog", type=int, default=1_000, help="readings a device holds while away"
        )
        parser.add_argument(
            "--duplicate-rate", type=share, default=0.002, help="share of readings sent twice"
        )
        parser.add_argument(
            "--garbage-rate", type=share, default=0.0005, help="readings followed by rubbish"
        )
        parser.add_argument(
            "--skew-rate", type=share, default=0.0, help="share of devices with a wrong clock"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = Organisation.objects.filter(slug=options["tenant"]).first()
        if tenant is None:
            raise CommandError(f"There is no organisation {options['tenant']}: run create_demo")
        asyncio.run(run(driver_for(Actor.command(tenant, "manage.py simulate"), options)))


def driver_for(actor: Actor, options: dict[str, Any]) -> Driver:
    """Everything the loop needs, read from the database once."""
    secrets = roster.Secrets()
    rostered = roster.vehicles(actor, options["vehicles"], secrets)
    wanted = options["vehicles"] or 1
    if len(rostered) < wanted:
        raise CommandError(
            f"There are {len(rostered)} vehicles: run create_demo --vehicles {wanted}"
        )
    rates = Rates(
        drop=options["drop_rate"],
        duplicate=options["duplicate_rate"],
        garbage=options["garbage_rate"],
        skew=options["skew_rate"],
    )
    handshakes = asyncio.Semaphore(HANDSHAKES_AT_ONCE)
    trackers = [
        tracker_for(
            vehicle_of(index, entry, actor.tenant, options["seed"]),
            url=options["url"],
            token=entry.token,
            backlog=max(1, options["backlog"]),
            rates=rates,
            handshakes=handshakes,
        )
        for index, entry in enumerate(rostered)
    ]
    meters = [
        SimulatedMeter(
            reference=meter.reference,
            vehicles=[trackers[index].vehicle for index in meter.behind],
            chance=random.Random(meter.reference),  # noqa: S311
        )
        for meter in roster.meters(actor, options["meters"], rostered)
    ]
    post = None
    if meters:
        ingest = IngestPost(options["http_url"], roster.api_token(actor, secrets))
        post = MeterPost(ingest, meters)
    pace = Pace(options["interval"], options["meter_interval"], options["speedup"])
    return Driver(trackers, meters, post, rates, pace)


def vehicle_of(
    index: int, entry: RosteredVehicle, tenant: Organisation, seed: int
) -> SimulatedVehicle:
    """As it was last seen; one that was never seen live begins where its past ends, which is the
    same whatever the seed."""
    if entry.last is None and entry.past is not None:
        vehicle = present_of(entry.past, roster.setting_of(tenant))
        vehicle.chance = random.Random(f"{seed}:{index}")  # noqa: S311
        return vehicle
    return fleet.place(index, entry.kind, entry.capacity_kwh, seed, entry.last)


async def run(driver: Driver) -> None:
    """Until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, driver.stop.set)
    log.info("simulation starts", vehicles=len(driver.trackers), meters=len(driver.meters))
    await driver.run()
    log.info("simulation stopped", **driver.figures())
