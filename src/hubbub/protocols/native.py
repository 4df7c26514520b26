"""The native protocol, v1 (DESIGN section 6): the model's structs as JSON or MessagePack, tagged by `type`.

In JSON several objects may share a frame, separated by newlines. MessagePack carries the same objects, one a frame;
`data` and `params` are native MessagePack values there and must be such as JSON can say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from hubbub import jsondata
from hubbub.errors import ErrorCode, HubbubError, ProtocolError
from hubbub.model import Acknowledged, Call, Command, Invalid, Publish, Push, Reply, SessionPush
from hubbub.protocols.base import Encoding, Payload

_encode = msgspec.json.Encoder().encode
_decode_command: Any = msgspec.json.Decoder(Command).decode


class _Id(msgspec.Struct):
    id: int = 0


_decode_id = msgspec.json.Decoder(_Id).decode


class JsonEncoding:
    """Broadcasts as JSON text; the same bytes for every JSON session."""

    __slots__ = ()
    journaled = False

    def encode(self, push: Push, sequence: int = 0) -> Sequence[Payload]:
        return (Payload(_encode(push)),)


class MessagePackEncoding:
    """Broadcasts as MessagePack; the same bytes for every MessagePack session."""

    __slots__ = ()
    journaled = False

    def encode(self, push: Push, sequence: int = 0) -> Sequence[Payload]:
        return (Payload(_pack(push), True),)


JSON_ENCODING = JsonEncoding()
MESSAGEPACK_ENCODING = MessagePackEncoding()


class JsonCodec:
    """`hubbub.v1.json`. One object serves all connections: the protocol has no per-connection state."""

    __slots__ = ("_batch", "_depth", "_keys")

    def __init__(self, *, json_depth: int = 32, json_keys: int = 256, batch: int = 1000) -> None:
        self._depth = json_depth
        self._keys = json_keys
        self._batch = batch

    def receive(self, data: bytes | str) -> Sequence[Command | Invalid | Payload]:
        try:
            raw = data.encode() if isinstance(data, str) else data
        except UnicodeEncodeError:
            raise ProtocolError("not a JSON object: a lone surrogate") from None
        if b"\n" not in raw:
            return (self._command(raw, ()),)
        lines = [line for line in raw.split(b"\n") if line.strip()]
        if len(lines) > self._batch:
            raise ProtocolError(f"more than limits.batch = {self._batch} commands in a frame")
        commands: list[Command | Invalid] = []
        for line in lines:
            commands.append(self._command(line, commands))
        return commands

    def reply(self, reply: Reply | Acknowledged) -> Sequence[Payload]:
        return (Payload(_encode(reply)),)

    def push(self, push: SessionPush) -> Sequence[Payload]:
        return (Payload(_encode(push)),)

    def encoding(self, channel: str) -> Encoding:
        return JSON_ENCODING

    def _command(self, raw: bytes, before: Sequence[Command | Invalid]) -> Command | Invalid:
        try:
            command: Command = _decode_command(raw)
        except msgspec.ValidationError as error:
            message, field = jsondata.invalid_field(error)
            return Invalid(_id(raw), ErrorCode.BAD_REQUEST, message, field)
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            text = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise ProtocolError(f"not a JSON object: {text}", commands=before) from None
        try:
            if type(command) is Publish:
                jsondata.check(bytes(command.data), depth=self._depth, keys=self._keys)
            elif type(command) is Call:
                jsondata.check(bytes(command.params), depth=self._depth, keys=self._keys, field="params")
        except HubbubError as error:
            return Invalid(command.id, error.code, error.message, error.field)
        return command


class MessagePackCodec:
    """`hubbub.v1.msgpack`."""

    __slots__ = ("_json",)

    def __init__(self, *, json_depth: int = 32, json_keys: int = 256, batch: int = 1000) -> None:
        self._json = JsonCodec(json_depth=json_depth, json_keys=json_keys, batch=batch)

    def receive(self, data: bytes | str) -> Sequence[Command | Invalid | Payload]:
        if isinstance(data, str):
            raise ProtocolError("hubbub.v1.msgpack takes binary frames")
        try:
            value = msgspec.msgpack.decode(data)
            raw = _encode(_finite(value)).replace(b"\n", b"")
        except (ValueError, TypeError, RecursionError, MemoryError, msgspec.MsgspecError) as error:
            text = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise ProtocolError(f"not MessagePack that JSON can say: {text}") from None
        return self._json.receive(raw)

    def reply(self, reply: Reply | Acknowledged) -> Sequence[Payload]:
        return (Payload(_pack(reply), True),)

    def push(self, push: SessionPush) -> Sequence[Payload]:
        return (Payload(_pack(push), True),)

    def encoding(self, channel: str) -> Encoding:
        return MESSAGEPACK_ENCODING


def _pack(value: Any) -> bytes:
    """Through JSON, because embedded `data` is JSON bytes already; paid once per audience."""
    plain = msgspec.json.decode(_encode(value))
    try:
        return msgspec.msgpack.encode(plain)
    except OverflowError:
        return msgspec.msgpack.encode(_within_64_bits(plain))


def _within_64_bits(value: Any) -> Any:
    """`value` with integers that MessagePack cannot say as the doubles nearest to them, as JavaScript reads them."""
    if isinstance(value, dict):
        return {key: _within_64_bits(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_within_64_bits(inner) for inner in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value)
    return value


def _id(raw: bytes) -> int:
    try:
        return _decode_id(raw).id
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return 0


def _finite(value: Any) -> Any:
    """`value`, if JSON can say it: no NaN, no infinity, no binary, no keys other than strings."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ValueError("map keys must be strings")
            _finite(inner)
    elif isinstance(value, list):
        for inner in value:
            _finite(inner)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("numbers must be finite")
    elif not (value is None or isinstance(value, str | int)):
        raise ValueError(f"{type(value).__name__} values have no JSON form")
    return value
