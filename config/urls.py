"""Every URL of the web process."""

from allauth.account.decorators import secure_admin_login
from allauth.account.views import LogoutView
from django.contrib import admin
from django.urls import include, path
from django.views.decorators.cache import cache_control
from django.views.generic import RedirectView
from django.views.i18n import JavaScriptCatalog

# One log-in for everybody, with its rate limits and, where set up, its second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.index_title = "Support desk"
# And one log-out, which live pages hear of.
admin.site.logout = LogoutView.as_view()  # type: ignore[method-assign]

urlpatterns = [
    path("admin/", admin.site.urls),
    # An address is proven by the invitation sent to it: nobody takes on another one here.
    path("accounts/email/", RedirectView.as_view(pattern_name="profile")),
    path("accounts/", include("allauth.urls")),
    path("v1/", include("config.urls_api")),
    path("words.js", cache_control(max_age=3600)(JavaScriptCatalog.as_view()), name="words"),
    path("", include("tenants.urls")),
    path("", include("telemetry.urls_pages")),
    path("", include("fleet.urls")),
    path("", include("config.urls_operations")),
    path("", include("telemetry.urls")),
    path("", include("alerts.urls")),
    path("", include("alerts.urls_geofences")),
]
