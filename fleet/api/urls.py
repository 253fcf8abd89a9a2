from rest_framework.routers import SimpleRouter

from fleet.api import views

router = SimpleRouter(trailing_slash=False)
router.register("fleets", views.FleetViewSet, basename="fleet")
router.register("vehicles", views.VehicleViewSet, basename="vehicle")
router.register("meters", views.MeterViewSet, basename="meter")
router.register(
    r"meters/(?P<meter_id>[A-Za-z0-9._:-]+)/mappings", views.MappingViewSet, basename="mapping"
)
router.register("devices", views.DeviceViewSet, basename="device")

urlpatterns = router.urls
