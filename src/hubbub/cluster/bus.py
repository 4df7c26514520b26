"""What nodes say to each other: typed messages and questions, over reserved channels of the broker.

Everybody hears `nodes:##`, each node its own `node:##<id>`; no client can say such a name. A message is a msgspec
struct in MessagePack; a large one goes in parts. What is lost on the way is not sent again: who must know, asks.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from hubbub.clock import Clock
from hubbub.cluster.nodes import Nodes
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.hub import Hub
from hubbub.model import Envelope, Publication, Raw
from hubbub.state.base import NodeInfo
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.cluster")

EVERYBODY = "nodes:##"
PART = 256 * 1024
"""Bytes of a message that go at once: every broker carries so many."""
PARTS = 256
HOPE = 2.0
"""Seconds for which a broker that is not heard is tried nevertheless: one that has just been started, above all."""
DOUBT = 5.0
"""Seconds for which a node that did not answer is doubted, unless it is heard of."""
LITTLE = 0.25
"""Seconds that a node has to answer what all are asked while it is doubted, so that one that has died does not hold up
everything."""
NULL = Raw(b"null")

Q = TypeVar("Q")
A = TypeVar("A")
Op = Literal["tell", "ask", "answer", "refuse"]


class Request(Generic[Q, A]):
    """A kind of message: its name between nodes, what it says and what is answered (`type(None)`: nothing).

    Nodes of two versions may meet: give fields of later versions defaults, and a changed meaning another name.
    """

    __slots__ = ("answers", "asks", "name")

    def __init__(self, name: str, asks: type[Q], answers: type[A]) -> None:
        self.name = name
        self.asks: msgspec.msgpack.Decoder[Q] = msgspec.msgpack.Decoder(asks)
        self.answers: msgspec.msgpack.Decoder[A] = msgspec.msgpack.Decoder(answers)


class Replies(NamedTuple, Generic[A]):
    """What the nodes have answered, by their ids, and the ids of those who have not."""

    answers: dict[str, A]
    missing: tuple[str, ...]


class Found(NamedTuple, Generic[A]):
    """The node that has what was asked for, and its answer; or who did not answer and may have it."""

    node: str
    answer: A | None
    missing: tuple[str, ...]


class _Frame(Struct, frozen=True, array_like=True):
    """One part of a message. `number` is the sender's; an answer has its question's."""

    op: Op
    sender: str
    number: int
    kind: str
    body: bytes
    part: int = 0
    parts: int = 1


class _Refusal(Struct, frozen=True, array_like=True):
    code: int
    message: str
    field: str | None = None
    retry_after: float | None = None


class _Waiting:
    """A question whose answers are being collected."""

    __slots__ = ("answers", "asked", "decoder", "done", "expected", "refusals")

    def __init__(self, expected: set[str], decoder: msgspec.msgpack.Decoder[Any]) -> None:
        self.asked = len(expected)
        self.expected = expected
        self.decoder = decoder
        self.answers: dict[str, Any] = {}
        self.refusals: dict[str, HubbubError] = {}
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle(self, node: str) -> None:
        self.expected.discard(node)
        if not self.expected and not self.done.done():
            self.done.set_result(None)


Handler = Callable[[str, Any], Any]

_ENCODE = msgspec.msgpack.Encoder()
_FRAME = msgspec.msgpack.Decoder(_Frame)
_REFUSAL = msgspec.msgpack.Decoder(_Refusal)


class Bus:
    """This node's end. To be made before the hub starts, which lets it hear."""

    def __init__(self, hub: Hub, nodes: Nodes, clock: Clock, timeout: float) -> None:
        """`timeout`: seconds in which a node must answer."""
        self.id = nodes.id
        self._hub = hub
        self._nodes = nodes
        self._clock = clock
        self._timeout = timeout
        self._numbers = itertools.count(1)
        self._handlers: dict[str, tuple[Request[Any, Any], Handler]] = {}
        self._waiting: dict[int, _Waiting] = {}
        self._parts: dict[tuple[str, Op, int], tuple[float, list[bytes]]] = {}
        self._doubted: dict[str, float] = {}
        self._stopped = False
        hub.listeners[EVERYBODY] = self._heard
        hub.listeners[_channel(self.id)] = self._heard
        nodes.left.append(self._left)

    def on(self, request: Request[Q, A], handler: Callable[[str, Q], A | Awaitable[A]]) -> None:
        """Register what answers `request`: `handler(node, message)`. It is called at once and in order for each sender;
        what it awaits goes on beside the next. A HubbubError is raised again where it was asked."""
        if request.name in self._handlers:
            raise ValueError(f"there is a handler of {request.name} already")
        self._handlers[request.name] = request, handler

    async def tell(self, node: str, request: Request[Q, Any], message: Q) -> bool:
        """Send to one node, which may hear it. False if the broker is known to carry nothing now."""
        return await self._send(_channel(node), "tell", next(self._numbers), request.name, message)

    async def tell_all(self, request: Request[Q, Any], message: Q) -> bool:
        """Send to all other nodes, which may hear it."""
        if not self._nodes.others:
            return True
        return await self._send(EVERYBODY, "tell", next(self._numbers), request.name, message)

    async def ask(self, node: str, request: Request[Q, A], message: Q, within: float | None = None) -> A:
        """What that node answers. Raises NODE_UNAVAILABLE if it does not `within` seconds, or is known to be gone; what
        its handler raises."""
        if node not in self._nodes.others:
            await self._nodes.look()  # it may be new
            if node not in self._nodes.others:
                raise HubbubError(ErrorCode.NODE_UNAVAILABLE, "the node that has it is gone")
        waiting = _Waiting({node}, request.answers)
        await self._collect(_channel(node), request.name, message, waiting, within)
        if node in waiting.refusals:
            raise waiting.refusals[node]
        if node not in waiting.answers:
            raise HubbubError(ErrorCode.NODE_UNAVAILABLE)
        answer: A = waiting.answers[node]
        return answer

    async def ask_all(self, request: Request[Q, A], message: Q, within: float | None = None) -> Replies[A]:
        """What all other nodes answer `within` seconds. Who refuses is among those who have not answered."""
        others = set(self._nodes.others)
        if not others:
            return Replies({}, ())
        waiting = _Waiting(set(others), request.answers)
        await self._collect(EVERYBODY, request.name, message, waiting, within)
        for node, error in waiting.refusals.items():
            log.warning("node refused", node=node, request=request.name, error=error.message)
        return Replies(waiting.answers, tuple(sorted(others - waiting.answers.keys())))

    async def ask_whoever(
        self, likely: str, request: Request[Q, A], message: Q, has: Callable[[A], bool]
    ) -> Found[A]:
        """Ask for what one node has: most likely `likely`, which need be no node, else any."""
        missing: tuple[str, ...] = ()
        if likely in self._nodes.others:
            try:
                answer = await self.ask(likely, request, message)
                if has(answer):
                    return Found(likely, answer, ())
            except HubbubError as error:
                if error.code != ErrorCode.NODE_UNAVAILABLE:
                    raise
                missing = (likely,)
        replies = await self.ask_all(request, message)
        for node, answer in replies.answers.items():
            if has(answer):
                return Found(node, answer, ())
        return Found("", None, replies.missing or missing)

    def start(self) -> None:
        """After a stop: speak again."""
        self._stopped = False

    def stop(self) -> None:
        """Nobody will be answered any more, nor hear an answer."""
        self._stopped = True
        for waiting in self._waiting.values():
            if not waiting.done.done():
                waiting.done.set_result(None)
        self._parts.clear()

    # --- sending ------------------------------------------------------------------------------------------

    async def _collect(
        self, channel: str, kind: str, message: Any, waiting: _Waiting, within: float | None
    ) -> None:
        number = next(self._numbers)
        self._waiting[number] = waiting
        within = self._timeout if within is None else within
        timers = [self._clock.call_later(within, lambda: self._late(waiting, waiting.expected))]
        now = self._clock.monotonic()
        doubted = {node for node in waiting.expected if self._doubted.get(node, now) > now}
        if doubted and channel is EVERYBODY and within > LITTLE:
            timers.append(self._clock.call_later(LITTLE, lambda: self._late(waiting, doubted)))
        try:
            if await self._send(channel, "ask", number, kind, message):
                await waiting.done
        finally:
            for timer in timers:
                timer.cancel()
            del self._waiting[number]
            counts = self._hub.metrics.node_questions
            counts["answered"] += len(waiting.answers)
            counts["refused"] += len(waiting.refusals)
            counts["unanswered"] += waiting.asked - len(waiting.answers) - len(waiting.refusals)

    def _late(self, waiting: _Waiting, nodes: set[str]) -> None:
        """These have not answered in time."""
        until = self._clock.monotonic() + DOUBT
        for node in nodes & waiting.expected:
            self._doubted[node] = until
            waiting.settle(node)

    async def _send(self, channel: str, op: Op, number: int, kind: str, message: Any) -> bool:
        broker = self._hub.broker
        condition = broker.condition
        if self._stopped or not (condition.up or self._clock.monotonic() - condition.since < HOPE):
            return False
        body = _ENCODE.encode(message)
        parts = max(1, -(-len(body) // PART))
        if parts > PARTS:
            raise HubbubError(
                ErrorCode.MESSAGE_TOO_LARGE, f"more than {PART * PARTS} bytes for another node: {kind}"
            )
        try:
            for part in range(parts):
                piece = body[part * PART : (part + 1) * PART]
                frame = _ENCODE.encode(_Frame(op, self.id, number, kind, piece, part, parts))
                await broker.publish(Envelope(Publication(channel, op, NULL, attachments=(frame,))))
        except HubbubError as error:
            log.warning("the other nodes cannot be reached", error=error.message)
            return False
        return True

    # --- hearing ------------------------------------------------------------------------------------------

    def _heard(self, envelope: Envelope) -> None:
        """The hub's listener."""
        push = envelope.push
        if not isinstance(push, Publication) or not push.attachments:
            return
        try:
            frame = _FRAME.decode(push.attachments[0])
            if frame.sender == self.id:
                return
            self._doubted.pop(frame.sender, None)
            body = frame.body if frame.parts == 1 else self._joined(frame)
            if body is None:
                return
            if frame.op == "ask" or frame.op == "tell":
                self._handle(frame, body)
            else:
                self._answered(frame, body)
        except (msgspec.MsgspecError, ValueError) as error:
            log.error("a message of another node cannot be read", error=str(error))

    def _joined(self, frame: _Frame) -> bytes | None:
        """The whole message, if this was its last part; one of which a part is lost is forgotten."""
        now = self._clock.monotonic()
        for old in [key for key, (until, _) in self._parts.items() if until <= now]:
            del self._parts[old]
        key = frame.sender, frame.op, frame.number
        _, pieces = self._parts.setdefault(key, (now + self._timeout, []))
        if frame.part != len(pieces):
            self._parts.pop(key)
            return None
        pieces.append(frame.body)
        if len(pieces) < frame.parts:
            return None
        del self._parts[key]
        return b"".join(pieces)

    def _handle(self, frame: _Frame, body: bytes) -> None:
        wanted = frame.op == "ask"
        found = self._handlers.get(frame.kind)
        if found is None:
            if wanted:
                error = HubbubError(ErrorCode.NOT_AVAILABLE, f"this node does not know {frame.kind}")
                self._refuse(frame, error)
            return
        request, handler = found
        try:
            result = handler(frame.sender, request.asks.decode(body))
        except Exception as error:
            self._failed(frame, error)
            return
        if inspect.isawaitable(result):
            self._hub.spawn(self._finish(frame, result))
        elif wanted:
            self._hub.spawn(self._reply(frame, "answer", result))

    async def _finish(self, frame: _Frame, result: Awaitable[Any]) -> None:
        try:
            answer = await result
        except Exception as error:
            self._failed(frame, error)
            return
        if frame.op == "ask":
            await self._reply(frame, "answer", answer)

    def _failed(self, frame: _Frame, error: Exception) -> None:
        if not isinstance(error, HubbubError):
            log.error("a message of another node failed", request=frame.kind, exc_info=error)
            error = HubbubError(ErrorCode.INTERNAL)
        if frame.op == "ask":
            self._refuse(frame, error)

    def _refuse(self, frame: _Frame, error: HubbubError) -> None:
        refusal = _Refusal(int(error.code), error.message, error.field, error.retry_after)
        self._hub.spawn(self._reply(frame, "refuse", refusal))

    async def _reply(self, frame: _Frame, op: Op, message: Any) -> None:
        await self._send(_channel(frame.sender), op, frame.number, frame.kind, message)

    def _answered(self, frame: _Frame, body: bytes) -> None:
        waiting = self._waiting.get(frame.number)
        if waiting is None:
            return  # too late
        try:
            if frame.op == "answer":
                waiting.answers[frame.sender] = waiting.decoder.decode(body)
            else:
                refusal = _REFUSAL.decode(body)
                waiting.refusals[frame.sender] = HubbubError(
                    ErrorCode(refusal.code),
                    refusal.message,
                    field=refusal.field,
                    retry_after=refusal.retry_after,
                )
        finally:
            waiting.settle(frame.sender)

    def _left(self, node: NodeInfo) -> None:
        for waiting in self._waiting.values():
            waiting.settle(node.id)
        self._doubted.pop(node.id, None)
        for key in [key for key in self._parts if key[0] == node.id]:
            del self._parts[key]


def _channel(node: str) -> str:
    return f"node:##{node}"
