from __future__ import annotations

from hubbub.errors import DRAIN, SLOW
from hubbub.hub.base import Connection
from hubbub.model import Acknowledged, Command, Invalid, Push, Reply, SessionPush
from hubbub.protocols.base import Payload
from hubbub.testing import MemoryConnection
from hubbub.testing.connection import lines


class Mute:
    """A codec, and an encoding, that has nothing to say."""

    journaled = False

    def receive(self, data: bytes | str) -> list[Command | Invalid | Payload]:
        return []

    def reply(self, reply: Reply | Acknowledged) -> list[Payload]:
        return []

    def push(self, push: SessionPush) -> list[Payload]:
        return []

    def encode(self, push: Push, sequence: int = 0) -> list[Payload]:
        return []

    def encoding(self, channel: str) -> Mute:
        return self


def test_is_a_connection_with_the_codec_and_framing_given() -> None:
    codec = Mute()
    connection: Connection = MemoryConnection(codec, len_framing, transport="test")
    assert (connection.codec, connection.framing, connection.transport) == (codec, len_framing, "test")
    assert MemoryConnection(codec).framing is lines
    assert lines([Payload(b"a"), Payload(b"b", True)]) == b"a\nb\n"


def len_framing(payloads: object) -> bytes:
    return b"framed"


def test_frames_are_kept_until_taken() -> None:
    connection = MemoryConnection(Mute())
    connection.write(b"1")
    connection.write(b"2")
    assert connection.take() == [b"1", b"2"]
    connection.write(b"3")
    assert connection.frames == [b"3"]
    assert connection.take() == [b"3"]
    assert connection.take() == []


def test_the_first_end_counts_and_nothing_is_written_after_it() -> None:
    connection = MemoryConnection(Mute())
    connection.write(b"1")
    connection.close(DRAIN)
    connection.abort(SLOW)
    connection.write(b"2")
    assert (connection.closed, connection.aborted, connection.frames) == (DRAIN, False, [b"1"])
    aborted = MemoryConnection(Mute())
    aborted.abort(SLOW)
    aborted.close(DRAIN)
    assert (aborted.closed, aborted.aborted) == (SLOW, True)


def test_pause_and_resume() -> None:
    connection = MemoryConnection(Mute())
    connection.pause()
    assert connection.paused
    connection.resume()
    assert not connection.paused
