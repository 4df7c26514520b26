"""RESP3, the protocol of Redis: commands to bytes, bytes to replies. Pure.

https://github.com/redis/redis-specifications/blob/master/protocol/RESP3.md; streamed strings and aggregates are left
out, for Redis sends none. Ours rather than redis-py's, whose reader awaits each line: this takes what the socket gave
in one go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Part = str | bytes | int | float

SCRIPT_FAILED = "Error running script"


class RedisRefused(Exception):
    """An error reply: `code` is its first word (`WRONGTYPE`, `READONLY`, `NOPERM`, ...), `message` the rest.

    The Lua error of a script is told by the code that it names, if it names one.
    """

    def __init__(self, text: str) -> None:
        code, _, message = text.partition(" ")
        if message.startswith(
            SCRIPT_FAILED
        ):  # before 7.0: "... @user_script: 1: -READONLY You can't write ..."
            inner = message.rpartition(": -")[2]
            word = inner.partition(" ")[0]
            if inner != message and word.isupper():
                code, message = word, inner.partition(" ")[2]
        self.code = code
        self.message = message
        super().__init__(f"{code} {message}")


class ProtocolBroken(Exception):
    """What came is not RESP3: nothing that follows can be trusted."""


class Push(list[Any]):
    """What the server says unasked: messages and confirmations of subscriptions."""

    __slots__ = ()


def pack(command: Sequence[Part]) -> bytes:
    """The bytes of one command. Raises TypeError for what is not text, bytes or a number."""
    packed = [b"*%d\r\n" % len(command)]
    for part in command:
        if isinstance(part, str):
            part = part.encode()
        elif isinstance(part, bool):
            raise TypeError("neither True nor False is a part of a command of Redis")
        elif isinstance(part, int):
            part = b"%d" % part
        elif isinstance(part, float):
            part = repr(part).encode()
        packed.append(b"$%d\r\n%b\r\n" % (len(part), part))
    return b"".join(packed)


class Reader:
    """Replies out of the pieces of a stream, however it was cut.

    Text and binary are `bytes`, status replies too; numbers `int` and `float`; null None; maps dicts, sets lists; an
    error is a RedisRefused, inside of others also; pushes are `Push`.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._need = 0
        self._open: list[tuple[int, list[Any], int]] = []

    def feed(self, data: bytes) -> list[Any]:
        """All replies that are whole with `data`, in order. Raises ProtocolBroken."""
        if self._pieces:
            self._pieces.append(data)
            self._size += len(data)
            if self._size < self._need:  # a large one comes in many pieces: joined once, not with each
                return []
            data = b"".join(self._pieces)
            self._pieces = []
        try:
            return self._parse(data)
        except ValueError as error:
            raise ProtocolBroken(str(error)) from None

    def _parse(self, data: bytes) -> list[Any]:
        replies: list[Any] = []
        opened = self._open
        find = data.find
        length = len(data)
        at = 0
        value: Any
        while at < length:
            end = find(b"\r\n", at)
            if end < 0:
                self._keep(data, at, length - at + 1)
                return replies
            kind = data[at]
            if kind == 36 or kind == 61 or kind == 33:  # $ = !
                size = int(data[at + 1 : end])
                stop = end + 2 + size
                if size < 0:
                    value, at = None, end + 2
                elif stop + 2 > length:
                    self._keep(data, at, stop + 2 - at)
                    return replies
                else:
                    value, at = data[end + 2 : stop], stop + 2
                    if kind == 61:
                        value = value[4:]
                    elif kind == 33:
                        value = RedisRefused(value.decode("utf-8", "replace"))
            else:
                line = data[at + 1 : end]
                at = end + 2
                if kind == 58 or kind == 40:  # : (
                    value = int(line)
                elif kind == 42 or kind == 62 or kind == 126:  # * > ~
                    count = int(line)
                    if count > 0:
                        opened.append((kind, [], count))
                        continue
                    value = None if count < 0 else Push() if kind == 62 else []
                elif kind == 37 or kind == 124:  # % |
                    count = 2 * int(line)
                    if count:
                        opened.append((kind, [], count))
                        continue
                    value = {}
                elif kind == 43:  # +
                    value = line
                elif kind == 45:  # -
                    value = RedisRefused(line.decode("utf-8", "replace"))
                elif kind == 95:  # _
                    value = None
                elif kind == 44:  # ,
                    value = float(line)
                elif kind == 35:  # #
                    value = line == b"t"
                else:
                    raise ProtocolBroken(f"a reply begins with {bytes([kind])!r}")
            while opened:
                kind, items, count = opened[-1]
                items.append(value)
                if len(items) < count:
                    break
                opened.pop()
                if kind == 124:  # attributes say something about the reply after them: nobody asked
                    break
                value = _closed(kind, items)
            else:
                replies.append(value)
        return replies

    def _keep(self, data: bytes, at: int, need: int) -> None:
        self._pieces.append(data[at:])
        self._size = len(data) - at
        self._need = need


def _closed(kind: int, items: list[Any]) -> Any:
    if kind == 62:
        return Push(items)
    if kind == 37:
        return dict(zip(map(_hashable, items[::2]), items[1::2], strict=True))
    return items


def _hashable(value: Any) -> Any:
    return value if isinstance(value, bytes | int | float | None) else repr(value)
