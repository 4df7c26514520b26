"""`/v1/sessions`: the native protocol's session over plain HTTP.

POST /v1/sessions opens or resumes one, POST .../commands sends, GET .../events receives (server-sent events or
long-poll, by `Accept`), DELETE ends it. Replies come in the answer to the POST that brought their commands, pushes
on the events; a `publication` may so arrive before the `subscribed` that it follows, and its offset tells.

A client that gets 410, or loses track, resumes: POST /v1/sessions with session, secret and positions.
"""

from __future__ import annotations

import asyncio
import hmac
import re

import msgspec

from hubbub import jsondata
from hubbub.errors import DRAIN, NORMAL, ErrorCode, HubbubError, ProtocolError
from hubbub.model import Connect, Connected, ErrorReply, Reply, Resume
from hubbub.protocols.base import Payload
from hubbub.transports.http import NDJSON, Exchange
from hubbub.transports.mailbox import Mailbox
from hubbub.transports.node import Node
from hubbub.transports.streams import OutboxConnection, check_room

PATH = "/v1/sessions"
ROUTES = {"": ("POST",), "commands": ("POST",), "events": ("GET",), "session": ("DELETE",)}
SECRET_HEADER = b"hubbub-session-secret"
_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)


class Opening(msgspec.Struct, frozen=True):
    """The body of POST /v1/sessions: a `connect` command without `type` and `id`. It may be empty where the token is
    in `Authorization: Bearer`."""

    token: str | None = None
    resume: Resume | None = None
    client: str = ""


class StreamInfo(msgspec.Struct, frozen=True):
    """Where an opened session goes on. `poll_timeout` is the longest time in seconds that a long-poll waits."""

    events: str
    commands: str
    poll_timeout: float


_decode = msgspec.json.Decoder(Opening).decode


class Sessions:
    """The endpoint. Sessions over HTTP speak JSON."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._mailboxes: dict[str, Mailbox] = {}
        self._open: set[OutboxConnection] = set()

    def takes(self, method: str, path: str) -> bool:
        if path == PATH:
            return method == "POST"
        if not path.startswith(PATH + "/"):
            return False
        _, slash, action = path[len(PATH) + 1 :].partition("/")
        return method in (ROUTES.get(action, ()) if slash else ROUTES["session"])

    async def answer(self, exchange: Exchange) -> None:
        forwarder = self._node.forwarder
        if exchange.path == PATH:
            if forwarder is not None:
                await forwarder.check()
            await self._create(exchange)
            return
        id, _, action = exchange.path[len(PATH) + 1 :].partition("/")
        if forwarder is not None and id in self._mailboxes:
            await forwarder.check()
        if forwarder is not None and (id not in self._mailboxes or forwarder.moved(id)):
            if exchange.forwarded:
                await exchange.refuse(HubbubError(ErrorCode.SESSION_GONE), forwarder.elsewhere(id))
            else:
                limits = self._node.config.limits
                await forwarder.answer(exchange, id, limits.body_bytes, limits.write_timeout)
            return
        mailbox = self._find(exchange, id)
        match action:
            case "commands":
                await self._commands(exchange, mailbox)
            case "events":
                await self._events(exchange, mailbox)
            case _:
                if mailbox.session is not None:
                    self._node.hub.end(mailbox.session, NORMAL)
                await exchange.respond(204)

    async def stop(self) -> None:
        for connection in list(self._open):
            connection.close(DRAIN)

    # --- opening ------------------------------------------------------------------------------------------

    async def _create(self, exchange: Exchange) -> None:
        node, limits = self._node, self._node.config.limits
        check_room(node)
        body = await exchange.body(limits.message_bytes, limits.handshake_timeout)
        command = _connect(body, exchange)
        mailbox = Mailbox(node, exchange, self._open)
        replies: list[Reply] = []
        try:
            async with asyncio.timeout(limits.handshake_timeout):
                replies = await mailbox.execute([command])
        except TimeoutError:
            node.metrics.rejected["handshake_timeout"] += 1
            raise HubbubError(ErrorCode.TIMEOUT, "longer than limits.handshake_timeout") from None
        finally:
            if not replies or not isinstance(replies[0], Connected):
                mailbox.lost()
        reply = replies[0]
        if isinstance(reply, ErrorReply):
            await exchange.refuse(_error(reply))
            return
        assert isinstance(reply, Connected)
        self._mailboxes[reply.session] = mailbox
        mailbox.begin(reply.secret, lambda: self._forget(reply.session, mailbox))
        root = exchange.scope.get("root_path", "").rstrip("/")
        base = f"{root}{PATH}/{reply.session}"
        info = StreamInfo(f"{base}/events", f"{base}/commands", node.config.heartbeat.poll_timeout)
        connected = self._encode(mailbox, reply)
        await exchange.respond(200, connected[:-1] + b',"stream":' + msgspec.json.encode(info) + b"}")

    def _forget(self, id: str, mailbox: Mailbox) -> None:
        if self._mailboxes.get(id) is mailbox:
            del self._mailboxes[id]

    # --- an open session ----------------------------------------------------------------------------------

    def _find(self, exchange: Exchange, id: str) -> Mailbox:
        """Raises SESSION_GONE, for a wrong secret too."""
        secret = exchange.header(SECRET_HEADER) or exchange.query("secret")
        if secret is None:
            raise HubbubError(ErrorCode.UNAUTHENTICATED, "the header Hubbub-Session-Secret is missing")
        mailbox = self._mailboxes.get(id)
        if mailbox is None or not hmac.compare_digest(mailbox.secret.encode(), secret.encode()):
            raise HubbubError(ErrorCode.SESSION_GONE)
        return mailbox

    async def _commands(self, exchange: Exchange, mailbox: Mailbox) -> None:
        limits, metrics = self._node.config.limits, self._node.metrics
        body = await exchange.body(limits.body_bytes, limits.write_timeout)
        lines = [line for line in body.split(b"\n") if line.strip()]
        if any(len(line) > limits.message_bytes for line in lines):
            raise HubbubError(
                ErrorCode.MESSAGE_TOO_LARGE,
                f"a command is larger than limits.message_bytes = {limits.message_bytes}",
            )
        metrics.messages_in += 1
        metrics.bytes_in += len(body)
        try:
            items = mailbox.json.receive(body)
        except ProtocolError as error:
            raise HubbubError(error.code, error.message) from None
        commands = [item for item in items if not isinstance(item, Payload)]
        replies = await mailbox.execute(commands)
        answer = b"".join([self._encode(mailbox, reply) + b"\n" for reply in replies])
        metrics.messages_out += len(replies)
        metrics.bytes_out += len(answer)
        await exchange.respond(200, answer, NDJSON)

    async def _events(self, exchange: Exchange, mailbox: Mailbox) -> None:
        if "text/event-stream" in (exchange.header(b"accept") or ""):
            seen = (
                exchange.header(b"last-event-id") or exchange.query("last_event_id") or exchange.query("ack")
            )
            await mailbox.stream(exchange, _number(seen))
        else:
            await mailbox.poll(exchange, _number(exchange.query("ack")))

    @staticmethod
    def _encode(mailbox: Mailbox, reply: Reply) -> bytes:
        return b"".join(payload.data for payload in mailbox.json.reply(reply))


def _connect(body: bytes, exchange: Exchange) -> Connect:
    try:
        opening = _decode(body) if body.strip() else Opening()
    except msgspec.ValidationError as error:
        message, field = jsondata.invalid_field(error)
        raise HubbubError(ErrorCode.BAD_REQUEST, message, field=field) from None
    except (ValueError, RecursionError, msgspec.MsgspecError):
        raise HubbubError(ErrorCode.BAD_REQUEST, "the body is not a JSON object") from None
    token = opening.token
    if token is None and opening.resume is None:
        token = exchange.bearer()
    return Connect(0, token, opening.resume, opening.client)


def _error(reply: ErrorReply) -> HubbubError:
    return HubbubError(ErrorCode(reply.code), reply.message, field=reply.field, retry_after=reply.retry_after)


def _number(text: str | None) -> int | None:
    """Raises BAD_REQUEST for what was never the number of a push."""
    if text is None or text == "":
        return None
    if _NUMBER.fullmatch(text) is None:
        raise HubbubError(ErrorCode.BAD_REQUEST, "not the number of a push", field="ack")
    return int(text)
