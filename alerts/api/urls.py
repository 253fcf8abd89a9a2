from rest_framework.routers import SimpleRouter

from alerts.api.alerts import AlertViewSet
from alerts.api.channels import ChannelViewSet, DeliveryViewSet, GeofenceViewSet
from alerts.api.rules import DryRunViewSet, RuleViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("alerts", AlertViewSet, basename="alert")
router.register("alert-rules/dry-runs", DryRunViewSet, basename="dry-run")
router.register("alert-rules", RuleViewSet, basename="alert-rule")
router.register("alert-channels", ChannelViewSet, basename="alert-channel")
router.register("alert-deliveries", DeliveryViewSet, basename="alert-delivery")

# References are matched as elsewhere, by a regular expression.
references = SimpleRouter(trailing_slash=False)
references.register("geofences", GeofenceViewSet, basename="geofence")

urlpatterns = [*router.urls, *references.urls]
