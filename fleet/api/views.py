"""Fleets, vehicles, meters and devices over HTTP. Deleting archives; `restore` undoes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import Count, F, FilteredRelation, Q, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from fleet import services, vin
from fleet.api import filters, serializers
from fleet.models import Device, Fleet, Meter, MeterMapping, Vehicle
from tenants.api.pagination import DatedPages
from tenants.api.views import TenantViewSet
from tenants.errors import DomainError
from tenants.models import Scope

READ_AND_WRITE = {"GET": Scope.FLEET_READ, "HEAD": Scope.FLEET_READ} | dict.fromkeys(
    ["POST", "PATCH", "DELETE"], Scope.FLEET_WRITE
)


class ThingViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """What the four collections do alike."""

    required_scopes = READ_AND_WRITE
    http_method_names = ["get", "post", "patch", "delete", "head"]
    noun: ClassVar[str]
    archive: ClassVar[Callable[..., Any]]
    restore_service: ClassVar[Callable[..., Any]]

    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002
        """Archive: out of service, history kept."""
        type(self).archive(actor=self.actor, **{self.noun: self.get_object()})
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, id: str) -> Response:  # noqa: A002
        """Put back into service what was archived."""
        row = type(self).restore_service(actor=self.actor, **{self.noun: self.get_object()})
        return self.answer(row)


class FleetViewSet(ThingViewSet):
    model = Fleet
    serializer_class = serializers.FleetSerializer
    filterset_class = filters.FleetFilter
    noun = "fleet"
    archive = services.archive_fleet
    restore_service = services.restore_fleet

    def refine(self, queryset: QuerySet[Fleet]) -> QuerySet[Fleet]:
        return queryset.annotate(
            vehicle_count=Count(
                "vehicles", filter=Q(vehicles__archived_at__isnull=True), distinct=True
            ),
            meter_count=Count("meters", filter=Q(meters__archived_at__isnull=True), distinct=True),
        )

    def create(self, request: Request) -> Response:
        data = self.checked().validated_data
        fleet = services.create_fleet(actor=self.actor, **data)
        return self.answer(fleet, code=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, id: str) -> Response:  # noqa: A002
        fleet = self.get_object()
        data = self.checked(partial=True).validated_data
        return self.answer(services.update_fleet(actor=self.actor, fleet=fleet, **data))


class VehicleViewSet(ThingViewSet):
    model = Vehicle
    serializer_class = serializers.VehicleSerializer
    filterset_class = filters.VehicleFilter
    required_scopes = {
        **READ_AND_WRITE,
        "lookup": Scope.FLEET_READ,
        "reveal_vin": Scope.VIN_REVEAL,
    }
    noun = "vehicle"
    archive = services.archive_vehicle
    restore_service = services.restore_vehicle

    def refine(self, queryset: QuerySet[Vehicle]) -> QuerySet[Vehicle]:
        return queryset.select_related("fleet")

    @extend_schema(responses={201: serializers.WrittenVehicleSerializer})
    def create(self, request: Request) -> Response:
        data = self.checked().validated_data
        number = data.pop("vin", None) or None
        vehicle = services.create_vehicle(actor=self.actor, vin_number=number, **data)
        return self.written(vehicle, number, code=status.HTTP_201_CREATED)

    @extend_schema(responses=serializers.WrittenVehicleSerializer)
    def partial_update(self, request: Request, id: str) -> Response:  # noqa: A002
        vehicle = self.get_object()
        data = self.checked(partial=True).validated_data
        number = data.pop("vin", None)
        vehicle = services.update_vehicle(
            actor=self.actor, vehicle=vehicle, vin_number=number, **data
        )
        return self.written(vehicle, number)

    def written(self, vehicle: Vehicle, number: str | None, *, code: int = 200) -> Response:
        response = self.answer(vehicle, code=code)
        unverified = bool(number) and not vin.normalise(number or "").verified
        response.data = {**response.data, "warnings": [vin.UNVERIFIED] if unverified else []}
        return response

    @extend_schema(request=serializers.VinLookupSerializer, responses=serializers.VehicleSerializer)
    @action(detail=False, methods=["post"], pagination_class=None, filter_backends=[])
    def lookup(self, request: Request) -> Response:
        """Find a vehicle by its VIN, which stands in the body: URLs end up in logs."""
        body = serializers.VinLookupSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        vehicle = services.find_by_vin(actor=self.actor, vin_number=body.validated_data["vin"])
        if vehicle is None:
            raise DomainError("not_found", 404, "No vehicle of yours has this VIN.")
        return self.answer(vehicle)

    @extend_schema(
        request=serializers.RevealSerializer, responses=serializers.RevealedVinSerializer
    )
    @action(detail=True, methods=["post"], url_path="vin")
    def reveal_vin(self, request: Request, id: str) -> Response:  # noqa: A002
        """The VIN in clear. Each time is recorded with who asked, and why."""
        vehicle = self.get_object()
        body = serializers.RevealSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        number = services.reveal_vin(
            actor=self.actor, vehicle=vehicle, reason=body.validated_data["reason"]
        )
        return Response({"vin": number})


class MeterViewSet(ThingViewSet):
    model = Meter
    serializer_class = serializers.MeterSerializer
    filterset_class = filters.MeterFilter
    noun = "meter"
    archive = services.archive_meter
    restore_service = services.restore_meter

    def refine(self, queryset: QuerySet[Meter]) -> QuerySet[Meter]:
        return queryset.select_related("fleet")

    def create(self, request: Request) -> Response:
        data = self.checked().validated_data
        meter = services.create_meter(actor=self.actor, **data)
        return self.answer(meter, code=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, id: str) -> Response:  # noqa: A002
        meter = self.get_object()
        data = self.checked(partial=True).validated_data
        return self.answer(services.update_meter(actor=self.actor, meter=meter, **data))


class MappingViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Which vehicle a meter's energy flows into, and when."""

    model = MeterMapping
    serializer_class = serializers.MappingSerializer
    required_scopes = READ_AND_WRITE
    pagination_class = DatedPages
    filter_backends = []
    lookup_field = "public_id"
    lookup_value_converter = "uuid"

    def refine(self, queryset: QuerySet[MeterMapping]) -> QuerySet[MeterMapping]:
        return queryset.filter(meter=self.meter()).select_related("vehicle")

    def meter(self) -> Meter:
        """The meter in the path: of this organisation, or there is nothing here."""
        return get_object_or_404(
            Meter.objects.for_tenant(self.tenant), reference=self.kwargs["meter_id"]
        )

    def create(self, request: Request, meter_id: str) -> Response:
        meter = self.meter()
        data = self.checked().validated_data
        mapping = services.map_meter(
            actor=self.actor,
            meter=meter,
            vehicle=data["vehicle"],
            valid_from=data["valid"]["lower"],
            valid_to=data["valid"].get("upper"),
        )
        return Response(self.get_serializer(mapping).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        request=serializers.MappingEndSerializer, responses=serializers.MappingSerializer
    )
    def partial_update(self, request: Request, meter_id: str, id: Any) -> Response:  # noqa: A002
        """Set, move or lift the end."""
        mapping = self.get_object()
        body = serializers.MappingEndSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        mapping = services.end_mapping(
            actor=self.actor, mapping=mapping, valid_to=body.validated_data["to"]
        )
        return Response(self.get_serializer(mapping).data)

    def destroy(self, request: Request, meter_id: str, id: Any) -> Response:  # noqa: A002
        """Remove a mapping that was wrong from the beginning."""
        services.unmap_meter(actor=self.actor, mapping=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


class DeviceViewSet(ThingViewSet):
    model = Device
    serializer_class = serializers.DeviceSerializer
    filterset_class = filters.DeviceFilter
    noun = "device"
    archive = services.archive_device
    restore_service = services.restore_device

    def refine(self, queryset: QuerySet[Device]) -> QuerySet[Device]:
        live = FilteredRelation("credentials", condition=Q(credentials__revoked_at__isnull=True))
        return queryset.select_related("vehicle", "meter").annotate(
            live=live, credential_prefix=F("live__prefix")
        )

    @extend_schema(responses={201: serializers.ProvisionedDeviceSerializer})
    def create(self, request: Request) -> Response:
        """A new device. Its secret is in this answer and in no other."""
        data = self.checked().validated_data
        device, secret = services.provision_device(actor=self.actor, **data)
        response = self.answer(device, code=status.HTTP_201_CREATED)
        response.data = {**response.data, "secret": secret}
        return response

    def partial_update(self, request: Request, id: str) -> Response:  # noqa: A002
        device = self.get_object()
        data = self.checked(partial=True).validated_data
        return self.answer(services.update_device(actor=self.actor, device=device, **data))

    @extend_schema(request=None, responses=serializers.SecretSerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, id: str) -> Response:  # noqa: A002
        """A new secret; the old one ends at once."""
        secret = services.rotate_credential(actor=self.actor, device=self.get_object())
        return Response({"secret": secret})

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, id: str) -> Response:  # noqa: A002
        """End the credential; open connections close at once."""
        services.revoke_credential(actor=self.actor, device=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)
