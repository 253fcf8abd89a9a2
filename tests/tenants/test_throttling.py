"""Rate limits per token, told in the headers."""

import pytest
from django.test import override_settings

from tests import people

pytestmark = pytest.mark.django_db


def test_it_limits_each_token_by_itself_and_says_so(settings):
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "DEFAULT_THROTTLE_RATES": {"token": "3/day"},
    }
    tenant = people.an_organisation()
    client, other = (people.client_with(people.a_token(tenant)) for _ in range(2))
    left = [client.get("/v1/fleets").headers["RateLimit-Remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    refused = client.get("/v1/fleets")
    assert refused.status_code == 429
    assert refused.json()["code"] == "throttled"
    assert refused.headers["RateLimit-Limit"] == "3"
    assert 0 < int(refused.headers["Retry-After"]) <= 86_401
    assert refused.json()["retry_after"] == int(refused.headers["Retry-After"])
    assert other.get("/v1/fleets").status_code == 200


def test_it_lets_everyone_through_while_the_cache_is_away():
    nowhere = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }
    client = people.client_with(people.a_token(people.an_organisation()))
    with override_settings(CACHES=nowhere):
        assert client.get("/v1/fleets").status_code == 200
