"""A client of the device protocol, version 1 (`docs/device-protocol.md`).

    async with DeviceClient("ws://127.0.0.1:8001/device", token) as device:
        device.offer({"time": 1763640000250, "lat": 33.97, "lon": -6.84, "speed_kmh": 38.9})
        await device.drained()

It keeps what the server has not acknowledged, in order, and sends it again after a
reconnection: a reading offered is stored once, or refused with a reason. It stands alone
(no Django), so that it may be taken into a device's own program.
"""

from telemetry.client.device import DeviceClient
from telemetry.client.terms import Backoff, DeviceStopped, Stopped, Tally, Wire

__all__ = ["Backoff", "DeviceClient", "DeviceStopped", "Stopped", "Tally", "Wire"]
