"""Settings, URLs, ASGI and Celery: how the rooms are put together."""

from config.celery import app as celery

__all__ = ["celery"]
