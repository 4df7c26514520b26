"""Hubbub's own commands for Socket.IO clients: the event `hubbub:subscribe` is the native command `subscribe`, its one
argument the command's fields, its acknowledgement the native reply. And methods registered for every protocol, which
are events here."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from hubbub import jsondata, model
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.session import Session
from hubbub.model import Acknowledged, Command, Event, Reply
from hubbub.protocols.socketio_encoding import OWN

COMMANDS = ("subscribe", "unsubscribe", "publish", "history", "presence", "call", "refresh", "ping")
_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_command: Any = msgspec.json.Decoder(Command).decode
_parts = msgspec.json.Decoder(list[Raw]).decode


async def run(session: Session, event: Event) -> Reply | Acknowledged | None:
    """Raises METHOD_NOT_FOUND, VALIDATION_FAILED, and what the command raises."""
    name = event.name.removeprefix(OWN)
    if name not in COMMANDS:
        raise HubbubError(ErrorCode.METHOD_NOT_FOUND, f"no command {event.name[:64]!r}")
    raw = _argument(event)
    limit = session.hub.config.limits.message_bytes
    if len(raw) > limit:
        session.hub.metrics.rejected["message_bytes"] += 1
        raise HubbubError(ErrorCode.MESSAGE_TOO_LARGE, f"more than limits.message_bytes = {limit}")
    try:
        fields = {**_fields(raw), "type": name, "id": event.id}
        command = _command(msgspec.json.encode(fields))
    except msgspec.ValidationError as error:
        message, path = jsondata.invalid_field(error)
        raise HubbubError(ErrorCode.VALIDATION_FAILED, message, field=path) from None
    return await session.hub.commands[type(command)](session, command)


async def run_method(session: Session, event: Event) -> Acknowledged | None:
    """Call a method by the event of its name: the first argument is `params`, the acknowledgement its result."""
    if len(event.arguments) > 1:
        raise HubbubError(ErrorCode.VALIDATION_FAILED, f"{event.name} takes one argument")
    call = model.Call(event.id, event.name, Raw(_argument(event, b"null")))

    def acknowledged(result: model.Result) -> Acknowledged:
        return Acknowledged(event.id, Raw(b"[%b]" % msgspec.json.encode(result.result)))

    def answer(result: model.Result) -> None:
        if event.id >= 0:
            session.reply(acknowledged(result))

    result: Reply | Acknowledged | None
    if (own := session.hub.handlers.own.get(event.name)) is not None:
        result = await own(session, call, answer)
    else:
        result = await session.hub.commands[model.Call](session, call)
    return acknowledged(result) if event.id >= 0 and isinstance(result, model.Result) else None


def _argument(event: Event, default: bytes = b"{}") -> bytes:
    if event.attachments:
        raise HubbubError(ErrorCode.INVALID_DATA, "binary cannot be passed on as JSON", field="arguments[0]")
    parts = _parts(event.data)
    return bytes(parts[1]) if len(parts) > 1 else default
