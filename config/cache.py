"""Django's cache in the Redis that also holds the logs of readings."""

from __future__ import annotations

from django.core.cache.backends.redis import RedisCache


class OwnKeysCache(RedisCache):
    """Clears its own keys and nothing else. Django's `clear` flushes the whole database, and
    with it what devices have been told is kept."""

    def clear(self) -> bool:  # type: ignore[override]
        client = self._cache.get_client(None, write=True)
        for key in client.scan_iter(f"{self.key_prefix}:*", count=1000):
            client.unlink(key)
        return True
