"""What every serving process offers to whoever runs it."""

from django.urls import URLPattern, URLResolver, path

from telemetry import operations

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", operations.healthz, name="healthz"),
    path("readyz", operations.readyz, name="readyz"),
    path("metrics", operations.metrics, name="metrics"),
]
