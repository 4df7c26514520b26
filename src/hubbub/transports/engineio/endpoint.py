"""The engine: all sessions of this node, who may open one and who may go on with one."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from dataclasses import replace

from hubbub.errors import DRAIN, ErrorCode, HubbubError
from hubbub.protocols import engineio
from hubbub.protocols.base import Framing
from hubbub.socketio.link import Accept
from hubbub.transports.direct import Request
from hubbub.transports.engineio.pages import FOREIGN, Pages, preflight
from hubbub.transports.engineio.polling import Polling
from hubbub.transports.engineio.requests import (
    BAD_METHOD,
    BAD_REQUEST,
    FORBIDDEN,
    GONE_UPGRADE,
    POLL,
    TOO_LARGE,
    UNKNOWN,
    UNKNOWN_SID,
    UNKNOWN_TRANSPORT,
    UNSUPPORTED_VERSION,
    Query,
    Refused,
    parse_query,
    refusal,
)
from hubbub.transports.engineio.session import PROTOCOL, Owner, Session, owner
from hubbub.transports.engineio.websocket import EngineWebSocket
from hubbub.transports.frames import FrameParser
from hubbub.transports.node import Node
from hubbub.transports.splice import Splice
from hubbub.transports.streams import check_room
from hubbub.transports.upgrade import Open, Refusal, UpgradeRequest

VERSION = "4"
LEFT = 1_000
"""Sessions whose clients have left, of which the last are remembered where there are several nodes."""


class EngineIo:
    """What stands at `config.socketio.path`, for WebSockets (`Node.upgrades`) and for other requests
    (`Node.direct`)."""

    subprotocols = None

    def __init__(self, node: Node, accept: Accept) -> None:
        config = node.config.socketio
        self.node = node
        self.accept = accept
        self.sessions: dict[str, Session] = {}
        self.message_bytes = self.body_bytes = node.config.limits.packet_bytes
        self.transports = frozenset(config.transports)
        self._left: OrderedDict[str, None] = OrderedDict()
        self._pages = Pages(node.origins)
        self.upgrades = ("websocket",) if config.upgrades and "websocket" in self.transports else ()

    def verify(self, query: Query, method: str, sender: Owner, *, upgrade: bool) -> Session | None:
        """Whose request it is; None for one that opens a session. Raises Refused, with the first fault in the
        reference's order."""
        transport = query.get("transport")
        if transport not in self.transports:
            raise Refused(UNKNOWN_TRANSPORT)
        sid = query.get("sid")
        if sid:
            session = self.sessions.get(sid)
            if session is None or not session.belongs_to(sender):
                raise Refused(UNKNOWN_SID)
            if not upgrade and (session.transport != transport or transport != "polling"):
                raise Refused(BAD_REQUEST)
            if query.get("EIO") != VERSION:
                raise Refused(BAD_REQUEST)
            return session
        if method != "GET":
            raise Refused(BAD_METHOD)
        if upgrade is not (transport == "websocket"):
            raise Refused(BAD_REQUEST)
        if query.get("EIO") != VERSION:
            raise Refused(UNSUPPORTED_VERSION)
        return None

    def _check_room(self) -> None:
        """Raises Refused if no further session can be taken in."""
        limits, metrics = self.node.config.limits, self.node.metrics
        try:
            check_room(self.node)
        except HubbubError as error:
            raise _full(error) from None
        if len(self.sessions) >= limits.connections:
            metrics.rejected["connections"] += 1
            raise Refused(FORBIDDEN, "too many connections", status=503, retry_after=5)
        self.let_in()

    def let_in(self) -> None:
        """Let a session in at the door. Raises Refused."""
        try:
            self.node.door.enter()
        except HubbubError as error:
            raise _full(error) from None

    # --- long-polling -------------------------------------------------------------------------------------

    def begin(self, request: Request) -> None:
        extra = self._pages.headers(request)
        request.extra = FOREIGN if extra is None else extra
        if extra is not None and (answer := preflight(request)) is not None:
            request.respond(answer)
            return
        try:
            if extra is None:
                self.node.metrics.errors[int(ErrorCode.ORIGIN_REFUSED)] += 1
                raise Refused(FORBIDDEN, status=403)
            sender = owner(request.header(b"origin"), request.header(b"authorization"))
            session = self.verify(parse_query(request.query), request.method, sender, upgrade=False)
            polling = self._open(request, sender) if session is None else session.carrier
        except Refused as refused:
            if refused.code != UNKNOWN_SID or not self._forward(request):
                request.respond(refusal(refused), refused.body)
            return
        assert isinstance(polling, Polling)
        polling.take(request)

    def has_left(self, sid: str) -> None:
        """The client of a session has left, and may be polling still."""
        self._left[sid] = None
        if len(self._left) > LEFT:
            self._left.popitem(last=False)

    def _forward(self, request: Request) -> bool:
        """Have the node answer that has the session; False if there is none. Should that one be gone by then, the
        client is told what it is told of all sessions that are gone."""
        forwarder = self.node.forwarder
        if forwarder is None:
            return False
        sid = parse_query(request.query).get("sid", "")
        if request.method == "GET" and sid in self._left:
            del self._left[sid]
            request.respond(POLL, engineio.NOOP)  # as if it had waited
            return True
        if request.forwarded:
            return False
        node = forwarder.peer(sid)
        if node is not None:
            forwarder.take(request, node, (refusal(UNKNOWN), UNKNOWN.body), TOO_LARGE)
        return node is not None

    def _open(self, request: Request, sender: Owner) -> Polling:
        """A session whose opening packet waits for the poll. Raises Refused."""
        self._check_room()
        info = request.info("polling", PROTOCOL)
        try:
            address = request.admit()
        except HubbubError as error:
            raise _full(error) from None
        session = Session(self, info, sender, address)
        polling = Polling(self.node, session)
        session.open(polling, engineio.poll)
        return polling

    # --- WebSockets ---------------------------------------------------------------------------------------

    def judge(self, request: UpgradeRequest, subprotocol: str | None) -> Open | Splice:
        sender = owner(_bytes(request.header(b"origin")), _bytes(request.header(b"authorization")))
        query = parse_query(request.query)
        try:
            session = self.verify(query, request.method, sender, upgrade=True)
            if session is None:
                self.let_in()
        except Refused as refused:
            if refused.code == UNKNOWN_SID and (splice := self._splice(request, query)) is not None:
                return splice
            headers = [(b"Content-type", b"text/html")]
            if refused.retry_after:
                headers.append((b"Retry-After", b"%d" % refused.retry_after))
            raise Refusal(refused.status, refused.message.encode(), headers) from None

        def connect(transport: asyncio.Transport, framing: Framing, parser: FrameParser) -> EngineWebSocket:
            return EngineWebSocket(self.node, transport, framing, parser, address=request.address)

        def opening(transport: asyncio.Transport, framing: Framing, parser: FrameParser) -> EngineWebSocket:
            info = replace(request.info(PROTOCOL), query=request.query.decode("latin-1"))
            socket = connect(transport, framing, parser)
            socket.open(Session(self, info, sender))
            return socket

        if session is None:
            return opening
        known = session

        def upgrading(transport: asyncio.Transport, framing: Framing, parser: FrameParser) -> EngineWebSocket:
            socket = connect(transport, framing, parser)
            socket.attempt(known)
            return socket

        return upgrading

    def _splice(self, request: UpgradeRequest, query: Query) -> Splice | None:
        """Have the node answer that has the session (decision 13); None if there is none."""
        forwarder = self.node.forwarder
        if forwarder is None or request.forwarded or (node := forwarder.peer(query.get("sid", ""))) is None:
            return None
        return forwarder.splice(request, node, GONE_UPGRADE)

    # --- the end ------------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """End all sessions; clients come back by themselves."""
        for session in list(self.sessions.values()):
            session.close(DRAIN)
            session.carrier.drop()


def _full(error: HubbubError) -> Refused:
    return Refused(
        FORBIDDEN, error.message, status=error.info.status, retry_after=math.ceil(error.retry_after or 1)
    )


def _bytes(value: str | None) -> bytes | None:
    return value.encode("latin-1") if value is not None else None
