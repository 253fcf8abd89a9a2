"""History in bulk, by the writer's own transaction fed from memory.

    python -m bench.fill --rows 10000000 --until 2026-11-21T00:00:00+00:00

Every vehicle of the installation reports every `--interval` seconds up to `--until`; a
second call with more rows continues into the past. Run with the installation's environment.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from datetime import datetime

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

BATCH = 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--skip", type=int, default=0, help="rows a former call has stored")
    parser.add_argument("--interval", type=int, default=10)
    parser.add_argument("--until", type=datetime.fromisoformat, required=True)
    options = parser.parse_args()

    import django

    django.setup()
    from fleet.models import Vehicle
    from telemetry.records import SCHEMA_VERSION, VehicleReading
    from telemetry.storage.connection import connect
    from telemetry.storage.store import Store

    vehicles = list(Vehicle.unscoped.order_by("pk").values_list("pk", "tenant_id"))
    end = int(options.until.timestamp()) * 1_000_000

    def reading(number: int) -> VehicleReading:
        """Vehicles by turns; each turn is one interval further back."""
        back, at = divmod(number, len(vehicles))
        vehicle_id, tenant_id = vehicles[at]
        moment = end - back * options.interval * 1_000_000
        return VehicleReading(
            schema=SCHEMA_VERSION,
            tenant_id=tenant_id,
            device_id=None,
            vehicle_id=vehicle_id,
            time=moment,
            received_at=moment + 200_000,
            reading_id=number & 0x7FFFFFFF,
            protocol="telemetry.v1",
            lat=33.9 + number % 1000 / 1e4,
            lon=-6.8,
            speed_kmh=number % 90 + 0.5,
            heading_deg=271.5,
            soc_pct=53.4,
            battery_temp_c=31 + number % 10 / 10,
            battery_voltage_v=391.2,
            battery_current_a=-18.25,
            odometer_km=48210.4,
            ignition=True,
        )

    started = time.monotonic()
    with connect("outrider bench") as connection:
        store = Store(connection)
        # From the past to the present, as readings come in life.
        for top in range(options.rows, options.skip, -BATCH):
            numbers = range(top - 1, max(options.skip, top - BATCH) - 1, -1)
            store.store([reading(number) for number in numbers])
        connection.execute("ANALYZE telemetry_vehicle_reading")
        connection.execute("ANALYZE telemetry_vehicle_hour")
    seconds = time.monotonic() - started
    print(json.dumps({"rows": options.rows - options.skip, "seconds": round(seconds, 1)}))


if __name__ == "__main__":
    main()
