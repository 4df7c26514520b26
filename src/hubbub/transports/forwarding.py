"""Requests of sessions that another node has: handed on to it, and its answers handed back as they come.

So no client needs to come to the same node twice. A request that was handed on is never handed on again: who does not
have its session says so, and where it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from typing import TYPE_CHECKING

from hubbub.cluster.claims import Claims
from hubbub.cluster.nodes import Nodes
from hubbub.cluster.passes import HEADER, Origin, Passes
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.session import is_id, node_of
from hubbub.state.base import NodeInfo
from hubbub.transports.direct import NO_LINES, Answer, Request
from hubbub.transports.http import FORWARDED, Exchange, Scope
from hubbub.transports.isolation import Isolation
from hubbub.transports.node import Node
from hubbub.transports.peers import Head, Incoming, Link, Peers, end_to_end, of_scope, request_head
from hubbub.transports.splice import Splice

if TYPE_CHECKING:
    from hubbub.transports.upgrade import UpgradeRequest

ELSEWHERE = b"hubbub-node"
"""With an answer that a session is gone: the node to which it has gone."""
HOLDS = b"hubbub-lease"
"""And whether the lease holds of the node that says so: `1`, or `0`."""
NOBODY = Incoming("GET", b"/v1/sessions/nobody/events", (), Origin("", "http"))
CORS = (b"access-control-", b"vary")
"""What this node says itself of its answers to pages."""
GONE = 410
HOPS = 3
RETRY = 1.0


class Forwarder:
    """`node.forwarder`, where there are other nodes."""

    def __init__(self, node: Node, nodes: Nodes, claims: Claims, passes: Passes, peers: Peers) -> None:
        self._node = node
        self._nodes = nodes
        self._claims = claims
        self._passes = passes
        self._peers = peers
        self._isolation = Isolation(nodes, self._holds, node.hub.clock)
        nodes.beaten.append(self._beaten)
        nodes.left.append(lambda info: peers.cut(info.address))
        node.forwarder = self

    def _beaten(self) -> None:
        self._peers.start()
        self._node.hub.spawn(self._passes.refresh())
        self._node.admission.exempt = {
            host for each in self._nodes.others.values() if (host := _literal(each.address)) is not None
        }

    def stop(self) -> None:
        self._peers.stop()

    # --- what comes from other nodes ------------------------------------------------------------------------

    def read(self, value: bytes, method: str, target: bytes) -> Origin | None:
        """Whose a request with this header is; None if no other node has sent it."""
        return self._passes.read(value, method, target)

    def unwrap(self, scope: Scope) -> bool:
        """Take the client's address from a request that came by ASGI and that another node has handed on. False if it
        says so, and it is not true."""
        for pair in scope["headers"]:
            if pair[0].lower() == HEADER:
                incoming = of_scope(scope)
                origin = self.read(pair[1], incoming.method, incoming.target)
                if origin is None:
                    return False
                scope["headers"] = [each for each in scope["headers"] if each is not pair]
                scope["client"], scope["scheme"] = (origin.address, 0), origin.scheme
                scope[FORWARDED] = True
                break
        return True

    def moved(self, id: str) -> bool:
        """Whether another node has the session, or had it last."""
        return self._claims.node(id) != self._nodes.id

    def elsewhere(self, id: str) -> list[tuple[bytes, bytes]]:
        """What is told to another node of a session that is not here (any more)."""
        node = self._claims.node(id)
        where = ELSEWHERE, node.encode() if node != self._nodes.id else b""
        return [where, (HOLDS, b"%d" % self._nodes.sure)]

    async def check(self) -> None:
        """To be called before a session that goes on by single requests is served here. Raises NODE_UNAVAILABLE if this
        node is cut off from the others, who may have taken the session; when it is back, it ends what they have."""
        if self._isolation.suspected:
            if await self._isolation.certain():
                raise HubbubError(
                    ErrorCode.NODE_UNAVAILABLE, "this node is cut off from the others", retry_after=RETRY
                )
        elif self._claims.doubtful:
            with contextlib.suppress(HubbubError):  # away again, and for all: nobody takes anything
                await self._claims.confirm()

    async def _holds(self, node: NodeInfo) -> bool:
        """Whether the lease of that node holds: it says so when it is asked for a session that nobody has."""
        head = self.head(node, NOBODY, None)
        link, answer = await self._ask(node, "GET", head, b"")
        again = False
        try:
            async for _ in link.body(answer):
                pass
            again = answer.kept
        finally:
            self._peers.release(node.address, link, again=again)
        return answer.header(HOLDS) == b"1"

    # --- where to -------------------------------------------------------------------------------------------

    def peer(self, sid: str) -> NodeInfo | None:
        """The node that has this Engine.IO session, if it is another one that lives."""
        found = self._nodes.others.get(node_of(sid))
        return found if found is not None and found.address else None

    def head(self, to: NodeInfo, request: Incoming, length: int | None, *keep: tuple[bytes, bytes]) -> bytes:
        """A request's head as that node gets it, with `keep` of the headers that are about a connection. Raises
        NODE_UNAVAILABLE."""
        if not to.address or not self._passes.ready:
            raise HubbubError(ErrorCode.NODE_UNAVAILABLE, retry_after=1.0)
        value = self._passes.write(to.id, request.origin, request.method, request.target)
        headers = [*end_to_end(request.headers, (HEADER,)), *keep, (HEADER, value)]
        return request_head(request.method, request.target, headers, length)

    # --- requests over ASGI ---------------------------------------------------------------------------------

    async def answer(self, exchange: Exchange, session: str, body_bytes: int, patience: float) -> None:
        """Have the node answer that has the session. Raises SESSION_GONE if it is nowhere, NODE_UNAVAILABLE if its
        node cannot be reached."""
        if not is_id(session):
            raise HubbubError(ErrorCode.SESSION_GONE)
        body = await exchange.body(body_bytes, patience) if exchange.method == "POST" else b""
        node, asked = self._claims.node(session), {self._nodes.id}
        for _ in range(HOPS):
            if node in asked or node not in self._nodes.others:
                node = await self._claims.look_up(session)
            if node in asked or node not in self._nodes.others:
                break
            asked.add(node)
            elsewhere = await self._relay(exchange, self._nodes.others[node], body)
            if elsewhere is None:
                self._claims.learn(session, node)
                return
            node = elsewhere
        raise HubbubError(ErrorCode.SESSION_GONE)

    async def _relay(self, exchange: Exchange, node: NodeInfo, body: bytes) -> str | None:
        """Hand the request on and the answer back. None when that is done; if the session is not there (any more), the
        node that may have it, or ""."""
        work = asyncio.ensure_future(self._exchange(exchange, node, body))
        leaving = asyncio.ensure_future(exchange.gone())
        try:
            await asyncio.wait((work, leaving), return_when=asyncio.FIRST_COMPLETED)
            return work.result() if work.done() else None
        finally:
            for task in (work, leaving):
                task.cancel()
            await asyncio.gather(work, leaving, return_exceptions=True)

    async def _exchange(self, exchange: Exchange, node: NodeInfo, body: bytes) -> str | None:
        incoming = of_scope(exchange.scope)
        head = self.head(node, incoming, len(body) if incoming.method == "POST" else None)
        again = False
        link, answer = await self._ask(node, incoming.method, head, body)
        try:
            elsewhere = answer.header(ELSEWHERE)
            if elsewhere is not None and answer.status == GONE:
                return elsewhere.decode("latin-1")
            length = [] if answer.length is None else [(b"content-length", b"%d" % answer.length)]
            headers = end_to_end(answer.headers, CORS)
            await exchange.start(answer.status, headers if answer.status == 204 else [*headers, *length])
            async for piece in link.body(answer):
                async with asyncio.timeout(self._node.config.limits.write_timeout):
                    await exchange.write(piece)
            await exchange.write(b"", more=False)
            again = answer.kept
        except (ConnectionError, TimeoutError):
            if not exchange.started:
                raise
            if (socket := exchange.socket) is not None:
                socket.abort()  # the client must not take what it has for the whole
        finally:
            self._peers.release(node.address, link, again=again)
        return None

    async def _ask(self, node: NodeInfo, method: str, head: bytes, body: bytes) -> tuple[Link, Head]:
        """Send the request and wait for the begin of the answer, as long as the node lives. Raises NODE_UNAVAILABLE if
        it cannot be reached or ends meanwhile."""
        fresh = False
        while True:
            link = None
            try:
                link = await self._peers.link(node.address, fresh=fresh)
                return link, await link.ask(method, head, body)
            except (OSError, TimeoutError):
                if link is not None:
                    self._peers.release(node.address, link, again=False)
                if link is None or link.fresh or method != "GET":
                    raise HubbubError(ErrorCode.NODE_UNAVAILABLE, retry_after=1.0) from None
                fresh = True  # the other side has closed it just now
            except BaseException:
                if link is not None:
                    self._peers.release(node.address, link, again=False)
                raise

    # --- requests that are answered by calls ----------------------------------------------------------------

    def take(
        self, request: Request, node: NodeInfo, refused: tuple[Answer, bytes], too_large: Answer
    ) -> None:
        """Answer a request of an Engine.IO session that `node` has. It is answered by `refused` if the node cannot be
        reached, by `too_large` if its body is."""
        request.extra = NO_LINES
        waiting = _Forwarded(self, node, refused, too_large)
        request.reader = waiting
        if request.method == "GET":
            waiting.read(request, b"")

    async def fetch(self, request: Request, node: NodeInfo, body: bytes) -> tuple[Answer, bytes]:
        """The whole answer. Raises NODE_UNAVAILABLE, and ConnectionError if only a part of it came."""
        incoming = request.incoming()
        head = self.head(node, incoming, None if incoming.method == "GET" else len(body))
        again = False
        link, answer = await self._ask(node, incoming.method, head, body)
        try:
            whole = b"".join([piece async for piece in link.body(answer)])
            again = answer.kept
        finally:
            self._peers.release(node.address, link, again=again)
        return Answer(answer.status, *end_to_end(answer.headers)), whole

    # --- WebSockets -----------------------------------------------------------------------------------------

    def splice(self, request: UpgradeRequest, node: NodeInfo, refused: bytes) -> Splice:
        """What takes the socket of an upgrade that `node` is to answer; see `Splice`."""
        keep = [
            (name, value) for name, value in request.headers if name.lower() in (b"connection", b"upgrade")
        ]
        head = self.head(node, request.incoming(), None, *keep)
        return Splice(self._node, node.address, self._peers, head, refused, request.address)


class _Forwarded:
    """A `direct.Reader` of one request."""

    def __init__(
        self, forwarder: Forwarder, node: NodeInfo, refused: tuple[Answer, bytes], too_large: Answer
    ) -> None:
        self._forwarder = forwarder
        self._node = node
        self._refused = refused
        self._too_large = too_large
        self._task: asyncio.Task[None] | None = None

    def read(self, request: Request, body: bytes) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(request, body))

    async def _run(self, request: Request, body: bytes) -> None:
        try:
            answer, whole = await self._forwarder.fetch(request, self._node, body)
        except HubbubError:
            request.respond(*self._refused)
        except ConnectionError:
            request.abort()  # as the other has done
        else:
            request.respond(answer, whole)

    def oversized(self, request: Request) -> None:
        request.reader = None
        request.respond(self._too_large)

    def lost(self, request: Request) -> None:
        if self._task is not None:
            self._task.cancel()


def _literal(address: str) -> str | None:
    """The host of `host:port` if it is an IP address."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return None
    return host
