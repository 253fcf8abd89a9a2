"""The Celery application: alert evaluation, retention, everything that may wait."""

import os

from celery import Celery
from celery.signals import worker_process_init

from telemetry.collector import settle

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("outrider")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_init.connect
def _settle(**_: object) -> None:
    settle()
