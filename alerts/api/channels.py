"""Geofences, channels and deliveries over HTTP."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from alerts import channels, geofences
from alerts.api import serializers
from alerts.api.filters import ArchivedFilter, DeliveryFilter
from alerts.api.views import READ, READ_AND_WRITE, ArchivableViewSet
from alerts.models import Channel, Delivery, DeliveryAttempt
from fleet.geofences import Geofence
from tenants.api.pagination import DatedPages
from tenants.api.views import TenantViewSet
from tenants.errors import DomainError
from tenants.models import Membership, Scope, User


class GeofenceViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Places that rules refer to."""

    model = Geofence
    serializer_class = serializers.GeofenceSerializer
    filterset_class = ArchivedFilter
    required_scopes = READ_AND_WRITE
    http_method_names = ["get", "post", "patch", "delete", "head"]

    def create(self, request: Request) -> Response:
        data = self.checked().validated_data
        fence = geofences.create(actor=self.actor, **data)
        return self.answer(fence, code=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, id: str) -> Response:  # noqa: A002
        fence = self.get_object()
        data = self.checked(partial=True).validated_data
        fence = geofences.update(actor=self.actor, geofence=fence, **data)
        return self.answer(fence)

    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002
        """Archive. A rule that refers to it is disabled, and says why."""
        geofences.archive(actor=self.actor, geofence=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


class ChannelViewSet(ArchivableViewSet):
    """Ways to reach people. Everybody may add, change and remove contacts of their own with
    their session; the organisation's and other people's need `alerts:write`."""

    model = Channel
    serializer_class = serializers.ChannelSerializer
    required_scopes = READ | dict.fromkeys(["POST", "PATCH", "DELETE"], Scope.TELEMETRY_READ)
    # Whose a channel is decides the rest, there as on the pages: `channels.may_change`.

    def refine(self, queryset: QuerySet[Channel]) -> QuerySet[Channel]:
        return queryset.select_related("user")

    @extend_schema(responses={201: serializers.NewChannelSerializer})
    def create(self, request: Request) -> Response:
        """A new channel. The signing secret of a webhook is in this answer and in no other.

        Without `alerts:write`: an e-mail or a message to yourself, named as `person`."""
        if not channels.may_add_own(self.actor):
            self.actor.require(Scope.ALERTS_WRITE)
        data = self.checked().validated_data
        person = (data.pop("user", None) or {}).get("email")
        channel, secret = channels.create_channel(
            actor=self.actor,
            name=data["name"],
            kind=data["kind"],
            address=data["address"],
            user=self._member(person) if person else None,
            is_default=data.get("is_default", False),
            quiet_hours=data.get("quiet_hours", ()),
        )
        response = self.answer(channel, code=status.HTTP_201_CREATED)
        response.data = {**response.data, "secret": secret}
        return response

    def _member(self, email: str) -> User:
        me = self.actor.user
        if me is not None and email.lower() == me.email:
            return me
        # First, so that the answer does not tell who is a member.
        self.actor.require(Scope.ALERTS_WRITE)
        members = Membership.objects.for_tenant(self.tenant).select_related("user")
        member = members.filter(user__email=email.lower()).first()
        if member is None:
            raise DomainError("not_a_member", 422, "This person is not a member.")
        return member.user

    @extend_schema(request=serializers.ChannelChangeSerializer)
    def partial_update(self, request: Request, id: Any) -> Response:  # noqa: A002
        channel = self.get_object()
        body = serializers.ChannelChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        channels.update_channel(actor=self.actor, channel=channel, **body.validated_data)
        return self.answer(channel)

    def destroy(self, request: Request, id: Any) -> Response:  # noqa: A002
        """Archive: what is still to be sent there is cancelled. Needs `alerts:write`, but for a
        contact of your own."""
        channels.archive_channel(actor=self.actor, channel=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={202: serializers.DeliverySerializer})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, id: Any) -> Response:  # noqa: A002
        """Send a test message; its delivery tells what became of it. Needs `alerts:write`, but
        for a contact of your own."""
        delivery = channels.send_test(actor=self.actor, channel=self.get_object())
        return Response(
            serializers.DeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED
        )

    @extend_schema(request=None, responses=serializers.SigningSecretSerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, id: Any) -> Response:  # noqa: A002
        """A new signing secret; the old one signs beside it for a day. Needs `alerts:write`, but
        for a contact of your own."""
        secret = channels.rotate_secret(actor=self.actor, channel=self.get_object())
        return Response({"secret": secret})


class DeliveryViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """What was sent, to whom, and what was answered. `?status=dead` is the dead-letter list."""

    model = Delivery
    serializer_class = serializers.DeliverySerializer
    filterset_class = DeliveryFilter
    pagination_class = DatedPages
    required_scopes = READ | {"POST": Scope.ALERTS_WRITE}
    http_method_names = ["get", "post", "head"]
    lookup_field = "key"
    lookup_value_converter = "uuid"

    def refine(self, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        attempts = Prefetch("log", DeliveryAttempt.unscoped.order_by("id"))
        return queryset.select_related("channel", "alert").prefetch_related(attempts)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def resend(self, request: Request, id: Any) -> Response:  # noqa: A002
        """Send once more, with the same key."""
        delivery = channels.resend(actor=self.actor, delivery=self.get_object())
        return self.answer(delivery)
