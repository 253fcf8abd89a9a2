"""The organisation, its members, its tokens and its audit trail over HTTP."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from tenants import services
from tenants.api import serializers
from tenants.api.filters import AuditFilter, TokenFilter
from tenants.api.pagination import DatedPages
from tenants.api.views import TenantAPIView, TenantViewSet
from tenants.models import ApiToken, AuditEntry, Membership, Scope

ADMINISTRATION = dict.fromkeys(["GET", "HEAD", "POST", "PATCH", "DELETE"], Scope.ORG_ADMIN)


class OrganisationView(TenantAPIView):
    """The organisation the caller is in."""

    required_scopes = {
        "GET": Scope.FLEET_READ,
        "HEAD": Scope.FLEET_READ,
        "PATCH": Scope.ORG_ADMIN,
    }
    http_method_names = ["get", "patch", "head"]

    @extend_schema(responses=serializers.OrganisationSerializer)
    def get(self, request: Request) -> Response:
        return Response(serializers.OrganisationSerializer(self.tenant).data)

    @extend_schema(
        request=serializers.OrganisationSerializer, responses=serializers.OrganisationSerializer
    )
    def patch(self, request: Request) -> Response:
        body = serializers.OrganisationSerializer(self.tenant, data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        tenant = services.update_organisation(actor=self.actor, **body.validated_data)
        return Response(serializers.OrganisationSerializer(tenant).data)


class MemberViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    model = Membership
    serializer_class = serializers.MemberSerializer
    required_scopes = ADMINISTRATION
    pagination_class = DatedPages
    filter_backends = []
    lookup_field = "public_id"
    lookup_value_converter = "uuid"

    def refine(self, queryset: QuerySet[Membership]) -> QuerySet[Membership]:
        return queryset.select_related("user")

    def create(self, request: Request) -> Response:
        data = self.checked().validated_data
        membership = services.add_member(
            actor=self.actor, email=data["user"]["email"], role=data["role"]
        )
        return self.answer(membership, code=status.HTTP_201_CREATED)

    @extend_schema(request=serializers.RoleSerializer, responses=serializers.MemberSerializer)
    def partial_update(self, request: Request, id: Any) -> Response:  # noqa: A002
        """Give a member another role. The last owner stays one."""
        membership = self.get_object()
        body = serializers.RoleSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        membership = services.change_role(
            actor=self.actor, membership=membership, role=body.validated_data["role"]
        )
        return self.answer(membership)

    def destroy(self, request: Request, id: Any) -> Response:  # noqa: A002
        """End a membership. The last owner's cannot be ended."""
        services.remove_member(actor=self.actor, membership=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


class TokenViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    model = ApiToken
    serializer_class = serializers.TokenSerializer
    filterset_class = TokenFilter
    pagination_class = DatedPages
    required_scopes = ADMINISTRATION
    lookup_field = "prefix"

    def refine(self, queryset: QuerySet[ApiToken]) -> QuerySet[ApiToken]:
        return queryset.select_related("created_by")

    @extend_schema(responses={201: serializers.IssuedTokenSerializer})
    def create(self, request: Request) -> Response:
        """A new token. Its secret is in this answer and in no other."""
        token, secret = services.issue_token(actor=self.actor, **self.checked().validated_data)
        response = self.answer(token, code=status.HTTP_201_CREATED)
        response.data = {**response.data, "secret": secret}
        return response

    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002
        """Revoke: the token ends at once and stays listed."""
        services.revoke_token(actor=self.actor, token=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


class AuditPages(DatedPages):
    ordering = "-at"


class AuditViewSet(ListModelMixin, TenantViewSet):
    """What was done in the organisation, by whom; the newest first. It cannot be changed."""

    model = AuditEntry
    serializer_class = serializers.AuditSerializer
    filterset_class = AuditFilter
    pagination_class = AuditPages
    required_scopes = {"GET": Scope.ORG_ADMIN, "HEAD": Scope.ORG_ADMIN}
