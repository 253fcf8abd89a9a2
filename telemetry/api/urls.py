from django.urls import URLPattern, URLResolver, path

from telemetry.api import reads
from telemetry.api.ingest import ingest_view

urlpatterns: list[URLPattern | URLResolver] = [
    path("telemetry/ingest", ingest_view, name="ingest"),
    path("telemetry/<str:vehicle_id>/latest", reads.VehicleLatestView.as_view()),
    path("telemetry/<str:vehicle_id>/history", reads.VehicleHistoryView.as_view()),
    path("telemetry/<str:vehicle_id>/track", reads.TrackView.as_view()),
    path("telemetry/meters/<str:meter_id>/latest", reads.MeterLatestView.as_view()),
    path("telemetry/meters/<str:meter_id>/history", reads.MeterHistoryView.as_view()),
    path("analytics/performance/<str:vehicle_id>", reads.PerformanceView.as_view()),
]
