"""The API's hot answers with 100,000 readings stored and with ten million.

Two installations stand side by side, alike but for the length of their history, and are asked
the same questions by turns: whatever else the machine does, both feel it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from bench.installation import opened
from bench.options import Options
from bench.queries import Target, compare
from bench.say import say
from bench.seed import Seed, sow

FEW = 100_000
VEHICLES = 80
"""At both sizes: of 100,000 readings each has 1,250, a day's worth and more than a page."""


def hot_answers(folder: Path, options: Options) -> dict[str, Any]:
    many = 500_000 if options.quick else options.rows
    until = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    with (
        opened(folder / "few", ["web"], vehicles=VEHICLES) as (small, of_small),
        opened(folder / "many", ["web"], vehicles=VEHICLES) as (large, of_large),
    ):
        targets = {}
        for rows, installation, credentials in ((FEW, small, of_small), (many, large, of_large)):
            seed = Seed(
                rows,
                [device["vehicle_id"] for device in credentials["devices"]],
                credentials["meters"],
                until,
            )
            with psycopg.connect(installation.postgres.url, autocommit=True) as connection:
                say(f"{rows:,} rows took {sow(connection, seed):.0f} s")
            targets[str(rows)] = Target(
                installation.web_port,
                credentials["token"],
                [device["reference"] for device in credentials["devices"]],
                until,
            )
        return compare(targets, requests=200 if options.quick else 2000)
