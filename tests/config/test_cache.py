"""The cache shares its Redis with what must not be lost."""

import pytest
from django.core.cache import cache

from telemetry.streams import INGRESS, encode_readings
from tests.telemetry.conftest import empty_logs

__all__ = ["empty_logs"]


@pytest.mark.usefixtures("empty_logs")
def test_clearing_the_cache_leaves_the_logs_alone():
    INGRESS.ensure_group(0, "writer")
    INGRESS.append(0, encode_readings([]), 0)
    cache.set("one", 1)
    cache.clear()
    assert cache.get("one") is None
    assert len(INGRESS.read(0, "writer", count=10, block_ms=1)) == 1
