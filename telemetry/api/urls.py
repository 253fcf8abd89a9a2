from django.urls import URLPattern, URLResolver, path

from telemetry.api import reads
from telemetry.api.ingest import ingest_view

urlpatterns: list[URLPattern | URLResolver] = [
    path("telemetry/ingest", ingest_view, name="ingest"),
    path("telemetry/<str:reference>/latest", reads.VehicleLatestView.as_view()),
    path("telemetry/<str:reference>/history", reads.VehicleHistoryView.as_view()),
    path("telemetry/<str:reference>/track", reads.TrackView.as_view()),
    path("telemetry/meters/<str:reference>/latest", reads.MeterLatestView.as_view()),
    path("telemetry/meters/<str:reference>/history", reads.MeterHistoryView.as_view()),
    path("analytics/performance/<str:reference>", reads.PerformanceView.as_view()),
]
