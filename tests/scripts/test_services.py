"""The embedded services, killed as by a power failure."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from scripts import services
from scripts.healthcheck import answers, spoke_to_redis
from scripts.places import STATE, ServiceUnavailable, private_directory, service_account
from scripts.processes import exists, free_port, is_alive, port_is_taken
from scripts.services import PostgresServer, RedisServer

pytestmark = pytest.mark.crash


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    directory = tmp_path_factory.mktemp("services") / "pg"
    server = PostgresServer(directory, port=free_port(), shared_buffers="32MB")
    yield server
    server.wipe()


@pytest.fixture
def postgres(cluster: PostgresServer) -> PostgresServer:
    cluster.start()
    return cluster


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "redis", port=free_port())
    server.start()
    yield server
    server.wipe()


def test_it_keeps_committed_rows_through_sigkill(postgres: PostgresServer) -> None:
    with psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept SELECT generate_series(1, 1000)")
    pid = postgres.pid
    assert pid is not None

    postgres.kill()

    assert not postgres.is_running()
    assert not exists(pid)
    assert not port_is_taken(postgres.port)
    postgres.start()
    with psycopg.connect(postgres.url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)


def test_it_kills_the_children_of_the_postmaster_too(postgres: PostgresServer) -> None:
    with psycopg.connect(postgres.url) as connection:
        backend = connection.info.backend_pid
        assert exists(backend)
        postgres.kill()
        assert not exists(backend)


def test_it_gives_the_application_timescaledb_but_no_superuser(postgres: PostgresServer) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        extension = connection.execute(
            "SELECT extname FROM pg_extension WHERE extname = 'timescaledb'"
        ).fetchone()
        rights = connection.execute(
            "SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        connection.execute("CREATE DATABASE another")
    another = postgres.url.rpartition("/")[0] + "/another"
    with psycopg.connect(another) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    assert extension == ("timescaledb",)
    assert rights == (False, True)


def test_it_is_configured_to_be_durable(postgres: PostgresServer) -> None:
    wanted = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "listen_addresses": "127.0.0.1",
    }
    with psycopg.connect(postgres.url) as connection:
        found = connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(wanted)]
        ).fetchall()
    assert dict(found) == wanted


def test_it_speaks_utf8_and_utc(postgres: PostgresServer) -> None:
    with psycopg.connect(postgres.url) as connection:
        row = connection.execute(
            "SELECT pg_encoding_to_char(encoding), datcollate, datctype,"
            " current_setting('TimeZone') FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    assert row == ("UTF8", "C.UTF-8", "C.UTF-8", "UTC")


def test_it_refuses_a_wrong_password(postgres: PostgresServer) -> None:
    wrong = f"postgres://outrider:wrong@127.0.0.1:{postgres.port}/outrider"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_it_starts_beside_a_pid_file_that_names_a_stranger(postgres: PostgresServer) -> None:
    postgres.stop()
    left_behind = postgres.directory / "data" / "postmaster.pid"
    left_behind.write_text(f"{os.getpid()}\n{postgres.directory}/data\n0\n{postgres.port}\n\n\n")

    assert not postgres.is_running()
    postgres.start()

    with psycopg.connect(postgres.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_it_keeps_acknowledged_writes_through_sigkill(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        for number in range(100):
            client.xadd("log", {"n": number})
    pid = redis_server.pid
    assert pid is not None

    redis_server.kill()

    assert not redis_server.is_running()
    assert not exists(pid)
    redis_server.start()
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.xlen("log") == 100
        assert client.config_get("appendfsync") == {"appendfsync": "always"}


def test_it_answers_only_who_knows_the_password(redis_server: RedisServer) -> None:
    with redis.Redis(port=redis_server.port) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_it_says_whose_port_it_cannot_have(tmp_path: Path) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        server = RedisServer(tmp_path / "redis", port=squatter.getsockname()[1])
        with pytest.raises(ServiceUnavailable, match="is taken"):
            server.start()
        assert not server.is_running()
        server.wipe()


def test_it_leaves_nothing_behind_when_wiped(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis", port=free_port())
    server.start()
    pid = server.pid
    assert pid is not None
    server.wipe()
    assert not exists(pid)
    assert not server.directory.exists()
    assert not (tmp_path / "redis").exists()


def test_it_hides_passwords_from_other_accounts(
    postgres: PostgresServer, redis_server: RedisServer
) -> None:
    secret_files = [
        *postgres.directory.glob("*.password"),
        *redis_server.directory.glob("redis.[cp]*"),
    ]
    assert len(secret_files) >= 4
    assert {path.stat().st_mode & 0o077 for path in secret_files} == {0}
    assert postgres.directory.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs services as somebody else")
def test_it_moves_data_out_of_a_folder_the_account_cannot_enter(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    account = service_account()
    assert account is not None

    chosen = private_directory(closed / "services", account)

    assert chosen.parent == Path("/var/tmp")  # noqa: S108  (that is the promise)
    assert private_directory(closed / "services", account) == chosen
    chosen.rmdir()


def test_it_does_not_take_a_stranger_for_its_own_process() -> None:
    assert is_alive(os.getpid(), mark="python")
    assert not is_alive(os.getpid(), mark="/some/other/data")


def test_it_finds_an_idle_process_by_its_connection_to_redis(redis_server: RedisServer) -> None:
    assert not spoke_to_redis(redis_server.url, within_s=60)
    with redis.Redis.from_url(redis_server.url) as client:
        client.ping()
        assert spoke_to_redis(redis_server.url, within_s=60)
        assert not spoke_to_redis(redis_server.url, within_s=-1)
    redis_server.stop()
    assert not spoke_to_redis(redis_server.url, within_s=60)


def test_it_finds_nobody_answering_on_a_free_port() -> None:
    assert not answers(free_port(), timeout=1)


def test_it_starts_no_second_set_of_services(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in services.VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    if not (STATE / "services.json").exists():
        pytest.skip("this checkout runs on services of somebody else's")
    services.up()
    before = services.addresses()
    assert services.up() == []
    assert services.addresses() == before
    assert set(before) == {"DATABASE_URL", "REDIS_URL"}


def test_it_prefers_the_addresses_that_were_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://mine")
    monkeypatch.setenv("REDIS_URL", "redis://mine")
    assert services.up() == []
    assert services.addresses() == {"DATABASE_URL": "postgres://mine", "REDIS_URL": "redis://mine"}
