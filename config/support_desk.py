"""How the Django admin looks: the support desk, in the colours of the console."""

from __future__ import annotations

from typing import Any, Final

from django.templatetags.static import static

UNFOLD: Final[dict[str, Any]] = {
    "SITE_TITLE": "Outrider",
    "SITE_HEADER": "Outrider support",
    "SITE_SYMBOL": "route",
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda _request: static("icons/favicon.svg"),
        }
    ],
    "STYLES": [lambda _request: static("css/desk.css")],
    "DASHBOARD_CALLBACK": "telemetry.admin.home.answer",
    "COLORS": {
        # The accent of the console (static/css/tokens.css), paler and darker.
        "primary": {
            "50": "oklch(97.5% .012 203)",
            "100": "oklch(95% .026 203)",
            "200": "oklch(90% .05 203)",
            "300": "oklch(83% .085 201)",
            "400": "oklch(76% .105 200)",
            "500": "oklch(58% .09 205)",
            "600": "oklch(48% .078 207)",
            "700": "oklch(42% .07 207)",
            "800": "oklch(36% .06 208)",
            "900": "oklch(31% .05 209)",
            "950": "oklch(22% .04 210)",
        },
    },
}
