"""What every API view builds on: the caller's organisation, bound once, here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import models
from django.db.models import QuerySet
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from tenants.actors import Actor
from tenants.api.throttling import RateLimit
from tenants.models import Organisation, Scope


class TenantAPIView(APIView):
    """A view inside the caller's organisation. `required_scopes` maps methods to scopes."""

    required_scopes: ClassVar[Mapping[str, Scope]] = {}
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]
    rate_limit: RateLimit | None = None

    @property
    def actor(self) -> Actor:
        """The caller. Only after `HasScope` has let them in."""
        actor = self.request.auth
        assert isinstance(actor, Actor)  # noqa: S101  (permission_classes saw to it)
        return actor

    @property
    def tenant(self) -> Organisation:
        return self.actor.tenant

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.rate_limit is not None:
            response["RateLimit-Limit"] = str(self.rate_limit.limit)
            response["RateLimit-Remaining"] = str(self.rate_limit.remaining)
            response["RateLimit-Reset"] = str(self.rate_limit.reset_s)
        # Telemetry and people's data: no shared cache may keep it.
        response.setdefault("Cache-Control", "private, no-store")
        return response


class TenantViewSet(TenantAPIView, GenericViewSet[Any]):
    """A collection of one model's rows in the caller's organisation.

    The queryset is bound to the tenant here and nowhere else; a subclass adds joins and
    annotations in `refine`. What belongs to another tenant does not exist: 404.
    """

    model: ClassVar[Any]
    lookup_field = "reference"
    lookup_url_kwarg = "id"
    # What a reference may consist of: nothing else ever reaches the database.
    lookup_value_regex = r"[A-Za-z0-9._:-]+"

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            nothing: QuerySet[Any] = self.model.unscoped.none()
            return nothing
        rows: QuerySet[Any] = self.model.objects.for_tenant(self.tenant)
        return self.refine(rows)

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        # Filters narrow lists; a row asked for by its id is found whatever its state.
        if getattr(self, "detail", False):
            return queryset
        return super().filter_queryset(queryset)

    def refine(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Joins and annotations that the serializer needs."""
        return queryset

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "tenant_id": self._tenant_id()}

    def _tenant_id(self) -> int | None:
        return None if getattr(self, "swagger_fake_view", False) else self.tenant.pk

    def checked(self, **options: Any) -> BaseSerializer[Any]:
        """The request's body, validated; raises the 422 itself."""
        serializer = self.get_serializer(data=self.request.data, **options)
        serializer.is_valid(raise_exception=True)
        return serializer

    def answer(self, row: models.Model, *, code: int = status.HTTP_200_OK) -> Response:
        """The row as a fresh read shows it: a change answers like the read after it."""
        fresh = self.get_queryset().get(pk=row.pk)
        return Response(self.get_serializer(fresh).data, status=code)
