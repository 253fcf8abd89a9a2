"""Changes to what an organisation runs. Every one is audited in its own transaction.

Each takes the `Actor`, and acts in the actor's organisation only.
"""

from fleet.services.devices import (
    archive_device,
    provision_device,
    restore_device,
    revoke_credential,
    rotate_credential,
    update_device,
)
from fleet.services.fleets import archive_fleet, create_fleet, restore_fleet, update_fleet
from fleet.services.meters import (
    archive_meter,
    create_meter,
    end_mapping,
    map_meter,
    restore_meter,
    unmap_meter,
    update_meter,
)
from fleet.services.vehicles import (
    archive_vehicle,
    create_vehicle,
    find_by_vin,
    restore_vehicle,
    reveal_vin,
    update_vehicle,
)

__all__ = [
    "archive_device",
    "archive_fleet",
    "archive_meter",
    "archive_vehicle",
    "create_fleet",
    "create_meter",
    "create_vehicle",
    "end_mapping",
    "find_by_vin",
    "map_meter",
    "provision_device",
    "restore_device",
    "restore_fleet",
    "restore_meter",
    "restore_vehicle",
    "reveal_vin",
    "revoke_credential",
    "rotate_credential",
    "unmap_meter",
    "update_device",
    "update_fleet",
    "update_meter",
    "update_vehicle",
]
