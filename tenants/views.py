"""Settings: the organisation, its people and tokens, and its audit trail."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import perform_login
from allauth.account.models import Login
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from tenants import invitations, services
from tenants.addresses import address_of
from tenants.audit_words import codes_that_say
from tenants.errors import DomainError
from tenants.forms import (
    InviteForm,
    JoinForm,
    OrganisationForm,
    RoleForm,
    TokenForm,
    roles_for,
    zones,
)
from tenants.models import ApiToken, AuditEntry, Invitation, Membership, Scope, User
from tenants.pages import MemberPage, refused
from tenants.preferences import zone_of
from tenants.selectors import SESSION_TENANT
from tenants.tables import Column, page_of

ADMIN = {"GET": Scope.ORG_ADMIN, "POST": Scope.ORG_ADMIN}


class SettingsPage(MemberPage):
    page = "settings"
    scopes = ADMIN


class OrganisationSettings(SettingsPage):
    template_name = "settings/organisation.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        names = ("name", "time_zone", "units", "retention_days")
        return self._page(OrganisationForm({n: getattr(self.tenant, n) for n in names}))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = OrganisationForm(request.POST)
        if form.is_valid():
            try:
                services.update_organisation(actor=self.actor, **form.cleaned_data)
            except DomainError as error:
                refused(form, error)
            else:
                self.say(_("The settings were saved."))
                return redirect("settings")
        return self._page(form, status=422)

    def _page(self, form: OrganisationForm, status: int = 200) -> HttpResponse:
        return self.show({"form": form, "zones": zones(), "tab": "organisation"}, status=status)


class Members(SettingsPage):
    template_name = "settings/members.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(InviteForm(actor=self.actor))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = InviteForm(request.POST, actor=self.actor)
        if form.is_valid():
            try:
                invitation = invitations.invite(actor=self.actor, **form.cleaned_data)
            except DomainError as error:
                refused(form, error)
            else:
                send_and_say(self, invitation)
                return redirect("members")
        return self._page(form, status=422)

    def _page(self, form: InviteForm, status: int = 200) -> HttpResponse:
        members = (
            Membership.objects.for_tenant(self.tenant)
            .select_related("user")
            .order_by("user__email")
        )
        pending = (
            Invitation.objects.for_tenant(self.tenant)
            .filter(accepted_at__isnull=True, withdrawn_at__isnull=True)
            .select_related("invited_by")
            .order_by("-created_at")
        )
        context = {
            "form": form,
            "members": members,
            "pending": pending,
            "roles": roles_for(self.actor),
            "now": timezone.now(),
            "tab": "members",
        }
        return self.show(context, status=status)


def send_and_say(page: MemberPage, invitation: Invitation) -> None:
    """Mail an invitation's link and say whether the mail server took it."""
    address = reverse("invitation", args=[invitations.key_of(invitation)])
    if invitations.send(invitation, link=page.request.build_absolute_uri(address)):
        page.say(_("%(email)s was invited.") % {"email": invitation.email})
    else:
        sentence = _("%(email)s is invited, but the mail could not be sent. Try “Send again”.")
        messages.warning(page.request, sentence % {"email": invitation.email})


class MemberRole(SettingsPage):
    scopes = {"POST": Scope.ORG_ADMIN}

    def post(self, request: HttpRequest, user_id: str) -> HttpResponse:
        member = find_member(self, user_id)
        form = RoleForm(request.POST)
        try:
            if not form.is_valid():
                raise DomainError("unknown_role", 422, _("There is no such role."))
            services.change_role(actor=self.actor, membership=member, **form.cleaned_data)
        except DomainError as error:
            self.complain(error)
        else:
            self.say(_("%(email)s has another role now.") % {"email": member.user.email})
        return redirect("members")


class MemberRemove(SettingsPage):
    scopes = {"POST": Scope.ORG_ADMIN}

    def post(self, request: HttpRequest, user_id: str) -> HttpResponse:
        member = find_member(self, user_id)
        try:
            services.remove_member(actor=self.actor, membership=member)
        except DomainError as error:
            self.complain(error)
        else:
            self.say(_("%(email)s is not a member any more.") % {"email": member.user.email})
        return redirect("members")


def find_member(page: MemberPage, public_id: str) -> Membership:
    """By the membership's public id; what is not one names nobody."""
    return page.find(Membership, "user", public_id=public_id)


class InvitationRenew(SettingsPage):
    scopes = {"POST": Scope.ORG_ADMIN}

    def post(self, request: HttpRequest, invitation_id: str) -> HttpResponse:
        invitation = self.find(Invitation, public_id=invitation_id)
        try:
            invitation = invitations.renew(actor=self.actor, invitation=invitation)
        except DomainError as error:
            self.complain(error)
        else:
            send_and_say(self, invitation)
        return redirect("members")


class InvitationWithdraw(SettingsPage):
    scopes = {"POST": Scope.ORG_ADMIN}

    def post(self, request: HttpRequest, invitation_id: str) -> HttpResponse:
        invitation = self.find(Invitation, public_id=invitation_id)
        try:
            invitations.withdraw(actor=self.actor, invitation=invitation)
        except DomainError as error:
            self.complain(error)
        else:
            self.say(_("The invitation of %(email)s was withdrawn.") % {"email": invitation.email})
        return redirect("members")


class AcceptInvitation(View):
    """Where the link of an invitation leads, logged in or not, with an account or without."""

    def get(self, request: HttpRequest, key: str) -> HttpResponse:
        return self._page(request, key)

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        invitation = invitations.invitation_for(key)
        if invitation is None:
            return self._page(request, key)
        try:
            if isinstance(request.user, User):
                invitations.accept(
                    invitation=invitation, user=request.user, address=address_of(request)
                )
                request.session[SESSION_TENANT] = invitation.tenant_id
                return redirect("live")
            return self._join(request, invitation)
        except DomainError as error:
            messages.error(request, error.detail)
            return self._page(request, key, status=error.status)

    def _join(self, request: HttpRequest, invitation: Invitation) -> HttpResponse:
        form = JoinForm(request.POST, email=invitation.email)
        if not form.is_valid():
            context = {"invitation": invitation, "form": form}
            return render(request, "settings/accept.html", context, status=422)
        user = invitations.join(
            invitation=invitation, address=address_of(request), **form.cleaned_data
        )
        login = Login(user=user, redirect_url=reverse("live"))
        response: HttpResponse = perform_login(request, login)
        request.session[SESSION_TENANT] = invitation.tenant_id
        return response

    def _page(self, request: HttpRequest, key: str, status: int = 200) -> HttpResponse:
        invitation = invitations.invitation_for(key)
        if invitation is None:
            return render(request, "settings/accept.html", {}, status=404)
        account = User.objects.filter(email=invitation.email.lower()).first()
        context = {
            "invitation": invitation,
            "has_account": account is not None and account.has_usable_password(),
            "is_other": isinstance(request.user, User)
            and request.user.email.lower() != invitation.email.lower(),
            "form": JoinForm(email=invitation.email),
            "here": request.path,
        }
        return render(request, "settings/accept.html", context, status=status)


class Tokens(SettingsPage):
    template_name = "settings/tokens.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(TokenForm(actor=self.actor))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = TokenForm(request.POST, actor=self.actor)
        if form.is_valid():
            try:
                token, plain = services.issue_token(actor=self.actor, **form.cleaned_data)
            except DomainError as error:
                refused(form, error)
            else:
                # Shown in this answer and never again.
                page = self._page(TokenForm(actor=self.actor), issued=token, secret=plain)
                page["Cache-Control"] = "no-store"
                return page
        return self._page(form, status=422)

    def _page(
        self,
        form: TokenForm,
        *,
        issued: ApiToken | None = None,
        secret: str = "",
        status: int = 200,
    ) -> HttpResponse:
        rows = (
            ApiToken.objects.for_tenant(self.tenant)
            .select_related("created_by")
            .order_by("revoked_at", "-created_at")[:200]
        )
        now = timezone.now()
        tokens = [(token, token.usable_at(now)) for token in rows]
        tokens.sort(key=lambda pair: not pair[1])
        context = {"form": form, "tokens": tokens, "issued": issued, "secret": secret}
        return self.show({**context, "tab": "tokens"}, status=status)


class TokenRevoke(SettingsPage):
    scopes = {"POST": Scope.ORG_ADMIN}

    def post(self, request: HttpRequest, prefix: str) -> HttpResponse:
        token = self.find(ApiToken, prefix=prefix)
        services.revoke_token(actor=self.actor, token=token)
        self.say(_("The token “%(name)s” was revoked.") % {"name": token.name})
        return redirect("tokens")


class Audit(SettingsPage):
    """Who did what to whom, when and why: searched by person, action, target and day."""

    scopes = {"GET": Scope.ORG_ADMIN}
    template_name = "settings/audit.html"
    columns = (
        Column("time", gettext_lazy("When"), "at", is_time=True),
        Column("who", gettext_lazy("Who")),
        Column("action", gettext_lazy("What")),
        Column("target", gettext_lazy("On what")),
        Column("changes", gettext_lazy("Before and after")),
    )

    def get(self, request: HttpRequest) -> HttpResponse:
        rows = AuditEntry.objects.for_tenant(self.tenant)
        query = request.GET
        wanted = query.get("q", "").strip().replace("\x00", "")[:64]
        if wanted:
            rows = rows.filter(
                Q(actor_label__icontains=wanted)
                | Q(target__icontains=wanted)
                | Q(action__icontains=wanted)
                | Q(action__in=codes_that_say(wanted))
                | Q(reason__icontains=wanted)
            )
        since, until = _day(query.get("since", "")), _day(query.get("until", ""))
        with timezone.override(zone_of(self.tenant)):
            if since:
                rows = rows.filter(at__date__gte=since)
            if until:
                rows = rows.filter(at__date__lte=until)
            table = page_of(rows, columns=self.columns, query=query, default="-time", tie="action")
        template = "settings/audit_table.html" if self.is_fragment else ""
        filtered = bool(wanted or since or until)
        return self.show(
            {"table": table, "query": query, "filtered": filtered, "tab": "audit"},
            template=template,
        )


def _day(text: str) -> Any:
    try:
        return parse_date(text)
    except ValueError:
        return None
