"""From an HTTP request to a WebSocket: the checks that hold at every path, what the endpoint there says, and the answer
(RFC 6455, section 4.2)."""

from __future__ import annotations

import asyncio
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import httptools

from hubbub.auth.base import ConnectionInfo
from hubbub.cluster.passes import Origin
from hubbub.errors import ErrorCode
from hubbub.protocols.base import Framing
from hubbub.transports import framing as wire
from hubbub.transports.deflate import negotiate
from hubbub.transports.frames import FrameParser
from hubbub.transports.handshake import HandshakeError, Headers, Upgrade, accept_key, check_upgrade
from hubbub.transports.node import Node
from hubbub.transports.peers import Incoming
from hubbub.transports.splice import Splice

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

Open = Callable[[asyncio.Transport, Framing, FrameParser], asyncio.Protocol]
"""Makes the connection, which owns the socket and the place of its address from then on. The 101 has been written, so
it may write frames, and close at once."""


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """A request for a WebSocket. `address` and `scheme` are the client's, as trusted proxies tell them; `deadline` is
    when it must have said who it is (monotonic)."""

    method: str
    http_version: str
    path: bytes | None
    query: bytes
    headers: Headers
    address: str
    scheme: str
    deadline: float
    forwarded: bool = False  # handed on by another node

    def header(self, name: bytes) -> str | None:
        """The last header of that name, which is given in lower case."""
        found = None
        for each, value in self.headers:
            if each == name:
                found = value
        return found.decode("latin-1") if found is not None else None

    def incoming(self) -> Incoming:
        """The request, to be handed on."""
        target = (self.path or b"/") + (b"?" + self.query if self.query else b"")
        return Incoming(self.method, target, self.headers, Origin(self.address, self.scheme))

    def info(self, protocol: str) -> ConnectionInfo:
        """What is known of the client; the query is left out, for it may hold credentials."""
        return ConnectionInfo(
            address=self.address,
            transport="websocket",
            protocol=protocol,
            origin=self.header(b"origin"),
            user_agent=sys.intern((self.header(b"user-agent") or "")[:256]),
            headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers),
        )


class Refusal(HandshakeError):
    """An endpoint's own refusal: `body` and `headers` as they go out, but for the length and the end."""

    def __init__(self, status: int, body: bytes, headers: Headers = ()) -> None:
        super().__init__(status, "", headers)
        self.body = body


class Endpoint(Protocol):
    """What stands at a path of `Node.upgrades`."""

    @property
    def subprotocols(self) -> Sequence[str] | None:
        """Those that it speaks; the client's order decides, and may name none. None: whichever is asked for first."""

    @property
    def message_bytes(self) -> int:
        """The largest message, in bytes."""

    def judge(self, request: UpgradeRequest, subprotocol: str | None) -> Open | Splice:
        """How to open what has passed all other checks, or what joins it to another node's socket. Raises
        HandshakeError. It may still come to nothing, so nothing changes before `Open` is called."""


class Verdict(NamedTuple):
    """An upgrade that may be."""

    endpoint: Endpoint
    upgrade: Upgrade
    open: Open | Splice


def target(url: bytes) -> tuple[bytes | None, bytes]:
    """The path and query of a request's target; no path if it cannot be read."""
    try:
        parsed = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError:
        return None, b""
    return parsed.path, parsed.query or b""


def find(endpoints: Mapping[bytes, Endpoint], path: bytes | None) -> Endpoint | None:
    """The endpoint at `path`. A place that ends in a slash stands for all below it too."""
    if path is None:
        return None
    for place, endpoint in endpoints.items():
        if path == place or (place.endswith(b"/") and path.startswith(place)):
            return endpoint
    return None


def judge(node: Node, request: UpgradeRequest, admitted: str | None) -> Verdict:
    """Judge `request`. A connection that was `admitted` as that address is counted as `request.address` afterwards.

    Raises HandshakeError; nothing has changed then.
    """
    endpoint = find(node.upgrades, request.path)
    if endpoint is None:
        places = ", ".join(place.decode("latin-1") for place in node.upgrades)
        raise HandshakeError(404, f"WebSockets are at {places}")
    if node.crowded():
        raise HandshakeError(
            503, "too many connections", [(b"Retry-After", b"%d" % math.ceil(node.door.later()))]
        )
    if node.hub.draining:
        raise HandshakeError(503, "the server is shutting down", [(b"Retry-After", b"1")])
    origins = [value.decode("latin-1") for name, value in request.headers if name == b"origin"]
    origin = origins[0] if origins else None
    if len(origins) > 1 or not node.origins.permits(origin, request.scheme, request.header(b"host")):
        node.metrics.errors[int(ErrorCode.ORIGIN_REFUSED)] += 1
        raise HandshakeError(403, "origin not allowed; see server.allowed_origins")
    known = endpoint.subprotocols
    upgrade = check_upgrade(
        request.method,
        request.http_version,
        request.headers,
        _offered(request.headers) if known is None else known,
    )
    verdict = Verdict(endpoint, upgrade, endpoint.judge(request, upgrade.subprotocol))
    if admitted is None or not node.admission.rename(admitted, request.address):
        raise HandshakeError(503, "too many connections", [(b"Retry-After", b"5")])
    return verdict


def accept(node: Node, verdict: Verdict, transport: asyncio.Transport) -> asyncio.Protocol:
    """Answer 101, or have another node answer, and make the connection, which is not yet the transport's protocol."""
    upgrade, config = verdict.upgrade, node.config
    if isinstance(verdict.open, Splice):
        verdict.open.begin(transport)
        return verdict.open
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + accept_key(upgrade.key),
    ]
    if upgrade.subprotocol:
        lines.append(b"Sec-WebSocket-Protocol: " + upgrade.subprotocol.encode())
    framing: Framing = wire.websocket
    inflater = None
    if config.compression.enabled and upgrade.extensions:
        agreed = negotiate(upgrade.extensions, config.compression.level)
        if agreed is not None:
            lines.append(b"Sec-WebSocket-Extensions: " + agreed[0].encode())
            inflater = agreed[1]
            framing = wire.WebSocketDeflate(config.compression.minimum, agreed[1])
    transport.write(b"\r\n".join(lines) + b"\r\n\r\n")
    parser = FrameParser(verdict.endpoint.message_bytes, config.limits.fragments, inflater)
    return verdict.open(transport, framing, parser)


def _offered(headers: Headers) -> list[str]:
    """All subprotocols that could be named in an answer."""
    return [
        name
        for header, value in headers
        if header == b"sec-websocket-protocol"
        for part in value.decode("latin-1").split(",")
        if _TOKEN.fullmatch(name := part.strip(" \t"))
    ]
