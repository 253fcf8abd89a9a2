"""The form of a channel: where it leads, whose it is, when it keeps quiet."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from alerts.channels import OWN_KINDS
from alerts.forms.fields import Periods, periods_of
from alerts.models import Channel, ChannelKind
from tenants.models import Membership, Organisation, User


class ChannelForm(forms.Form):
    """Of a channel that is there the kind stays, and an empty address keeps the old one.
    `own`: who adds or changes a contact of theirs, and may do no more."""

    kind = forms.ChoiceField(
        label=_("Kind"), choices=ChannelKind.choices, widget=forms.RadioSelect, initial="email"
    )
    name = forms.CharField(label=_("Name"), max_length=120)
    address = forms.CharField(
        label=_("Address"),
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_("An e-mail address, an https:// address, or the Apprise URL of a service."),
    )
    person = forms.ChoiceField(label=_("Whose"), required=False)
    is_default = forms.BooleanField(
        label=_("Tell it about rules that name nobody"), required=False, initial=True
    )
    enabled = forms.BooleanField(label=_("In use"), required=False, initial=True)

    def __init__(
        self,
        tenant: Organisation,
        *args: Any,
        channel: Channel | None = None,
        own: User | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.own = own
        rows = Membership.objects.for_tenant(tenant).select_related("user").order_by("user__email")
        self.members: dict[str, User] = {str(row.public_id): row.user for row in rows}
        people = [(key, user.email) for key, user in self.members.items()]
        person = self.fields["person"]
        person.choices = [("", _("The organisation's")), *people]  # type: ignore[attr-defined]
        if own is not None:
            self._ask_for_own_contact()
        if channel is None:
            del self.fields["enabled"]
            return
        del self.fields["kind"]
        self.fields.pop("person", None)
        if channel.kind == ChannelKind.APPRISE:
            self.fields["address"].required = False
            self.fields["address"].help_text = _("Leave it empty to keep the one there is.")

    def _ask_for_own_contact(self) -> None:
        del self.fields["person"]
        kinds = [(key, label) for key, label in ChannelKind.choices if key in OWN_KINDS]
        self.fields["kind"].choices = kinds  # type: ignore[attr-defined]
        self.fields["address"].help_text = _(
            "An e-mail address, or the Apprise URL of an SMS or chat service."
        )
        self.fields["is_default"].label = _("Tell me about rules that name nobody")

    @property
    def user(self) -> User | None:
        if self.own is not None:
            return self.own
        return self.members.get(self.cleaned_data.get("person") or "")


class ChannelForms:
    """The channel and its quiet hours."""

    def __init__(
        self,
        tenant: Organisation,
        data: QueryDict | None = None,
        channel: Channel | None = None,
        own: User | None = None,
    ) -> None:
        if data is not None:
            self.form = ChannelForm(tenant, data, channel=channel, own=own)
            self.periods = Periods(data, prefix="period")
            return
        initial = {} if channel is None else _filled(channel)
        self.form = ChannelForm(tenant, initial=initial, channel=channel, own=own)
        hours = [] if channel is None else channel.quiet_hours
        self.periods = Periods(initial=hours, prefix="period")

    def is_valid(self) -> bool:
        return all([self.form.is_valid(), self.periods.is_valid()])

    @property
    def quiet_hours(self) -> list[dict[str, Any]]:
        return periods_of(self.periods)


def _filled(channel: Channel) -> dict[str, Any]:
    masked = channel.kind == ChannelKind.APPRISE
    return {
        "name": channel.name,
        "address": "" if masked else channel.address,
        "is_default": channel.is_default,
        "enabled": channel.enabled,
    }
