"""Alerts over HTTP."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from alerts import life
from alerts.api import serializers
from alerts.api.filters import AlertFilter
from alerts.api.pagination import NewestAlerts
from alerts.api.views import READ, PublicIdViewSet
from alerts.models import Alert, AlertTransition, Delivery
from alerts.selectors import counts_of
from tenants.errors import DomainError
from tenants.models import Membership, Scope


class AlertViewSet(ListModelMixin, RetrieveModelMixin, PublicIdViewSet):
    """The inbox, and one alert with all that happened to it."""

    model = Alert
    serializer_class = serializers.AlertSerializer
    filterset_class = AlertFilter
    pagination_class = NewestAlerts
    required_scopes = READ | {"POST": Scope.ALERTS_ACT}
    http_method_names = ["get", "post", "head"]

    def refine(self, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        queryset = queryset.select_related("rule", "rule_version", "fleet", "assignee")
        if self.action == "list":
            return queryset
        return queryset.prefetch_related(
            Prefetch("transitions", AlertTransition.unscoped.order_by("id")),
            Prefetch(
                "deliveries",
                Delivery.unscoped.order_by("id")
                .select_related("channel", "alert")
                .prefetch_related("log"),
            ),
        )

    def get_serializer_class(self) -> Any:
        if self.action == "list":
            return serializers.AlertSerializer
        return serializers.AlertDetailSerializer

    def _body(self, form: type[Any]) -> dict[str, Any]:
        body = form(data=self.request.data)
        body.is_valid(raise_exception=True)
        data: dict[str, Any] = body.validated_data
        return data

    @extend_schema(request=serializers.NoteSerializer)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, id: Any) -> Response:  # noqa: A002
        """Somebody has it: nothing escalates any more."""
        alert, note = self.get_object(), self._body(serializers.NoteSerializer)["note"]
        life.acknowledge(actor=self.actor, alerts=[alert], note=note)
        return self.answer(alert)

    @extend_schema(request=serializers.NoteSerializer)
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, id: Any) -> Response:  # noqa: A002
        """End it by hand. It opens again only after the condition has once been over."""
        alert, note = self.get_object(), self._body(serializers.NoteSerializer)["note"]
        life.resolve(actor=self.actor, alerts=[alert], note=note)
        return self.answer(alert)

    @extend_schema(request=serializers.SnoozeSerializer)
    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, id: Any) -> Response:  # noqa: A002
        alert, until = self.get_object(), self._body(serializers.SnoozeSerializer)["until"]
        life.snooze(actor=self.actor, alerts=[alert], until=until)
        return self.answer(alert)

    @extend_schema(request=serializers.AssignSerializer)
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, id: Any) -> Response:  # noqa: A002
        alert, email = self.get_object(), self._body(serializers.AssignSerializer)["assignee"]
        assignee = None
        if email is not None:
            members = Membership.objects.for_tenant(self.tenant).select_related("user")
            member = members.filter(user__email=email.lower()).first()
            if member is None:
                raise DomainError("not_a_member", 422, "This person is not a member.")
            assignee = member.user
        life.assign(actor=self.actor, alerts=[alert], assignee=assignee)
        return self.answer(alert)

    @extend_schema(request=serializers.RequiredNoteSerializer)
    @action(detail=True, methods=["post"])
    def notes(self, request: Request, id: Any) -> Response:  # noqa: A002
        """Write something down about it."""
        alert, note = self.get_object(), self._body(serializers.RequiredNoteSerializer)["note"]
        life.add_note(actor=self.actor, alert=alert, text=note)
        return self.answer(alert)

    @extend_schema(request=serializers.BulkSerializer, responses=serializers.BulkAnswerSerializer)
    @action(detail=False, methods=["post"], pagination_class=None, filter_backends=[])
    def bulk(self, request: Request) -> Response:
        """Do the same to many. Those it does not apply to stay as they are."""
        body = self._body(serializers.BulkSerializer)
        alerts = list(Alert.objects.for_tenant(self.tenant).filter(public_id__in=body["ids"]))
        if body["action"] == "snooze":
            if "until" not in body:
                raise DomainError("bad_snooze", 422, "Say until when.", field="until")
            changed = life.snooze(actor=self.actor, alerts=alerts, until=body["until"])
        elif body["action"] == "resolve":
            changed = life.resolve(actor=self.actor, alerts=alerts, note=body["note"])
        else:
            changed = life.acknowledge(actor=self.actor, alerts=alerts, note=body["note"])
        return Response({"changed": [str(alert.public_id) for alert in changed]})

    @extend_schema(responses=serializers.CountsSerializer)
    @action(detail=False, pagination_class=None, filter_backends=[])
    def counts(self, request: Request) -> Response:
        """For the badge in the navigation."""
        return Response(counts_of(self.tenant.pk))
