"""The client's half of the native protocol (DESIGN section 6): commands to text, text to replies and pushes. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from hubbub.model import (
    Advice,
    Command,
    Connected,
    DisconnectPush,
    ErrorReply,
    History,
    Join,
    Leave,
    Publication,
    Published,
    Raw,
    Refreshed,
    ServerSubscribed,
    ServerUnsubscribed,
    Subscribed,
)

PATH = "/v1/ws"
SUBPROTOCOL = "hubbub.v1.json"


class ResultReply(msgspec.Struct, frozen=True, tag="result"):
    """The model's Result, with its content still as JSON: only who asked knows what it is."""

    id: int
    result: Raw


Reply = Connected | Subscribed | Published | ResultReply | ErrorReply
Push = Publication | Join | Leave | ServerSubscribed | ServerUnsubscribed | Advice | DisconnectPush


class _Head(msgspec.Struct):
    """Enough of an object to see what it is. A publication's id is text, a reply's a number."""

    type: str = ""
    id: Any = None


_REPLIES = frozenset(("connected", "published", "result", "error"))
_encode = msgspec.json.Encoder().encode
_decode_head = msgspec.json.Decoder(_Head).decode
_decode_reply: Any = msgspec.json.Decoder(Reply).decode
_decode_push: Any = msgspec.json.Decoder(Push).decode
decode_refreshed = msgspec.json.Decoder(Refreshed).decode
decode_history = msgspec.json.Decoder(History).decode


def encode(command: Command) -> str:
    """One command as the text of a frame."""
    return _encode(command).decode()


def decode(text: str | bytes) -> Iterator[Reply | Push]:
    """What a frame holds: objects separated by newlines. Types of later versions are passed over.

    Raises ValueError for what is no object of the protocol.
    """
    for line in (text.encode() if isinstance(text, str) else text).split(b"\n"):
        if not line.strip():
            continue
        try:
            head = _decode_head(line)
            # `subscribed` is an answer when it repeats an id, and a push when it does not.
            if head.type in _REPLIES or (head.type == "subscribed" and head.id is not None):
                yield _decode_reply(line)
            elif head.type in _PUSHES:
                yield _decode_push(line)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise ValueError(f"not an object of {SUBPROTOCOL}: {error}") from error


_PUSHES = frozenset(
    str(kind.__struct_config__.tag)
    for kind in (Publication, Join, Leave, ServerSubscribed, ServerUnsubscribed, Advice, DisconnectPush)
)
