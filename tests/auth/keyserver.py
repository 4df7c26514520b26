"""A real HTTP server on a free port of loopback, which serves a key set and misbehaves on request."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class KeyServer:
    """Serves what `serve` was last given."""

    def __init__(self) -> None:
        self.requests = 0
        self._answer: dict[str, Any] = {}
        self._released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._respond(self)

            def log_message(self, format: str, *args: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/keys"

    def serve(
        self,
        body: bytes = b"",
        *,
        status: int = 200,
        redirect: str = "",
        drop: bool = False,
        hang: bool = False,
        drip: str = "",
    ) -> None:
        """Answer like this from now on. `redirect` is for `/keys`; other paths give the body.

        `drip` is the beginning of an answer, which then goes on byte by byte until `release`.
        """
        self._answer = {
            "body": body,
            "status": status,
            "redirect": redirect,
            "drop": drop,
            "hang": hang,
            "drip": drip,
        }

    def release(self) -> None:
        """Let answers that hang go on."""
        self._released.set()

    def stop(self) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _respond(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests += 1
        answer = dict(self._answer)
        if answer["hang"]:
            self._released.wait(10)
        if answer["drip"]:
            handler.close_connection = True
            with contextlib.suppress(OSError):
                handler.wfile.write(answer["drip"].encode())
                while not self._released.wait(0.02):
                    handler.wfile.write(b"x")
            return
        if answer["drop"]:
            handler.close_connection = True
            return
        if answer["redirect"] and handler.path == "/keys":
            handler.send_response(302)
            handler.send_header("Location", answer["redirect"])
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        try:
            handler.send_response(answer["status"])
            handler.send_header("Content-Type", "application/jwk-set+json")
            handler.send_header("Content-Length", str(len(answer["body"])))
            handler.end_headers()
            handler.wfile.write(answer["body"])
        except OSError:
            handler.close_connection = True
