"""Settings."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from tenants import profile, views

urlpatterns: list[URLPattern | URLResolver] = [
    path("settings/", views.OrganisationSettings.as_view(), name="settings"),
    path("settings/members", views.Members.as_view(), name="members"),
    path("settings/members/<uuid:user_id>/role", views.MemberRole.as_view(), name="member-role"),
    path(
        "settings/members/<uuid:user_id>/remove", views.MemberRemove.as_view(), name="member-remove"
    ),
    path(
        "settings/invitations/<uuid:invitation_id>/send",
        views.InvitationRenew.as_view(),
        name="invitation-renew",
    ),
    path(
        "settings/invitations/<uuid:invitation_id>/withdraw",
        views.InvitationWithdraw.as_view(),
        name="invitation-withdraw",
    ),
    path("settings/tokens", views.Tokens.as_view(), name="tokens"),
    path("settings/tokens/<str:prefix>/revoke", views.TokenRevoke.as_view(), name="token-revoke"),
    path("settings/audit", views.Audit.as_view(), name="audit"),
    path("settings/profile", profile.Profile.as_view(), name="profile"),
    path("settings/profile/sessions", profile.EndSession.as_view(), name="session-end"),
    path("invitations/<str:key>", views.AcceptInvitation.as_view(), name="invitation"),
]
