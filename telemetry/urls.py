from django.urls import URLPattern, URLResolver, path

from telemetry import views
from telemetry.pages import live

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.live, name="live"),
    path("live/trails", views.trails, name="live-trails"),
    path("live/since", live.Since.as_view(), name="live-since"),
    path("live/views", live.Views.as_view(), name="live-views"),
    path("live/past", live.Past.as_view(), name="live-past"),
    path("live/vehicles/<str:vehicle_id>", live.Lately.as_view(), name="live-lately"),
    path("organisation", views.switch_organisation, name="switch-organisation"),
]
