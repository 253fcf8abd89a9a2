"""Which vehicle a meter's energy flows into, and when: forms on the meter's page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from fleet import services
from fleet.forms import MappingForm
from fleet.models import Meter, MeterMapping
from tenants.errors import DomainError
from tenants.models import Scope
from tenants.pages import MemberPage, refused
from tenants.preferences import zone_of


class MappingPage(MemberPage):
    page = "meters"

    @property
    def meter(self) -> Meter:
        return self.find(Meter, "fleet", reference=self.kwargs["meter_id"])

    @property
    def mapping(self) -> MeterMapping:
        return self.find(
            MeterMapping,
            "meter",
            "vehicle",
            meter__reference=self.kwargs["meter_id"],
            public_id=self.kwargs["mapping_id"],
        )

    def zone(self) -> Any:
        """Times are typed in the organisation's zone."""
        return timezone.override(zone_of(self.tenant))


class NewMapping(MappingPage):
    scopes = {"GET": Scope.FLEET_WRITE, "POST": Scope.FLEET_WRITE}
    template_name = "things/mapping.html"

    def get(self, request: HttpRequest, meter_id: str) -> HttpResponse:
        with self.zone():
            now = timezone.localtime().strftime("%Y-%m-%dT%H:%M")
            form = MappingForm(initial={"valid_from": now}, tenant=self.tenant)
            return self.show({"form": form, "meter": self.meter})

    def post(self, request: HttpRequest, meter_id: str) -> HttpResponse:
        meter = self.meter
        with self.zone():
            form = MappingForm(request.POST, tenant=self.tenant)
            if form.is_valid():
                try:
                    services.map_meter(actor=self.actor, meter=meter, **form.cleaned_data)
                except DomainError as error:
                    refused(form, error)
                else:
                    self.say(_("%(meter)s is mapped.") % {"meter": meter.name})
                    return redirect("meter", meter.reference)
            return self.show({"form": form, "meter": meter}, status=422)


class EndForm(forms.Form):
    valid_to = forms.DateTimeField(label=_("To"), required=False)


class EndMapping(MappingPage):
    """Ends a mapping now, or at the given moment; empty lifts its end."""

    scopes = {"POST": Scope.FLEET_WRITE}

    def post(self, request: HttpRequest, meter_id: str, mapping_id: str) -> HttpResponse:
        mapping = self.mapping
        with self.zone():
            form = EndForm(request.POST)
            end = timezone.now() if "now" in request.POST else None
            if end is None and form.is_valid():
                end = form.cleaned_data["valid_to"]
        try:
            if not form.is_valid():
                raise DomainError("bad_time", 422, _("That is not a date and time."))
            services.end_mapping(actor=self.actor, mapping=mapping, valid_to=end)
        except DomainError as error:
            self.complain(error)
        else:
            self.say(_("The mapping of %(vehicle)s was changed.") % {"vehicle": mapping.vehicle})
        return redirect("meter", meter_id)


class RemoveMapping(MappingPage):
    """For a mapping that was wrong from the beginning."""

    scopes = {"POST": Scope.FLEET_WRITE}

    def post(self, request: HttpRequest, meter_id: str, mapping_id: str) -> HttpResponse:
        mapping = self.mapping
        services.unmap_meter(actor=self.actor, mapping=mapping)
        self.say(_("The mapping of %(vehicle)s was removed.") % {"vehicle": mapping.vehicle})
        return redirect("meter", meter_id)
