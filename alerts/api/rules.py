"""Rules and their dry runs over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from alerts import rules
from alerts.api import serializers
from alerts.api.views import READ, ArchivableViewSet, PublicIdViewSet
from alerts.definitions import References, inward, outward
from alerts.dry_run import start_dry_run
from alerts.models import DryRun, Rule
from tenants.models import Scope


class RuleViewSet(ArchivableViewSet):
    """Alert rules. Every change of the definition makes a version."""

    model = Rule
    serializer_class = serializers.RuleSerializer

    def refine(self, queryset: QuerySet[Rule]) -> QuerySet[Rule]:
        return queryset.select_related("current")

    def create(self, request: Request) -> Response:
        data = self.checked().validated_data
        rule = rules.create_rule(
            actor=self.actor,
            name=data["name"],
            enabled=data.get("enabled", True),
            definition=inward(dict(data["current"]), References(self.tenant)),
        )
        return self.answer(rule, code=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, id: Any) -> Response:  # noqa: A002
        """Of the definition, what is left out stays as it is."""
        rule = self.get_object()
        data = self.checked(partial=True).validated_data
        definition = None
        if "current" in data:
            references = References(self.tenant)
            before = outward(rule.current.definition if rule.current else {}, references)
            definition = inward({**before, **data["current"]}, references)
        rule = rules.update_rule(
            actor=self.actor,
            rule=rule,
            name=data.get("name"),
            enabled=data.get("enabled"),
            definition=definition,
        )
        return self.answer(rule)

    def destroy(self, request: Request, id: Any) -> Response:  # noqa: A002
        """Remove: its open alerts resolve; all stay on record."""
        rules.archive_rule(actor=self.actor, rule=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses=serializers.VersionSerializer(many=True))
    @action(detail=True, pagination_class=None, filter_backends=[])
    def versions(self, request: Request, id: Any) -> Response:  # noqa: A002
        """What the rule said before, the newest first."""
        versions = self.get_object().versions.order_by("-number")[:200]
        context = self.get_serializer_context()
        return Response(serializers.VersionSerializer(versions, many=True, context=context).data)


class DryRunViewSet(RetrieveModelMixin, PublicIdViewSet):
    """Rules tried on history before they are saved."""

    model = DryRun
    serializer_class = serializers.DryRunSerializer
    required_scopes = READ | {"POST": Scope.ALERTS_WRITE}
    http_method_names = ["get", "post", "head"]
    filter_backends = []

    @extend_schema(
        request=serializers.DryRunRequestSerializer, responses={202: serializers.DryRunSerializer}
    )
    def create(self, request: Request) -> Response:
        """Start one; ask for it again to see how far it is."""
        body = serializers.DryRunRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        data = body.validated_data
        until = data.get("until", timezone.now())
        run = start_dry_run(
            actor=self.actor,
            definition=inward(dict(data["definition"]), References(self.tenant)),
            since=data.get("since", until - timedelta(days=7)),
            until=until,
        )
        return self.answer(run, code=status.HTTP_202_ACCEPTED)
