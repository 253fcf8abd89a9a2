from django.urls import path
from rest_framework.routers import SimpleRouter

from tenants.api import resources

router = SimpleRouter(trailing_slash=False)
router.register("members", resources.MemberViewSet, basename="member")
router.register("tokens", resources.TokenViewSet, basename="token")
router.register("audit", resources.AuditViewSet, basename="audit")

urlpatterns = [
    path("organisation", resources.OrganisationView.as_view(), name="organisation"),
    *router.urls,
]
