"""HTTP to an address that a customer gave, which must not become a way into our network.

The name is resolved once, every address it has is checked, and the connection goes to the
address that was checked: a second answer of the name server changes nothing. No redirect is
followed, no proxy is used, and the whole exchange has one deadline, so that a server that
drips a byte a minute holds nobody.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpcore2
from django.conf import settings

LONGEST_S = 10.0
ANSWER_BYTES = 2000
"""Of the answer's body that are read and kept."""

_UNICAST = ipaddress.ip_network("2000::/3")
"""All that IPv6 has handed out; Python counts some of the rest as global."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Forbidden(httpcore2.ConnectError):
    """The address is none of the public internet."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: str


def is_public(address: str) -> bool:
    """Whether an IP address may be called. IPv6 forms that carry an IPv4 address are judged
    by that one as well."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if ip not in _UNICAST:
            return False
    return ip.is_global and not ip.is_multicast


class _Stream(httpcore2.NetworkStream):
    """Cuts every wait to what is left until the deadline."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def _left(self, timeout: float | None) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("The answer took too long.")
        return left if timeout is None else min(timeout, left)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        inner = self._stream.start_tls(ssl_context, server_hostname, self._left(timeout))
        return _Stream(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _PublicOnly(httpcore2.NetworkBackend):
    """Connects to checked addresses only."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._backend = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore2.ConnectError(f"{host} has no address: {error}") from error
        addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
        if not settings.ALERTS_ALLOW_PRIVATE_WEBHOOKS:
            for address in addresses:
                if not is_public(address):
                    raise Forbidden(f"{host} is not on the public internet.")
        left = max(0.01, self._deadline - time.monotonic())
        stream = self._backend.connect_tcp(addresses[0], port, left, local_address, socket_options)
        return _Stream(stream, self._deadline)


def post(url: str, *, body: bytes, headers: dict[str, str]) -> Answer:
    """POST once. Raises httpcore2's errors, `Forbidden` among them."""
    deadline = time.monotonic() + LONGEST_S
    with (
        httpcore2.ConnectionPool(
            network_backend=_PublicOnly(deadline), ssl_context=ssl.create_default_context()
        ) as pool,
        pool.stream("POST", url, headers=list(headers.items()), content=body) as response,
    ):
        kept = b""
        for chunk in response.iter_stream():
            kept += chunk
            if len(kept) >= ANSWER_BYTES:
                break
        return Answer(response.status, kept[:ANSWER_BYTES].decode(errors="replace"))
