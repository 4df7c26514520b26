"""A real server on a free port of loopback, for tests that want real sockets."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from hubbub.app import Hubbub, _tls
from hubbub.auth import tokens
from hubbub.auth.base import Policy
from hubbub.clock import Clock
from hubbub.config import Config, development
from hubbub.transports.server import Listener, listen

TTL = 600.0


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that listens. `url` is its root without a slash at the end (`http://127.0.0.1:40000`)."""

    app: Hubbub
    host: str
    port: int

    @property
    def _s(self) -> str:
        return "s" if self.app.config.server.tls_certificate is not None else ""

    @property
    def url(self) -> str:
        return f"http{self._s}://{self.host}:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws{self._s}://{self.host}:{self.port}/v1/ws"

    def token(self, user: str = "ada", **claims: Any) -> str:
        """A token that this server accepts, good for ten minutes. `claims` as for `hubbub.auth.tokens.mint`."""
        secret = self.app.config.auth.hmac_secret
        assert secret is not None
        return tokens.mint(secret.get_secret_value(), user, now=self.app.clock.now(), **{"ttl": TTL} | claims)


@contextlib.asynccontextmanager
async def running_server(
    config: Config | None = None,
    *,
    app: Hubbub | None = None,
    policy: Policy | None = None,
    clock: Clock | None = None,
    **sections: Any,
) -> AsyncIterator[RunningServer]:
    """Start a server in this event loop, on a port that the kernel picks, and stop it at the end.

    `sections` are the parts of a Config that differ (`limits={"queue_bytes": 4096}`); the rest is as with `--dev`:
    channels are open to whoever has a token, keep a log of 100 and presence. Give `config` to have exactly that one,
    or `app` for a Hubbub with handlers.
    """
    if app is None:
        if config is None:
            config = development(Config(**sections), secrets.token_urlsafe(32))
        app = Hubbub(config, policy=policy, clock=clock)
    server = app.config.server
    sock = listen(server.host, 0, 128)
    host, port = sock.getsockname()[:2]
    await app.start()
    listener = Listener(app.node, app.asgi, sock=sock, tls=_tls(server.tls_certificate, server.tls_key))
    await listener.start()
    try:
        yield RunningServer(app, host, port)
    finally:
        await app.asgi.close()
        await listener.close()
        await app.stop()
