"""What the collections of alerting have in common."""

from __future__ import annotations

from rest_framework.mixins import ListModelMixin, RetrieveModelMixin

from alerts.api.filters import ArchivedFilter
from tenants.api.pagination import DatedPages
from tenants.api.views import TenantViewSet
from tenants.models import Scope

READ = {"GET": Scope.TELEMETRY_READ, "HEAD": Scope.TELEMETRY_READ}
READ_AND_WRITE = READ | dict.fromkeys(["POST", "PATCH", "DELETE"], Scope.ALERTS_WRITE)


class PublicIdViewSet(TenantViewSet):
    """Things known outside by an id that we gave them."""

    lookup_field = "public_id"
    lookup_value_converter = "uuid"


class ArchivableViewSet(ListModelMixin, RetrieveModelMixin, PublicIdViewSet):
    """Things that are made, changed and archived; lists show those in service."""

    filterset_class = ArchivedFilter
    pagination_class = DatedPages
    required_scopes = READ_AND_WRITE
    http_method_names = ["get", "post", "patch", "delete", "head"]
