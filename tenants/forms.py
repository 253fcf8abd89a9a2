"""Forms about an organisation and the people in it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import get_language_info
from django.utils.translation import gettext_lazy as _

from tenants.actors import Actor
from tenants.models import ROLE_SCOPES, Role, Scope, Theme, Units, User

LIFETIMES = {
    "30": _("30 days"),
    "90": _("90 days"),
    "365": _("A year"),
    "": _("Until it is revoked"),
}


def zones() -> list[str]:
    """Zones to choose from: places, and UTC."""
    return sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC")


def known_zone(name: str) -> str:
    if name and name not in available_timezones():
        raise ValidationError(_("Choose a zone from the list, for example Europe/Paris."))
    return name


class OrganisationForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120)
    time_zone = forms.CharField(
        label=_("Time zone"),
        max_length=64,
        help_text=_("Days and hours of every page are of this zone; UTC shows on hover."),
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
    )
    units = forms.ChoiceField(label=_("Units"), choices=Units.choices)
    retention_days = forms.IntegerField(
        label=_("Days of history to keep"),
        required=False,
        min_value=1,
        max_value=36_500,
        help_text=_("Empty: as long as the platform keeps it. Older readings go for good."),
    )

    def clean_time_zone(self) -> str:
        return known_zone(self.cleaned_data["time_zone"])


def roles_for(actor: Actor) -> list[tuple[str, Any]]:
    """The roles this person may give: none that may do more than they may."""
    return [(role.value, role.label) for role in Role if ROLE_SCOPES[role] <= actor.scopes]


class InviteForm(forms.Form):
    email = forms.EmailField(
        label=_("E-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(label=_("Role"))

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["role"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  (declared above)
        field.choices = roles_for(actor)
        field.initial = Role.VIEWER


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=120, help_text=_("What it is for, for example “Billing”.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("May"), widget=forms.CheckboxSelectMultiple, choices=[]
    )
    lifetime = forms.ChoiceField(
        label=_("Works for"), choices=list(LIFETIMES.items()), required=False, initial="90"
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["scopes"]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101  (declared above)
        field.choices = [
            (scope.value, scope.label) for scope in Scope if scope.value in actor.scopes
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        days = cleaned.pop("lifetime", "")
        cleaned["expires_at"] = timezone.now() + timedelta(days=int(days)) if days else None
        return cleaned


class JoinForm(forms.Form):
    """A new colleague's name and password."""

    name = forms.CharField(
        label=_("Your name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean_password(self) -> str:
        value: str = self.cleaned_data["password"]
        person = User(email=self.email, first_name=self.cleaned_data.get("name", ""))
        validate_password(value, user=person)
        return value


class ProfileForm(forms.Form):
    first_name = forms.CharField(
        label=_("First name"),
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "given-name"}),
    )
    last_name = forms.CharField(
        label=_("Last name"),
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "family-name"}),
    )
    units = forms.ChoiceField(
        label=_("Units"), required=False, choices=[("", _("As the organisation")), *Units.choices]
    )
    time_zone = forms.CharField(
        label=_("Time zone"),
        max_length=64,
        required=False,
        help_text=_("Empty: the organisation’s."),
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
    )
    theme = forms.ChoiceField(
        label=_("Light or dark"),
        required=False,
        choices=[("", _("As the device")), *Theme.choices],
    )
    language = forms.ChoiceField(label=_("Language"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["language"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  (declared above)
        names = [
            (code, get_language_info(code)["name_local"]) for code, _name in settings.LANGUAGES
        ]
        field.choices = [("", _("As the browser")), *names]

    def clean_time_zone(self) -> str:
        return known_zone(self.cleaned_data["time_zone"])
