"""What a link asks of its subclass, and when; with a clock and a socket that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from tests.hub.world import World

from hubbub.errors import DRAIN, SLOW, Disconnect
from hubbub.testing.raw import CLOSE, PING, TEXT, masked
from hubbub.transports import framing as wire
from hubbub.transports.frames import FrameParser
from hubbub.transports.link import CLOSING_TIMEOUT, WebSocketLink
from hubbub.transports.node import Node

ADDRESS = "192.0.2.1"
BEAT = 10.0


class Socket(asyncio.Transport):
    """A socket that remembers; `buffered` is what its peer has yet to take."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.buffered = 0
        self.end = ""

    def write(self, data: object) -> None:
        assert isinstance(data, bytes)
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.end = "eof"

    def is_closing(self) -> bool:
        return self.end in ("closed", "aborted")

    def close(self) -> None:
        self.end = "closed"

    def abort(self) -> None:
        self.end = "aborted"


class Recorder(WebSocketLink):
    """Remembers what it is asked, in order."""

    __slots__ = ("known", "story")

    def __init__(self, node: Node, socket: Socket) -> None:
        self.story: list[tuple[object, ...]] = []
        self.known = False
        super().__init__(
            node,
            socket,
            FrameParser(1000, 10, None),
            address=ADDRESS,
            protocol="test",
            due=node.clock.monotonic() + BEAT,
        )

    @property
    def anonymous(self) -> bool:
        return not self.known

    def _message(self, data: bytes, binary: bool) -> None:
        self.story.append(("message", data, binary))

    def _idle_beat(self, transport: asyncio.Transport, now: float) -> float | None:
        self.story.append(("beat", round(now)))
        return now + BEAT

    def _farewell(self, reason: Disconnect, text: str) -> Sequence[bytes]:
        self.story.append(("farewell", reason.code, text))
        return (b"farewell", wire.close_frame(reason.code, text))

    def _detach(self, reason: Disconnect | None, *, resumable: bool) -> None:
        self.story.append(("detach", reason, resumable))


class Uncounted(Recorder):
    """Behind it stands something that is counted itself."""

    __slots__ = ()
    counted = False


class Scene:
    """A node with one link."""

    def __init__(self, kind: type[Recorder] = Recorder) -> None:
        self.world = World()
        self.clock = self.world.clock
        self.node = Node(self.world.config, self.clock, self.world.hub, {})
        self.node.start()
        assert self.node.admission.enter(ADDRESS)
        self.socket = Socket()
        self.link = kind(self.node, self.socket)

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Open WebSockets, connections in the metrics, newcomers, places of addresses."""
        node = self.node
        connections = node.metrics.connections_total()
        return len(node.websockets), connections, len(node.newcomers), node.admission.total


@pytest.mark.parametrize(("kind", "counted"), [(Recorder, 1), (Uncounted, 0)])
def test_a_link_is_counted_once_and_given_back(kind: type[Recorder], counted: int) -> None:
    scene = Scene(kind)
    assert scene.counts == (1, counted, counted, 1)
    assert scene.node.metrics.connections_opened["websocket", "test"] == counted
    scene.link.connection_lost(None)
    assert scene.counts == (0, 0, 0, 0)


def test_messages_go_to_the_subclass_and_control_frames_do_not() -> None:
    scene = Scene()
    scene.link.data_received(masked(TEXT, b"a") + masked(PING, b"p") + masked(2, b"b"))
    assert scene.link.story == [("message", b"a", False), ("message", b"b", True)]
    scene.clock.run_ready()
    assert scene.socket.written == [wire.pong(b"p")]


def test_an_open_link_beats() -> None:
    scene = Scene()
    start = scene.clock.monotonic()
    scene.clock.advance(3.5 * BEAT)
    assert scene.link.story == [("beat", round(start + BEAT * n)) for n in (1, 2, 3)]


def test_a_slow_reader_is_watched_instead() -> None:
    scene = Scene()
    scene.socket.buffered = 100_000
    scene.link.pause_writing()
    timeout = scene.world.config.limits.write_timeout
    scene.clock.advance(timeout - 1)
    assert scene.socket.end != "aborted"
    scene.clock.advance(2)
    assert scene.socket.end == "aborted"
    assert scene.link.story == [("detach", SLOW, SLOW.resumable)]
    assert scene.node.metrics.rejected["write_timeout"] == 1


def test_closing_says_farewell_behind_what_waits() -> None:
    scene = Scene()
    scene.link.write(b"first")
    scene.link.close(DRAIN, "see you")
    scene.link.close(SLOW)
    scene.link.abort(SLOW)
    assert scene.link.story == [
        ("farewell", DRAIN.code, "see you"),
        ("detach", DRAIN, DRAIN.resumable),
    ]
    assert scene.socket.written == [b"firstfarewell" + wire.close_frame(DRAIN.code, "see you")]
    assert scene.node.metrics.disconnects == {DRAIN.code: 1}
    scene.link.data_received(masked(TEXT, b"late") + masked(CLOSE, b"\x03\xe8"))
    assert len(scene.link.story) == 2
    assert scene.socket.end == "closed"


def test_a_link_may_part_without_a_reason() -> None:
    scene = Scene()
    scene.link.part(b"1", wire.close_frame(1002), reason=None, resumable=False)
    scene.link.part(b"again", reason=None, resumable=True)
    assert scene.link.story == [("detach", None, False)]
    assert scene.socket.written == [b"1" + wire.close_frame(1002)]
    assert not scene.node.metrics.disconnects


def test_parting_from_a_slow_reader_waits_for_nothing() -> None:
    scene = Scene()
    scene.link.pause_writing()
    scene.link.part(wire.close_frame(1000), reason=None, resumable=False)
    assert (scene.socket.written, scene.socket.end) == ([], "aborted")


def test_a_peer_that_does_not_answer_the_close_is_cut() -> None:
    scene = Scene()
    scene.link.close(DRAIN)
    scene.clock.advance(CLOSING_TIMEOUT - 0.1)
    assert scene.socket.end != "aborted"
    scene.clock.advance(0.2)
    assert scene.socket.end == "aborted"
    assert not any(kind == "beat" for kind, *_ in scene.link.story)


@pytest.mark.parametrize(("code", "resumable"), [(1000, False), (1001, True)])
def test_the_peers_close_is_told_and_echoed(code: int, resumable: bool) -> None:
    scene = Scene()
    scene.link.data_received(masked(CLOSE, code.to_bytes(2, "big")))
    assert scene.link.story == [("detach", None, resumable)]
    assert scene.socket.written == [wire.close_frame(code)]
    assert scene.socket.end == "closed"


def test_a_violation_ends_with_our_reason() -> None:
    scene = Scene()
    scene.link.data_received(masked(TEXT, b"\xff"))
    kinds = [kind for kind, *_ in scene.link.story]
    assert kinds == ["farewell", "detach"]
    assert scene.link.story[0][1] == 1007
    assert scene.socket.end == "eof"


def test_a_lost_socket_is_told() -> None:
    scene = Scene()
    scene.link.connection_lost(OSError())
    assert scene.link.story == [("detach", None, True)]
    scene.link.write(b"into the void")
    scene.link.close(DRAIN)
    scene.clock.run_ready()
    assert scene.socket.written == []


def test_writable_is_a_socket_with_nothing_in_front() -> None:
    scene = Scene()
    assert scene.link.writable
    scene.link.write(b"x")
    assert scene.link.writable  # it goes out with this turn
    scene.socket.buffered = 1
    assert not scene.link.writable
    scene.socket.buffered = 0
    scene.link.pause_writing()
    assert not scene.link.writable
    scene.link.resume_writing()
    assert scene.link.writable
    scene.link.close(DRAIN)
    assert not scene.link.writable
    gone = Scene()
    gone.link.connection_lost(None)
    assert not gone.link.writable
