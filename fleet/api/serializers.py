"""How fleets, vehicles, meters and devices look from outside."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from fleet import tags
from fleet.models import Device, Fleet, Meter, MeterMapping, Vehicle
from fleet.models import reference_validator as valid_reference
from tenants.api.fields import Strict, TenantReference


class ReferencedSerializer(Strict, serializers.ModelSerializer[Any]):
    """`id` is the customer's own; the database's never leaves the house."""

    id = serializers.CharField(source="reference", max_length=64, validators=[valid_reference])


BASE = ["id", "name", "created_at", "archived_at"]
READ_ONLY = ["created_at", "archived_at"]


class TagsField(serializers.ListField):
    child = serializers.CharField(max_length=tags.LONGEST)

    def __init__(self, **options: Any) -> None:
        about = "Words of your own; alert rules can go by them. No commas."
        super().__init__(max_length=tags.MOST, help_text=about, required=False, **options)


class FleetSerializer(ReferencedSerializer):
    vehicle_count = serializers.IntegerField(read_only=True)
    meter_count = serializers.IntegerField(read_only=True)

    class Meta:
        model = Fleet
        fields = [*BASE, "vehicle_count", "meter_count"]
        read_only_fields = READ_ONLY


class VehicleSerializer(ReferencedSerializer):
    """The VIN goes in and does not come out: `vin_pseudonym` tells two VINs apart."""

    fleet = TenantReference(Fleet)
    tags = TagsField()
    vin = serializers.CharField(
        write_only=True,
        required=False,
        allow_blank=True,
        max_length=32,
        help_text="17 characters; empty forgets it. Answers never contain it.",
    )
    has_vin = serializers.SerializerMethodField()
    vin_pseudonym = serializers.SerializerMethodField(
        help_text="The first 12 digits of a keyed hash of the VIN, or null."
    )

    class Meta:
        model = Vehicle
        fields = [
            *BASE,
            "fleet",
            "kind",
            "plate",
            "battery_capacity_kwh",
            "silent_after_s",
            "tags",
            "vin",
            "has_vin",
            "vin_pseudonym",
        ]
        read_only_fields = READ_ONLY

    def validate_id(self, value: str) -> str:
        # /vehicles/lookup is a path of its own.
        if value == "lookup":
            raise serializers.ValidationError("This id is reserved.", code="reserved")
        return value

    def get_has_vin(self, vehicle: Vehicle) -> bool:
        return bool(vehicle.vin_pseudonym)

    def get_vin_pseudonym(self, vehicle: Vehicle) -> str | None:
        return vehicle.vin_pseudonym[:12] or None


class WrittenVehicleSerializer(VehicleSerializer):
    """The answer to a change, with what is worth knowing about it."""

    warnings = serializers.ListField(child=serializers.CharField(), read_only=True, default=[])

    class Meta(VehicleSerializer.Meta):
        fields = [*VehicleSerializer.Meta.fields, "warnings"]


class VinLookupSerializer(Strict, serializers.Serializer[Any]):
    vin = serializers.CharField(max_length=32)


class RevealSerializer(Strict, serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=400, help_text="Recorded in the audit trail.")


class RevealedVinSerializer(serializers.Serializer[Any]):
    vin = serializers.CharField()


class MeterSerializer(ReferencedSerializer):
    fleet = TenantReference(Fleet)
    tags = TagsField()

    class Meta:
        model = Meter
        fields = [*BASE, "fleet", "silent_after_s", "tags"]
        read_only_fields = READ_ONLY


class MappingSerializer(Strict, serializers.ModelSerializer[MeterMapping]):
    """From `from` until before `to` the meter's energy flows into the vehicle."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    vehicle = TenantReference(Vehicle)
    to = serializers.DateTimeField(
        source="valid.upper", allow_null=True, required=False, default=None
    )

    class Meta:
        model = MeterMapping
        fields = ["id", "vehicle", "to", "created_at"]
        read_only_fields = ["created_at"]

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # `from` is a word of the language: it cannot be a class attribute.
        return {**super().get_fields(), "from": serializers.DateTimeField(source="valid.lower")}


class MappingEndSerializer(Strict, serializers.Serializer[Any]):
    to = serializers.DateTimeField(allow_null=True)


class DeviceSerializer(ReferencedSerializer):
    vehicle = TenantReference(Vehicle, allow_null=True, required=False)
    meter = TenantReference(Meter, allow_null=True, required=False)
    credential_prefix = serializers.SerializerMethodField(
        help_text="The public beginning of the live credential, or null: none."
    )

    class Meta:
        model = Device
        fields = [*BASE, "vehicle", "meter", "protocol", "credential_prefix"]
        read_only_fields = READ_ONLY

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_credential_prefix(self, device: Device) -> str | None:
        live: str | None = getattr(device, "credential_prefix", None)
        return live


class ProvisionedDeviceSerializer(DeviceSerializer):
    """A device with its secret, which is shown this once."""

    secret = serializers.CharField(read_only=True)

    class Meta(DeviceSerializer.Meta):
        fields = [*DeviceSerializer.Meta.fields, "secret"]


class SecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="Shown this once.")
