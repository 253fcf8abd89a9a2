"""Static files as the web process answers them, before Django."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator

from config.static_files import CHUNK, StaticFiles

STYLE = b"body { margin: 0 }\n" * 40
BIG = bytes(range(256)) * (CHUNK * 2 // 256)
"""Twice what is sent at once: the last part is empty."""

Asked = Callable[..., Awaitable[tuple[int, dict[str, str], bytes]]]


async def otherwise(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"not a file"})


@pytest.fixture
def asked(tmp_path: Path, settings: Any) -> Asked:
    collected = tmp_path / "collected"
    (collected / "css").mkdir(parents=True)
    (collected / "css" / "a.css").write_bytes(STYLE)
    (collected / "css" / "a.css.gz").write_bytes(gzip.compress(STYLE))
    (collected / "big.bin").write_bytes(BIG)
    (tmp_path / "secret").write_text("secret")
    settings.STATIC_ROOT = collected
    application = StaticFiles(otherwise)

    async def ask(
        path: str, method: str = "GET", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        sent = [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ]
        scope = {"type": "http", "method": method, "path": path, "headers": sent}
        client = ApplicationCommunicator(application, scope)
        start = await client.receive_output()
        body, more = b"", True
        while more:
            part = await client.receive_output()
            assert len(part["body"]) <= CHUNK
            body, more = body + part["body"], part.get("more_body", False)
        await client.wait()
        return start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, body

    return ask


async def test_it_answers_with_a_file(asked: Asked) -> None:
    status, headers, body = await asked("/static/css/a.css")
    assert (status, body) == (200, STYLE)
    assert headers["content-type"].startswith("text/css")
    assert headers["x-content-type-options"] == "nosniff"


async def test_it_answers_compressed_who_can_take_it(asked: Asked) -> None:
    status, headers, body = await asked("/static/css/a.css", accept_encoding="br, gzip")
    assert (status, headers["content-encoding"], gzip.decompress(body)) == (200, "gzip", STYLE)
    assert int(headers["content-length"]) == len(body)


async def test_it_sends_a_large_file_in_parts(asked: Asked) -> None:
    assert (await asked("/static/big.bin"))[2] == BIG
    status, headers, body = await asked("/static/big.bin", range="bytes=5-9")
    assert (status, headers["content-length"], body) == (206, "5", BIG[5:10])


async def test_it_says_that_a_file_is_as_it_was(asked: Asked) -> None:
    headers = (await asked("/static/css/a.css"))[1]
    status, _, body = await asked("/static/css/a.css", if_none_match=headers["etag"])
    assert (status, body) == (304, b"")


@pytest.mark.parametrize(
    "nonsense",
    [{"range": "bytes=-,,9"}, {"if_modified_since": "yesterday"}, {"accept_encoding": "\x00;q=9"}],
)
async def test_nonsense_gets_the_file(asked: Asked, nonsense: dict[str, str]) -> None:
    status, _, body = await asked("/static/css/a.css", **nonsense)
    assert (status, body) == (200, STYLE)


async def test_it_sends_no_body_to_who_wants_none(asked: Asked) -> None:
    status, headers, body = await asked("/static/css/a.css", "HEAD")
    assert (status, body, int(headers["content-length"])) == (200, b"", len(STYLE))
    assert (await asked("/static/css/a.css", "POST"))[0] == 405


@pytest.mark.parametrize(
    "path",
    ["/", "/static/", "/static/none.css", "/static/../secret", "/static/css/../../../secret",
     "/static//etc/passwd", "/static/css/a.css/", "/static/\x00"],
)  # fmt: skip
async def test_all_else_is_left_to_django(asked: Asked, path: str) -> None:
    assert (await asked(path))[0] == 418
