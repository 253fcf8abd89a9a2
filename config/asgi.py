"""Everything: pages, API, admin, dashboard sockets and event streams, and device sockets."""

import os
from typing import Any

import django
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.conf import settings
from django.urls import path, re_path, reverse

from config import process

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
process.serves_requests = True
django.setup(set_prefix=False)

# Only after Django is set up may models be imported.
from config.body_limit import BodyLimit  # noqa: E402
from config.daphne_pace import pace_daphne  # noqa: E402
from config.daphne_sockets import bound_daphne  # noqa: E402
from config.one_thread import OneThreadHandler  # noqa: E402
from config.sockets import nowhere  # noqa: E402
from config.static_files import StaticFiles  # noqa: E402
from telemetry.collector import settle  # noqa: E402
from telemetry.consumers.access import secret_of  # noqa: E402
from telemetry.consumers.dashboard import DashboardConsumer  # noqa: E402
from telemetry.consumers.device import DeviceConsumer  # noqa: E402
from telemetry.consumers.stream import PATH as STREAM  # noqa: E402
from telemetry.consumers.stream import streams  # noqa: E402

django_application = OneThreadHandler()
bound_daphne()
pace_daphne()
# Every page needs all addresses, hence all views: the first visitor does not wait for them.
reverse("live")
_dashboards_by_token = DashboardConsumer.as_asgi()
_dashboards_by_session = AllowedHostsOriginValidator(
    AuthMiddlewareStack(DashboardConsumer.as_asgi())
)


async def dashboards(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Only sessions are held to their Origin: no browser sends a token unasked, and an
    integration that has one sends no Origin."""
    by_token = secret_of(scope) is not None
    await (_dashboards_by_token if by_token else _dashboards_by_session)(scope, receive, send)


async def http(scope: Any, receive: Any, send: Any) -> None:
    """Streams stay open for hours: not in a view, each of which has a thread."""
    answers = streams if scope["path"] == STREAM else django_application
    await answers(scope, receive, send)


application = ProtocolTypeRouter(
    {
        "http": BodyLimit(StaticFiles(http), limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE),
        "websocket": URLRouter(
            [
                # Devices are not browsers: they authenticate by credential and send no Origin.
                path("device", DeviceConsumer.as_asgi()),
                path("telemetry", dashboards),  # type: ignore[arg-type]
                re_path("", nowhere),  # type: ignore[arg-type]
            ]
        ),
    }
)
settle()
