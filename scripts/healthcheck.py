"""Whether the process of this container works: for the health checks of docker-compose.yml.

    python scripts/healthcheck.py http PORT          it answers, and not with an error of its own
    python scripts/healthcheck.py redis SECONDS      it spoke to Redis within the last SECONDS

The processes without a port all speak to Redis many times a minute; one that hangs does not.
Exit status 0 if it works, 1 if not.
"""

from __future__ import annotations

import http.client
import os
import sys

import redis


def answers(port: int, *, timeout: float = 5.0) -> bool:
    """Whether GET /healthz gets an answer below 500."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        # As from behind the proxy that ends TLS, or we would be sent there.
        connection.request("GET", "/healthz", headers={"X-Forwarded-Proto": "https"})
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def spoke_to_redis(url: str, *, within_s: int) -> bool:
    """Whether another connection from this address was used in the last `within_s` seconds."""
    try:
        with redis.Redis.from_url(url, socket_timeout=5.0) as client:
            own = client.client_info()
            address = _address(own)
            return any(
                _address(other) == address and int(other["idle"]) <= within_s
                for other in client.client_list()
                if other["id"] != str(own["id"])
            )
    except redis.RedisError:
        return False


def _address(connection: dict[str, str | int]) -> str:
    return str(connection["addr"]).rpartition(":")[0]


def main(arguments: list[str]) -> int:
    """Carry out the command line; returns the exit status."""
    kind, number = arguments
    if kind == "http":
        return 0 if answers(int(number)) else 1
    if kind == "redis":
        return 0 if spoke_to_redis(os.environ["REDIS_URL"], within_s=int(number)) else 1
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
