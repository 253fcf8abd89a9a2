"""The public API, version 1."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("tenants.api.urls")),
    path("", include("fleet.api.urls")),
    path("", include("telemetry.api.urls")),
]
