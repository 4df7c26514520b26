"""The client's side of RFC 6455 framing, as fast as Python allows. Pure.

Servers' frames come unmasked and unfragmented from everything that is measured here. `FrameReader` gives their
payloads; `FrameCounter` only counts, which costs a fifth.
"""

from __future__ import annotations

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
MASK = b"\x37\xfa\x21\x3d"
"""RFC 6455 wants an unpredictable mask to protect proxies from browsers; a load generator protects nobody. It must
not be zero, though: some servers skip unmasking then."""
_MASKS = MASK * 16_384


def masked(payload: bytes, opcode: int = TEXT) -> bytes:
    """One whole client frame (RFC 6455 section 5.2). `payload` is at most 65,535 bytes."""
    size = len(payload)
    head = bytes((0x80 | opcode,))
    head += bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    covered = int.from_bytes(payload, "big") ^ int.from_bytes(_MASKS[:size], "big")
    return head + MASK + covered.to_bytes(size, "big")


class FrameReader:
    """Turns bytes, split anywhere, into frames."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The (opcode, payload) of every frame that `data` completes."""
        if self._rest:
            data = self._rest + data
        frames: list[tuple[int, bytes]] = []
        at, size = 0, len(data)
        while size - at >= 2:
            length, start = data[at + 1], at + 2
            if length >= 126:
                start += 2 if length == 126 else 8
                if start > size:
                    break
                length = int.from_bytes(data[at + 2 : start], "big")
            if start + length > size:
                break
            frames.append((data[at] & 15, data[start : start + length]))
            at = start + length
        self._rest = data[at:]
        return frames


class FrameCounter:
    """Counts the frames that carry a message of 126 bytes or more, from bytes that are split anywhere.

    Shorter frames are heartbeats and replies; they are counted in `short`.
    """

    __slots__ = ("_head", "_open", "_skip", "short")

    def __init__(self) -> None:
        self.short = 0
        self._skip = 0  # bytes to come of the frame that is open
        self._open = 0  # 1 when that frame counts as a message
        self._head = b""  # a header that was cut

    def feed(self, buffer: bytearray | bytes, size: int) -> int:
        """How many messages `buffer[:size]` completes."""
        if self._head:
            buffer = self._head + buffer[:size]
            size += len(self._head)
            self._head = b""
        at = self._skip
        if at > size:
            self._skip = at - size
            return 0
        messages = self._open
        last = size - 4
        while at <= last:
            length = buffer[at + 1]
            if length == 126:
                at += 4 + (buffer[at + 2] << 8) + buffer[at + 3]
                messages += 1
            elif length < 126:
                at += 2 + length
                self.short += 1
            elif at + 10 <= size:
                at += 10 + int.from_bytes(buffer[at + 2 : at + 10], "big")
                messages += 1
            else:
                break
        self._open = 0
        if at > size:
            self._skip = at - size
            if length >= 126:
                messages -= 1
                self._open = 1
        else:
            self._skip = 0
            if size - at in (2, 3) and buffer[at + 1] <= size - at - 2:
                at += 2 + buffer[at + 1]
                self.short += 1
            self._head = bytes(buffer[at:size])
        return messages
