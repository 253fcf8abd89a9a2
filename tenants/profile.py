"""One's own account: name, preferences, and where one is logged in."""

from __future__ import annotations

import hashlib

from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views import View

from tenants import withdrawal
from tenants.forms import ProfileForm, zones
from tenants.models import User

OWN = ["first_name", "last_name", "units", "time_zone", "language", "theme"]


class Profile(LoginRequiredMixin, View):
    """One's own name and wishes; password, second factor and sessions are a click away."""

    def get(self, request: HttpRequest) -> HttpResponse:
        assert isinstance(request.user, User)  # noqa: S101  (LoginRequiredMixin)
        return self._page(request, ProfileForm({n: getattr(request.user, n) for n in OWN}))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ProfileForm(request.POST)
        if not form.is_valid():
            return self._page(request, form, status=422)
        assert isinstance(request.user, User)  # noqa: S101
        for name in OWN:
            setattr(request.user, name, form.cleaned_data[name])
        request.user.save(update_fields=OWN)
        messages.success(request, _("Your account was saved."))
        return redirect("profile")

    def _page(self, request: HttpRequest, form: ProfileForm, status: int = 200) -> HttpResponse:
        assert isinstance(request.user, User)  # noqa: S101
        sessions = UserSession.objects.purge_and_list(request.user)
        sessions.sort(key=lambda each: each.last_seen_at, reverse=True)
        context = {
            "form": form,
            "zones": zones(),
            "page": "settings",
            "tab": "profile",
            "mfa": is_mfa_enabled(request.user),
            "sessions": [(_name_of(each), each) for each in sessions],
            "current": request.session.session_key,
        }
        return render(request, "settings/profile.html", context, status=status)


class EndSession(LoginRequiredMixin, View):
    """Log one of one's own sessions out, wherever it is; or all but this one."""

    def post(self, request: HttpRequest) -> HttpResponse:
        sessions = UserSession.objects.filter(user=request.user)
        others = sessions.exclude(session_key=request.session.session_key)
        named = [each for each in sessions if _name_of(each) == request.POST.get("session")]
        ended = list(others) if "others" in request.POST else named
        if not ended:
            raise Http404
        for session in ended:
            session.end()
        withdrawal.announce("user", ended[0].user_id)
        messages.success(request, _("The session was ended."))
        return redirect("profile")


def _name_of(session: UserSession) -> str:
    """Names a session on the page: its key opens it and must not stand there."""
    return hashlib.sha256(session.session_key.encode()).hexdigest()[:16]
