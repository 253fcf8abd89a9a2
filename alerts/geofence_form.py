"""The geofence editor's form: what is drawn on the map can be typed here as well."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.engine.fences import InvalidShape, decode_shape
from alerts.geojson import is_colour
from alerts.shapes import read_points, written_points
from fleet.geofences import COLOUR, Geofence

KINDS = [
    ("circle", gettext_lazy("Circle")),
    ("polygon", gettext_lazy("Area")),
    ("corridor", gettext_lazy("Corridor")),
]
_LINES = {"rows": 6, "spellcheck": "false", "autocomplete": "off"}


class ShapeForm(forms.Form):
    """`shape` is in the cleaned data of a valid form."""

    kind = forms.ChoiceField(
        label=gettext_lazy("Shape"), choices=KINDS, widget=forms.RadioSelect, initial="circle"
    )
    centre = forms.CharField(
        label=gettext_lazy("Centre"),
        required=False,
        max_length=80,
        help_text=gettext_lazy("Latitude, longitude"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    radius_m = forms.FloatField(
        label=gettext_lazy("Radius (m)"), required=False, min_value=1, max_value=1_000_000
    )
    points = forms.CharField(
        label=gettext_lazy("Points"),
        required=False,
        max_length=500_000,
        strip=False,
        help_text=gettext_lazy(
            "One a line: latitude, longitude. In an area an empty line begins a hole."
        ),
        widget=forms.Textarea(attrs=_LINES),
    )
    width_m = forms.FloatField(
        label=gettext_lazy("Width (m)"), required=False, min_value=1, max_value=100_000
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if self.errors:
            return data
        field = "centre" if data["kind"] == "circle" else "points"
        try:
            data["shape"] = self._shape(data)
            decode_shape(data["shape"])
        except InvalidShape as error:
            self.add_error(field, str(error))
        return data

    def _shape(self, data: dict[str, Any]) -> dict[str, Any]:
        if data["kind"] == "circle":
            points = [point for ring in read_points(data["centre"]) for point in ring]
            if len(points) != 1:
                raise InvalidShape(_("Click the map, or type where the centre is."))
            radius = self._metres("radius_m", data)
            return {"type": "circle", "centre": points[0], "radius_m": radius}
        rings = read_points(data["points"])
        if data["kind"] == "corridor":
            line = [point for ring in rings for point in ring]
            if len(line) < 2:
                raise InvalidShape(_("A corridor needs two points or more."))
            return {"type": "corridor", "line": line, "width_m": self._metres("width_m", data)}
        if not rings or len(rings[0]) < 3:
            raise InvalidShape(_("An area needs three points or more."))
        return {"type": "polygon", "rings": rings}

    def _metres(self, name: str, data: dict[str, Any]) -> float:
        if data[name] is None:
            self.add_error(name, _("How many metres?"))
            # The shape is judged whole; without this it cannot be.
            return 1.0
        return float(data[name])


class GeofenceForm(ShapeForm):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    colour = forms.CharField(
        label=gettext_lazy("Colour"),
        max_length=7,
        initial=COLOUR,
        widget=forms.TextInput(attrs={"type": "color"}),
    )
    field_order = ("name", "colour")

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not name.isprintable():
            raise forms.ValidationError(_("A name is a text in one line."))
        return name

    def clean_colour(self) -> str:
        colour: str = self.cleaned_data["colour"].lower()
        if not is_colour(colour):
            raise forms.ValidationError(_("A colour is written like #2f6fed."))
        return colour


class TrialForm(ShapeForm):
    """A shape tried on the last days."""

    event = forms.ChoiceField(
        choices=[("enter", ""), ("leave", ""), ("dwell", "")], required=False, initial="enter"
    )
    minutes = forms.IntegerField(min_value=1, max_value=43_200, required=False, initial=10)


class WatchForm(forms.Form):
    """Alert me when a vehicle does something with a geofence."""

    event = forms.ChoiceField(
        label=gettext_lazy("A vehicle"),
        choices=[
            ("enter", gettext_lazy("enters")),
            ("leave", gettext_lazy("leaves")),
            ("dwell", gettext_lazy("stays longer than")),
        ],
    )
    minutes = forms.IntegerField(
        label=gettext_lazy("Minutes"), min_value=1, max_value=43_200, initial=10, required=False
    )
    severity = forms.ChoiceField(
        label=gettext_lazy("Severity"),
        initial="medium",
        choices=[
            ("low", gettext_lazy("Low")),
            ("medium", gettext_lazy("Medium")),
            ("high", gettext_lazy("High")),
            ("critical", gettext_lazy("Critical")),
        ],
    )


class FileForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("GeoJSON file"),
        widget=forms.ClearableFileInput(attrs={"accept": ".geojson,.json,application/geo+json"}),
    )


def initial_of(fence: Geofence) -> dict[str, Any]:
    """What the form shows of a saved geofence."""
    shape = fence.shape
    shown = {"name": fence.name, "colour": fence.colour, "kind": shape["type"]}
    if shape["type"] == "circle":
        centre = written_points([[shape["centre"]]])
        return shown | {"centre": centre, "radius_m": f"{shape['radius_m']:.12g}"}
    if shape["type"] == "corridor":
        width = f"{shape['width_m']:.12g}"
        return shown | {"points": written_points([shape["line"]]), "width_m": width}
    return shown | {"points": written_points(shape["rings"])}
