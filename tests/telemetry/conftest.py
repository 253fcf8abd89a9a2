"""Logs of the tests: real ones, under a prefix of their own, empty at the start of a test."""

import pytest
from django.conf import settings

from telemetry import streams


@pytest.fixture
def empty_logs():
    client = streams.sync_client()

    def sweep() -> None:
        for key in client.scan_iter(f"{settings.REDIS_PREFIX}:{{*", count=1000):
            client.delete(key)

    sweep()
    yield
    sweep()
