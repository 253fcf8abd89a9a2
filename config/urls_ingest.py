"""Every URL of the ingest process."""

from django.urls import URLPattern, URLResolver, include, path

from telemetry.api.ingest import ingest_view

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/telemetry/ingest", ingest_view, name="ingest"),
    path("", include("config.urls_operations")),
]
