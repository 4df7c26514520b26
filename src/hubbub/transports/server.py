"""The listening side: one port, HTTP by uvicorn, WebSockets by us."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import uvicorn

from hubbub.config import Config
from hubbub.errors import DRAIN, ConfigError
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

    def __init__(
        self,
        node: Node,
        app: Any,
        *,
        sock: socket.socket,
        tls: ssl.SSLContext | None,
        inner: socket.socket | None = None,
    ) -> None:
        """`sock` is for clients, and `inner`, which has no TLS, for other nodes: it stays open until the end."""
        self._node = node
        self._sock = sock
        self._inner = inner
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
        if self._inner is not None:
            inner = await loop.create_server(connection, sock=self._inner, backlog=config.backlog)
            self.servers.append(inner)
        self._ticker = loop.create_task(self.main_loop())

    def stop_accepting(self) -> None:
        """No client comes in any more. Other nodes do, with what clients that are still here ask them for."""
        self.servers[0].close()

    async def close(self) -> None:
        """Close what is open, give answers under way and peers `GRACE` seconds, and cut off what is left."""
        for server in self.servers:
            server.close()
        self._sock.close()
        if self._inner is not None:
            self._inner.close()
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


def listen(host: str, port: int, backlog: int, *, shared: bool = False) -> socket.socket:
    """A bound and listening socket; `shared` with other processes that ask for the same (SO_REUSEPORT): the kernel
    spreads connections among them. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def listen_for_nodes(config: Config) -> socket.socket | None:
    """The socket for other nodes alone, if `cluster.listen` wants one. Raises ConfigError."""
    if not config.cluster.listen:
        return None
    host, port = split_address(config.cluster.listen)
    try:
        return listen(host, port, config.server.backlog)
    except OSError as error:
        raise ConfigError(f"cluster.listen: cannot listen on {host}:{port}: {error.strerror}") from error


def node_address(config: Config, sock: socket.socket, inner: socket.socket | None) -> str:
    """The `host:port` at which other nodes reach this one: as `cluster.address` says, else where it listens. Empty if
    that is behind TLS, which nodes do not speak to each other."""
    if inner is None and config.server.tls_certificate is not None and not config.cluster.address:
        return ""
    bound = (inner or sock).getsockname()
    host, port = split_address(config.cluster.address)
    if not host:
        host = _outward(bound[0]) if bound[0] in ("0.0.0.0", "::") else bound[0]
    return f"{f'[{host}]' if ':' in host else host}:{port or bound[1]}"


def split_address(text: str) -> tuple[str, int]:
    """`host:port`, `[host]:port`, or `host` alone, whose port is 0. Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, "0"
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{text!r} is not host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _outward(wildcard: str) -> str:
    """This machine's address towards the network. Nothing is sent to find out."""
    version, far = (socket.AF_INET6, "2001:db8::1") if ":" in wildcard else (socket.AF_INET, "192.0.2.1")
    with socket.socket(version, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((far, 9))
        except OSError:
            return "::1" if version is socket.AF_INET6 else "127.0.0.1"
        found: str = probe.getsockname()[0]
        return found
