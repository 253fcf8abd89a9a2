"""The public API, version 1, and its description."""

from typing import Any

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import (
    SpectacularJSONAPIView,
    SpectacularSwaggerSplitView,
    SpectacularYAMLAPIView,
)

# The description holds no secrets: everyone may read it, logged in or not.
public: dict[str, Any] = {"authentication_classes": [], "throttle_classes": []}

urlpatterns: list[URLPattern | URLResolver] = [
    path("openapi.json", SpectacularJSONAPIView.as_view(**public), name="openapi-json"),
    path("openapi.yaml", SpectacularYAMLAPIView.as_view(**public), name="openapi-yaml"),
    path(
        "docs",
        SpectacularSwaggerSplitView.as_view(
            url_name="openapi-json", http_method_names=["get", "head"], **public
        ),
        name="api-docs",
    ),
    path("", include("tenants.api.urls")),
    path("", include("fleet.api.urls")),
    path("", include("telemetry.api.urls")),
    path("", include("alerts.api.urls")),
]
