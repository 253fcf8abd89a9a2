"""Forms of what an organisation runs. They check what a person typed; services decide.

Each takes `fleets`, the fleets in service by reference, read once: an import checks
thousands of rows with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from fleet import tags, vin
from fleet.models import Device, Fleet, Meter, Vehicle, VehicleKind, reference_validator
from fleet.protocols import PROTOCOLS
from tenants.errors import DomainError
from tenants.models import Organisation

RESERVED = frozenset({"lookup", "new", "import", "export"})
"""Words that are addresses of their own."""


def fleets_in_service(tenant: Organisation) -> dict[str, Fleet]:
    """By reference, in the order of their names."""
    rows = Fleet.objects.for_tenant(tenant).filter(archived_at__isnull=True).order_by("name", "pk")
    return {fleet.reference: fleet for fleet in rows}


class ReferencedForm(forms.Form):
    """An id of the customer's own and a name."""

    reference = forms.CharField(
        label=_("Id"),
        max_length=64,
        validators=[reference_validator],
        help_text=_("Yours, unique in your organisation. The API knows it by this."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    name = forms.CharField(
        label=_("Name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, *args: Any, fleets: Mapping[str, Fleet], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fleets = fleets
        if "fleet" in self.fields:
            choices = [(fleet.reference, fleet.name) for fleet in fleets.values()]
            field = self.fields["fleet"]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101  (declared below)
            field.choices = choices if len(choices) == 1 else [("", _("Choose a fleet")), *choices]

    def clean_reference(self) -> str:
        value: str = self.cleaned_data["reference"]
        if value.lower() in RESERVED:
            raise ValidationError(_("This id is reserved."))
        return value

    def clean_fleet(self) -> Fleet:
        return self.fleets[self.cleaned_data["fleet"]]


class FleetForm(ReferencedForm):
    pass


class TaggedForm(ReferencedForm):
    """What belongs to a fleet and has tags."""

    fleet = forms.ChoiceField(label=_("Fleet"))
    tags = forms.CharField(
        label=_("Tags"),
        max_length=tags.MOST * (tags.LONGEST + 2),
        required=False,
        help_text=_("Words of your own, parted by commas. Alert rules can go by them."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean_tags(self) -> list[str]:
        try:
            return tags.tags_of(self.cleaned_data["tags"])
        except DomainError as error:
            raise ValidationError(error.detail) from None


class VehicleForm(TaggedForm):
    kind = forms.ChoiceField(
        label=_("Kind"), choices=VehicleKind.choices, initial=VehicleKind.VAN, required=False
    )
    plate = forms.CharField(label=_("Plate"), max_length=20, required=False)
    battery_capacity_kwh = forms.DecimalField(
        label=_("Battery capacity, kWh"),
        max_digits=8,
        decimal_places=2,
        min_value=0,
        required=False,
    )
    silent_after_s = forms.IntegerField(
        label=_("Counts as silent after, seconds"),
        min_value=10,
        max_value=2_592_000,
        initial=300,
        required=False,
        help_text=_("Without a reading for this long the vehicle shows as offline."),
    )
    vin = forms.CharField(
        label=_("VIN"),
        max_length=32,
        required=False,
        help_text=_("Kept encrypted; shown only to those who may reveal it."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_kind(self) -> str:
        return self.cleaned_data["kind"] or VehicleKind.VAN

    def clean_silent_after_s(self) -> int:
        return self.cleaned_data["silent_after_s"] or 300

    def clean_vin(self) -> str | None:
        """None: nothing was typed, so nothing changes."""
        typed: str = self.cleaned_data["vin"].strip()
        if not typed:
            return None
        try:
            return vin.normalise(typed).number
        except DomainError as error:
            raise ValidationError(error.detail) from None


class VehicleEditForm(VehicleForm):
    forget_vin = forms.BooleanField(label=_("Forget the VIN on record"), required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.pop("forget_vin", False):
            cleaned["vin"] = ""
        return cleaned


class MeterForm(TaggedForm):
    silent_after_s = forms.IntegerField(
        label=_("Counts as silent after, seconds"),
        min_value=10,
        max_value=2_592_000,
        initial=900,
        required=False,
    )

    def clean_silent_after_s(self) -> int:
        return self.cleaned_data["silent_after_s"] or 900


class DeviceForm(ReferencedForm):
    """`subjects`: things in service by reference, where many forms are checked at once."""

    vehicle = forms.CharField(
        label=_("Vehicle"),
        max_length=64,
        required=False,
        help_text=_("The vehicle it sits in, by name or id."),
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "list": "vehicles-found", "data-finds": "vehicle"}
        ),
    )
    meter = forms.CharField(
        label=_("Meter"),
        max_length=64,
        required=False,
        help_text=_("Or the charging meter it reads. Neither: installed later."),
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "list": "meters-found", "data-finds": "meter"}
        ),
    )
    protocol = forms.ChoiceField(
        label=_("Protocol"),
        choices=[(each.name, each.label) for each in PROTOCOLS],
        initial=PROTOCOLS[0].name,
        required=False,
    )

    def __init__(
        self,
        *args: Any,
        tenant: Organisation,
        subjects: Mapping[type[Any], Mapping[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.tenant = tenant
        self.subjects = subjects

    def clean_protocol(self) -> str:
        return self.cleaned_data["protocol"] or PROTOCOLS[0].name

    def clean_vehicle(self) -> Any:
        return self._subject(Vehicle, "vehicle", _("No vehicle in service has this id."))

    def clean_meter(self) -> Any:
        return self._subject(Meter, "meter", _("No meter in service has this id."))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("vehicle") and cleaned.get("meter"):
            self.add_error("meter", _("A device speaks for a vehicle or a meter, not both."))
        return cleaned

    def _subject(self, model: type[Any], field: str, missing: Any) -> Any:
        reference = self.cleaned_data[field].strip()
        if not reference:
            return None
        if self.subjects is not None:
            found = self.subjects[model].get(reference)
        else:
            rows = model.objects.for_tenant(self.tenant).filter(archived_at__isnull=True)
            found = rows.filter(reference=reference).first()
        if found is None:
            raise ValidationError(missing)
        return found


class MappingForm(forms.Form):
    """From when until when a meter's energy flows into which vehicle; times in the zone of
    the organisation, which the view has activated."""

    vehicle = forms.CharField(
        label=_("Vehicle"),
        max_length=64,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "list": "vehicles-found", "data-finds": "vehicle"}
        ),
    )
    valid_from = forms.DateTimeField(
        label=_("From"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )
    valid_to = forms.DateTimeField(
        label=_("To"),
        required=False,
        help_text=_("Empty: until further notice."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )

    def __init__(self, *args: Any, tenant: Organisation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tenant = tenant

    def clean_vehicle(self) -> Vehicle:
        rows = Vehicle.objects.for_tenant(self.tenant).filter(archived_at__isnull=True)
        found = rows.filter(reference=self.cleaned_data["vehicle"].strip()).first()
        if found is None:
            raise ValidationError(_("No vehicle in service has this id."))
        return found


def initial_of(row: Fleet | Vehicle | Meter | Device) -> dict[str, Any]:
    """The values a form starts with when the row is edited; never the VIN."""
    values: dict[str, Any] = {"reference": row.reference, "name": row.name}
    if isinstance(row, Vehicle):
        for name in ("kind", "plate", "battery_capacity_kwh", "silent_after_s"):
            values[name] = getattr(row, name)
    if isinstance(row, Meter):
        values["silent_after_s"] = row.silent_after_s
    if isinstance(row, Vehicle | Meter):
        values["fleet"] = row.fleet.reference
        values["tags"] = tags.text_of(row.tags)
    if isinstance(row, Device):
        values["vehicle"] = row.vehicle.reference if row.vehicle else ""
        values["meter"] = row.meter.reference if row.meter else ""
        values["protocol"] = row.protocol
    return values
