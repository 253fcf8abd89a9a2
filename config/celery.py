"""The Celery application: alert evaluation, retention, everything that may wait."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("outrider")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
