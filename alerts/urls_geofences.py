"""Pages of geofences. Those of one end in a slash: no id is taken for the name of a page."""

from django.urls import path

from alerts.pages import geofence_files, geofences

urlpatterns = [
    path("geofences", geofences.Geofences.as_view(), name="geofences"),
    path("geofences/new", geofences.NewGeofence.as_view(), name="geofence-new"),
    path("geofences/import", geofence_files.ImportGeofences.as_view(), name="geofences-import"),
    path("geofences/export", geofence_files.ExportGeofences.as_view(), name="geofences-export"),
    path("geofences/shapes", geofence_files.Shapes.as_view(), name="geofences-shapes"),
    path("geofences/try", geofences.TryGeofence.as_view(), name="geofences-try"),
    path("geofences/tried/<uuid:public_id>", geofences.Tried.as_view(), name="geofences-tried"),
    path("geofences/<str:geofence_id>/", geofences.EditGeofence.as_view(), name="geofence"),
    path(
        "geofences/<str:geofence_id>/archive",
        geofences.ArchiveGeofence.as_view(),
        name="geofence-archive",
    ),
    path(
        "geofences/<str:geofence_id>/restore",
        geofences.RestoreGeofence.as_view(),
        name="geofence-restore",
    ),
    path(
        "geofences/<str:geofence_id>/watch",
        geofences.WatchGeofence.as_view(),
        name="geofence-watch",
    ),
]
