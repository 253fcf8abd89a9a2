"""The shapes of the telemetry reads, for the API's description.

The answers are built from rows, not by these: they only document.
"""

from typing import Any

from rest_framework import serializers


class ValueSerializer(serializers.Serializer[Any]):
    value = serializers.JSONField(help_text="Number, text, boolean or list, by the field.")
    unit = serializers.CharField(required=False)
    time = serializers.DateTimeField(help_text="Of the reading the value came with.")
    age_s = serializers.FloatField(help_text="Seconds from then to the answer.")


class LatestSerializer(serializers.Serializer[Any]):
    time = serializers.DateTimeField(
        allow_null=True, help_text="Of the newest reading; null where there is none yet."
    )
    received_at = serializers.DateTimeField(allow_null=True)
    age_s = serializers.FloatField(allow_null=True)
    values = serializers.DictField(child=ValueSerializer(), help_text="By name of field.")
    attributes = serializers.DictField(child=ValueSerializer())
    invalid = serializers.ListField(
        child=serializers.CharField(),
        help_text="What the newest reading carried and is not believed.",
    )


class VehicleLatestSerializer(LatestSerializer):
    vehicle_id = serializers.CharField()


class MeterLatestSerializer(LatestSerializer):
    meter_id = serializers.CharField()


class ReadingSerializer(serializers.Serializer[Any]):
    """A stored reading: `time`, `received_at` and the fields that were sent."""

    time = serializers.DateTimeField()
    received_at = serializers.DateTimeField()


class HistorySerializer(serializers.Serializer[Any]):
    order = serializers.ChoiceField(["desc", "asc"])
    readings = ReadingSerializer(many=True)
    next = serializers.CharField(
        allow_null=True, help_text="The cursor of the next page; null on the last."
    )


class VehicleHistorySerializer(HistorySerializer):
    vehicle_id = serializers.CharField()


class MeterHistorySerializer(HistorySerializer):
    meter_id = serializers.CharField()


class TrackSerializer(serializers.Serializer[Any]):
    """A GeoJSON Feature (RFC 7946); `properties.times` runs beside the coordinates."""

    type = serializers.ChoiceField(["Feature"])
    geometry = serializers.JSONField()
    properties = serializers.JSONField()


class PerformanceSerializer(serializers.Serializer[Any]):
    vehicleId = serializers.CharField()  # noqa: N815
    totalAcKwh = serializers.FloatField(allow_null=True)  # noqa: N815
    totalDcKwh = serializers.FloatField(allow_null=True)  # noqa: N815
    efficiency = serializers.FloatField(allow_null=True, help_text="DC by AC.")
    avgBatteryTemp = serializers.FloatField(allow_null=True)  # noqa: N815
    acSource = serializers.ChoiceField(  # noqa: N815
        ["mapped", "fleet"],
        help_text="AC of the meters mapped to the vehicle, or of all meters of its fleet.",
    )
    # `from` is no name for an attribute, so the fields are added by name.
    locals()["from"] = serializers.DateTimeField(help_text="Exclusive.")
    to = serializers.DateTimeField(help_text="Inclusive.")
