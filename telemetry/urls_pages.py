"""Pages about what was heard of vehicles, meters and devices."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from telemetry.exports import WRITERS
from telemetry.pages import (
    devices,
    energy,
    lists,
    meters,
    operations,
    provisioning,
    quality,
    readings,
    recording,
    start,
    vehicle,
)

LISTS = (lists.Fleets, lists.Vehicles, lists.Meters, lists.Devices)

urlpatterns: list[URLPattern | URLResolver] = [
    *(path(each.kind.plural, each.as_view(), name=each.kind.plural) for each in LISTS),
    *(
        path(
            f"{each.kind.plural}/export",
            lists.Export.as_view(listing=each),
            name=f"{each.kind.plural}-export",
        )
        for each in LISTS
    ),
    path("meters/<str:meter_id>/", meters.MeterPage.as_view(), name="meter"),
    path("devices/new", provisioning.NewDevice.as_view(), name="device-new"),
    path("devices/<str:device_id>/", devices.DevicePage.as_view(), name="device"),
    path("devices/<str:device_id>/edit", provisioning.EditDevice.as_view(), name="device-edit"),
    path("devices/<str:device_id>/light", provisioning.Light.as_view(), name="device-light"),
    path("devices/<str:device_id>/messages", devices.Messages.as_view(), name="device-messages"),
    path("devices/<str:device_id>/rotate", provisioning.Rotate.as_view(), name="device-rotate"),
    path("devices/<str:device_id>/revoke", provisioning.Revoke.as_view(), name="device-revoke"),
    path("vehicles/<str:vehicle_id>/dark", devices.WhyDark.as_view(), name="vehicle-dark"),
    path("vehicles/<str:vehicle_id>/", vehicle.Overview.as_view(), name="vehicle"),
    path(
        "vehicles/<str:vehicle_id>/recording",
        recording.Recording.as_view(),
        name="vehicle-recording",
    ),
    path(
        "vehicles/<str:vehicle_id>/readings",
        readings.Readings.as_view(),
        name="vehicle-readings",
    ),
    path("vehicles/<str:vehicle_id>/vin", vehicle.RevealVin.as_view(), name="vehicle-vin"),
    *(
        path(
            f"vehicles/<str:vehicle_id>/export.{kind}",
            readings.Export.as_view(),
            {"kind": kind},
            name=f"vehicle-{kind}",
        )
        for kind in WRITERS
    ),
    path("energy", energy.Energy.as_view(), name="energy"),
    path("energy/export", energy.EnergyExport.as_view(), name="energy-export"),
    path("operations", operations.Operations.as_view(), name="operations"),
    path("quality", quality.Quality.as_view(), name="quality"),
    path("quality/replay", quality.Replay.as_view(), name="quality-replay"),
    path("start", start.Checklist.as_view(), name="start"),
]
