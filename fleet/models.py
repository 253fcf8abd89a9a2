"""What an organisation runs: fleets, vehicles, meters, and the devices that speak for them.

A last position is telemetry's, not ours: nothing here changes when a vehicle moves.
`reference` is the customer's own identifier (the API's `id`), unique within the tenant.
"""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeOperators
from django.contrib.postgres.functions import RandomUUID
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper

from tenants.collation import NATURAL
from tenants.scoping import TenantOwned

REFERENCE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"
reference_validator = RegexValidator(
    REFERENCE_PATTERN, "Up to 64 letters, digits, dots, colons, dashes or underscores."
)


def search_index(name: str, *fields: str) -> GinIndex:
    """Finds a part of a word in these fields, by its trigrams, as `icontains` asks for it."""
    return GinIndex(*(OpClass(Upper(field), name="gin_trgm_ops") for field in fields), name=name)


class Referenced(TenantOwned):
    """A thing the customer knows by a reference of their own."""

    reference = models.CharField(max_length=64, validators=[reference_validator])
    name = models.CharField(max_length=120, db_collation=NATURAL)
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "reference"], name="%(class)s_reference_once_per_tenant"
            ),
            models.CheckConstraint(
                condition=Q(reference__regex=REFERENCE_PATTERN),
                name="%(class)s_reference_well_formed",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.reference


class Fleet(Referenced):
    """A group of vehicles and meters; the room of the live stream."""

    class Meta(Referenced.Meta):
        indexes = [search_index("fleet_search", "name", "reference")]


class VehicleKind(models.TextChoices):
    CAR = "car", "Car"
    VAN = "van", "Van"
    TRUCK = "truck", "Truck"
    BUS = "bus", "Bus"
    OTHER = "other", "Other"


class Vehicle(Referenced):
    """A vehicle. Its VIN exists only as a keyed pseudonym and as ciphertext."""

    fleet = models.ForeignKey(Fleet, on_delete=models.PROTECT, related_name="vehicles")
    kind = models.CharField(max_length=8, choices=VehicleKind.choices, default=VehicleKind.VAN)
    plate = models.CharField(max_length=20, blank=True)
    battery_capacity_kwh = models.DecimalField(
        max_digits=8, decimal_places=2, null=True, blank=True
    )
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    silent_after_s = models.PositiveIntegerField(
        default=300, help_text="Seconds without a reading after which the vehicle counts as dark."
    )
    vin_pseudonym = models.CharField(max_length=64, blank=True, editable=False)
    vin_ciphertext = models.BinaryField(null=True, blank=True, editable=False)

    class Meta(Referenced.Meta):
        constraints = [
            *Referenced.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant", "vin_pseudonym"],
                condition=~Q(vin_pseudonym=""),
                name="vehicle_vin_once_per_tenant",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "fleet"]),
            search_index("vehicle_search", "name", "reference", "plate"),
        ]


class Meter(Referenced):
    """A charging meter: it counts the alternating-current energy that a charger delivers."""

    fleet = models.ForeignKey(Fleet, on_delete=models.PROTECT, related_name="meters")
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    silent_after_s = models.PositiveIntegerField(default=900)

    class Meta(Referenced.Meta):
        indexes = [
            models.Index(fields=["tenant", "fleet"]),
            search_index("meter_search", "name", "reference"),
        ]


class MeterMapping(TenantOwned):
    """During `valid`, what this meter counts flows into this vehicle."""

    public_id = models.UUIDField(db_default=RandomUUID(), unique=True, editable=False)
    meter = models.ForeignKey(Meter, on_delete=models.CASCADE, related_name="mappings")
    vehicle = models.ForeignKey(Vehicle, on_delete=models.CASCADE, related_name="mappings")
    valid = DateTimeRangeField(help_text="Half open: [from, to).")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            # A meter feeds one vehicle at a time; a vehicle may have several meters.
            ExclusionConstraint(
                name="meter_mapping_one_vehicle_at_a_time",
                expressions=[
                    ("meter", RangeOperators.EQUAL),
                    ("valid", RangeOperators.OVERLAPS),
                ],
            )
        ]
        indexes = [models.Index(fields=["tenant", "vehicle"])]

    def __str__(self) -> str:
        return f"{self.meter} → {self.vehicle}"


class Device(Referenced):
    """What sends readings: for one vehicle, or one meter, or (not yet installed) neither."""

    vehicle = models.ForeignKey(
        Vehicle, on_delete=models.PROTECT, null=True, blank=True, related_name="devices"
    )
    meter = models.ForeignKey(
        Meter, on_delete=models.PROTECT, null=True, blank=True, related_name="devices"
    )
    protocol = models.CharField(max_length=40, default="telemetry.v1")

    class Meta(Referenced.Meta):
        constraints = [
            *Referenced.Meta.constraints,
            models.CheckConstraint(
                condition=Q(vehicle__isnull=True) | Q(meter__isnull=True),
                name="device_speaks_for_one_thing",
            ),
        ]
        indexes = [search_index("device_search", "name", "reference")]


class DeviceCredential(TenantOwned):
    """A device's secret, kept as a digest. Rotation makes a new row and revokes the old."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="credentials")
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["device"],
                condition=Q(revoked_at__isnull=True),
                name="device_one_live_credential",
            )
        ]

    def __str__(self) -> str:
        return f"{self.prefix}…"


from fleet.geofences import Geofence as Geofence  # noqa: E402  (Django looks for models here)
