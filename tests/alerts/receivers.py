"""Real receivers on loopback: an SMTP server, and an HTTP server that can misbehave."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller


class Mailbox:
    """An SMTP server and what it took in. `answer`: what it says to a message."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.answer = "250 OK"
        self.delay = 0.0
        """Seconds between taking a message and saying so."""
        # aiosmtpd's own check connects to the port it was asked for: find a free one first.
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if self.answer.startswith("250"):
            self.messages.append(envelope.content)
        await asyncio.sleep(self.delay)
        return self.answer


class Receiver:
    """An HTTP server: `mode` says how it behaves, `requests` what it got."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.mode = "ok"
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append((self.path, headers, body))
                getattr(self, f"be_{receiver.mode}")()

            do_GET = do_POST  # noqa: N815

            def be_ok(self):
                self.answer(200, b"thanks")

            def be_failing(self):
                self.answer(500, b"out of order")

            def be_gone(self):
                self.answer(410, b"")

            def be_redirecting(self):
                self.send_response(302)
                self.send_header("location", f"http://127.0.0.1:{receiver.port}/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def be_hanging(self):
                time.sleep(3)

            def be_dripping(self):
                self.send_response(200)
                self.send_header("content-length", "1000")
                self.end_headers()
                for _ in range(30):
                    self.wfile.write(b".")
                    self.wfile.flush()
                    time.sleep(0.1)

            def be_flooding(self):
                self.send_response(200)
                self.end_headers()
                for _ in range(1000):
                    self.wfile.write(b"x" * 65536)

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # a client that hangs up is part of the test

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()
