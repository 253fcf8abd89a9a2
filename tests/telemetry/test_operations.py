"""Liveness, readiness, metrics."""

from django.test import Client
from redis.exceptions import ConnectionError as RedisConnectionError

from telemetry import operations
from telemetry.streams import INGRESS, encode_readings
from tests.telemetry.readings import vehicle_reading


def get(path, **options):
    return Client().get(path, secure=True, **options)


def test_it_is_alive_whatever_else_is_not(monkeypatch):
    monkeypatch.setattr(operations, "_database_answers", lambda: 1 / 0)
    assert get("/healthz").status_code == 200


def test_it_is_ready_and_says_how_far_the_writer_is_behind(db, empty_logs):
    INGRESS.append(0, encode_readings([vehicle_reading()]), 1)
    body = get("/readyz").json()
    assert body["ready"] and 0 <= body["ingress_lag_s"] < 60


def test_it_is_not_ready_without_redis(db, monkeypatch):
    def away():
        raise RedisConnectionError("away")

    monkeypatch.setattr(operations, "sync_client", away)
    answer = get("/readyz")
    assert (answer.status_code, answer.json()["redis"]) == (503, False)


def test_metrics_tell_the_depth_of_the_logs(empty_logs):
    INGRESS.append(1, encode_readings([vehicle_reading()]), 1)
    text = get("/metrics").content.decode()
    assert 'outrider_log_entries{log="ingress",partition="1"} 1.0' in text
    assert 'outrider_log_lag_seconds{group="writer",log="ingress",partition="1"}' in text
    assert "outrider_writer_batch_seconds" in text and "outrider_redis_up 1.0" in text


def test_metrics_are_for_this_machine_alone():
    assert get("/metrics", REMOTE_ADDR="203.0.113.9").status_code == 404
    assert get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 404


def test_metrics_are_for_the_bearer_of_the_token(settings, empty_logs):
    settings.METRICS_TOKEN = "scrape-me"
    assert get("/metrics").status_code == 404
    assert get("/metrics", headers={"Authorization": "Bearer é"}).status_code == 404
    assert get("/metrics", headers={"Authorization": "Bearer scrape-me"}).status_code == 200
