"""The listening side: one port, HTTP by uvicorn, WebSockets by us."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import uvicorn

from hubbub.errors import DRAIN
from hubbub.telemetry.logging import get_logger
from hubbub.transports.http_connection import LINGER, HttpConnection
from hubbub.transports.node import Node
from hubbub.transports.websocket import PATH, NativeWebSockets

log = get_logger("hubbub.server")

KEEP_ALIVE = 30
"""Seconds for which an HTTP connection may be idle between requests."""
GRACE = 5.0
"""Seconds that the end of the server waits for answers under way and for peers to close."""


class Listener(uvicorn.Server):
    """uvicorn's server without its signal handling and its own idea of a shutdown's order: `app.py` decides."""

    def __init__(self, node: Node, app: Any, *, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        self._node = node
        self._sock = sock
        node.upgrades[PATH] = NativeWebSockets(node)
        connection: type[asyncio.Protocol] = type("BoundHttpConnection", (HttpConnection,), {"node": node})
        config = uvicorn.Config(
            app,
            http=connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=node.config.server.backlog,
            timeout_keep_alive=KEEP_ALIVE,
        )
        config.load()
        config.ssl = tls
        super().__init__(config)

    async def start(self) -> None:
        """Listen; from here on connections come."""
        loop, config, tls = asyncio.get_running_loop(), self.config, self.config.ssl

        def connection() -> asyncio.Protocol:
            made: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]
                config=config, server_state=self.server_state, app_state={}, _loop=loop
            )
            return made

        await self.on_tick(0)  # the Date header
        server = await loop.create_server(
            connection,
            sock=self._sock,
            ssl=tls,
            backlog=config.backlog,
            # The limit covers the TLS handshake too, which ends before a connection is made.
            ssl_handshake_timeout=max(self._node.config.limits.handshake_timeout, 0.1) if tls else None,
            ssl_shutdown_timeout=LINGER if tls else None,
        )
        self.servers: list[asyncio.base_events.Server] = [server]
        self._ticker = loop.create_task(self.main_loop())

    def stop_accepting(self) -> None:
        for server in self.servers:
            server.close()

    async def close(self) -> None:
        """Close what is open, give answers under way and peers `GRACE` seconds, and cut off what is left."""
        self.stop_accepting()
        self._sock.close()
        self._ticker.cancel()
        state, websockets = self.server_state, self._node.websockets
        for connection in list(state.connections):
            connection.shutdown()
        for websocket in list(websockets):
            websocket.close(DRAIN)
        try:
            async with asyncio.timeout(GRACE):
                while state.connections or state.tasks or websockets:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        except TimeoutError:
            log.warning("cut off at the end", http=len(state.connections), websockets=len(websockets))
        for task in list(state.tasks):
            task.cancel()
        for connection in list(state.connections):
            connection.transport.abort()
        for websocket in list(websockets):
            websocket.cut()
        await asyncio.gather(self._ticker, *state.tasks, return_exceptions=True)


def listen(host: str, port: int, backlog: int) -> socket.socket:
    """A bound and listening socket. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
