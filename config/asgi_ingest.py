"""Only what devices call: the device socket and HTTP ingest."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import path, re_path

from config import process

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
process.serves_requests = True
django_application = get_asgi_application()

from config.body_limit import BodyLimit  # noqa: E402
from config.sockets import nowhere  # noqa: E402
from telemetry.consumers.device import DeviceConsumer  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": BodyLimit(django_application, limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE),
        "websocket": URLRouter(
            [
                path("device", DeviceConsumer.as_asgi()),
                re_path("", nowhere),  # type: ignore[arg-type]
            ]
        ),
    }
)
