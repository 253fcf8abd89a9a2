from django.urls import URLPattern, URLResolver, path

from telemetry import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.live, name="live"),
    path("live/trails", views.trails, name="live-trails"),
    path("organisation", views.switch_organisation, name="switch-organisation"),
]
