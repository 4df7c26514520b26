from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hubbub.config import NamespaceConfig
from hubbub.hub.channel import Channel
from hubbub.model import Envelope, Publication, Push, Raw, Retention
from hubbub.protocols.base import Payload
from hubbub.telemetry.metrics import Metrics
from hubbub.testing import FakeClock, MemoryConnection
from hubbub.testing.connection import lines


class Counting:
    """An encoding that counts its work. `silent` says nothing to its audience."""

    journaled = False

    def __init__(self, name: str, *, silent: bool = False) -> None:
        self.name = name
        self.silent = silent
        self.encoded = 0

    def encode(self, push: Push, sequence: int = 0) -> Sequence[Payload]:
        self.encoded += 1
        if self.silent:
            return ()
        assert isinstance(push, Publication)
        return (Payload(f"{self.name}:{bytes(push.data).decode()}".encode()),)


def brackets(payloads: Sequence[Payload]) -> bytes:
    return b"[" + payloads[0].data + b"]"


class Place:
    def __init__(self, **options: Any) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics()
        config = NamespaceConfig(retention=10, **options)
        retention = Retention(10, 0, config.conflate)
        self.channel = Channel("a", config, retention, self.metrics, self.clock.call_later)
        self.names = 0

    def enter(self, encoding: Counting, framing: Any = lines) -> MemoryConnection:
        connection = MemoryConnection(None, framing)  # type: ignore[arg-type]
        self.channel.enter(encoding, connection, f"s{self.names}")
        self.names += 1
        return connection

    def say(self, data: object, *, exclude: str | None = None, accepted: float = 0.0) -> None:
        self.channel.broadcast(Envelope(said(data), exclude, accepted))


def said(data: object, offset: int | None = None) -> Publication:
    return Publication("a", "message", Raw(str(data).encode()), offset=offset)


def test_one_encoding_and_framing_is_one_piece_of_work() -> None:
    place = Place()
    json, pack = Counting("json"), Counting("pack")
    members = [place.enter(json) for _ in range(5)]
    other_framing = [place.enter(json, brackets) for _ in range(3)]
    packers = [place.enter(pack) for _ in range(2)]
    place.say(1)
    assert (json.encoded, pack.encoded) == (2, 1)
    assert {bytes(frame) for each in members for frame in each.frames} == {b"json:1\n"}
    assert {bytes(frame) for each in other_framing for frame in each.frames} == {b"[json:1]"}
    assert {bytes(frame) for each in packers for frame in each.frames} == {b"pack:1\n"}
    assert len({id(each.frames[0]) for each in members}) == 1  # the very same bytes
    assert (place.metrics.encodes, place.metrics.deliveries) == (3, 10)


def test_an_audience_that_an_encoding_has_nothing_for_gets_nothing() -> None:
    place = Place()
    deaf = place.enter(Counting("deaf", silent=True))
    place.say(1)
    assert deaf.frames == []
    assert place.metrics.deliveries == 0


def test_whoever_has_left_gets_nothing_and_groups_go_with_their_last_member() -> None:
    place = Place()
    json = Counting("json")
    one, two = place.enter(json), place.enter(json)
    place.channel.leave(json, one)
    place.channel.leave(json, one)
    place.say(1)
    assert (one.frames, two.frames) == ([], [b"json:1\n"])
    assert place.channel.size == 1
    place.channel.leave(json, two)
    assert (place.channel.size, place.channel.groups) == (0, {})


def test_the_excluded_session_alone_is_spared_and_not_counted() -> None:
    place = Place()
    members = [place.enter(Counting("x"))]
    json = Counting("json")
    members += [place.enter(json) for _ in range(4)]
    place.say(1, exclude="s2")
    assert [len(each.frames) for each in members] == [1, 1, 0, 1, 1]
    assert (place.metrics.deliveries, place.metrics.messages_out) == (4, 4)
    assert place.metrics.bytes_out == len(b"x:1\n") + 3 * len(b"json:1\n")


def test_however_large_a_channel_all_is_written_at_once_and_in_order() -> None:
    place = Place()
    small, large = Counting("small"), Counting("large")
    few = [place.enter(small) for _ in range(3)]
    many = [place.enter(large) for _ in range(5_000)]
    for number in range(4):
        place.say(number)
    assert all(each.frames == [b"small:%d\n" % number for number in range(4)] for each in few)
    assert all(each.frames == [b"large:%d\n" % number for number in range(4)] for each in many)
    assert place.clock.pending == 0


def test_latency_ends_with_the_flush() -> None:
    place = Place()
    place.enter(Counting("json"))
    place.say(1, accepted=place.clock.monotonic())
    assert sum(place.metrics.delivery_seconds.counts) == 0
    place.metrics.flushed(place.clock.monotonic() + 1)
    assert sum(place.metrics.delivery_seconds.counts) == 1


def test_what_nobody_gets_has_no_latency() -> None:
    place = Place()
    place.say(1, accepted=1.0)
    place.metrics.flushed(100.0)
    assert sum(place.metrics.delivery_seconds.counts) == 0


# --- conflation -----------------------------------------------------------------------------------------------


def test_the_first_value_goes_at_once_and_of_later_ones_the_last_of_each_key() -> None:
    place = Place(conflate=True, conflate_interval=0.1)
    member = place.enter(Counting("x"))
    for key, data in [("a", 1), ("a", 2), ("b", 3), ("a", 4), ("c", 5), ("b", 6)]:
        place.channel.conflate(key, Envelope(said(data)))
    assert member.take() == [b"x:1\n"]
    place.clock.advance(0.09)
    assert member.take() == []
    place.clock.advance(0.02)
    assert member.take() == [b"x:4\n", b"x:5\n", b"x:6\n"]  # in the order in which they were published
    place.channel.conflate("a", Envelope(said(7)))
    assert member.take() == []  # within the next interval
    place.clock.advance(0.1)
    assert member.take() == [b"x:7\n"]


def test_a_quiet_channel_has_no_timer_and_its_next_value_goes_at_once() -> None:
    place = Place(conflate=True, conflate_interval=0.1)
    member = place.enter(Counting("x"))
    place.channel.conflate("a", Envelope(said(1)))
    place.channel.conflate("a", Envelope(said(2)))
    place.clock.advance(1)
    assert place.clock.pending == 0
    member.take()
    place.channel.conflate("a", Envelope(said(3)))
    assert member.take() == [b"x:3\n"]


def test_a_conflating_channel_that_empties_leaves_no_timer() -> None:
    place = Place(conflate=True, conflate_interval=0.1)
    json = Counting("x")
    member = place.enter(json)
    place.channel.conflate("a", Envelope(said(1)))
    place.channel.conflate("a", Envelope(said(2)))
    place.channel.leave(json, member)
    place.clock.advance(1)
    assert place.clock.pending == 0


def test_whoever_enters_within_an_interval_gets_nothing_older_than_it() -> None:
    place = Place(conflate=True, conflate_interval=0.1)
    early = place.enter(Counting("x"))
    for data in (1, 2):
        place.channel.conflate("a", Envelope(said(data)))
    late = place.enter(Counting("x"))  # its recovery has 1 and 2 already
    place.channel.conflate("a", Envelope(said(3)))
    place.clock.advance(0.2)
    assert early.frames == [b"x:1\n", b"x:2\n", b"x:3\n"]
    assert late.frames == [b"x:3\n"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 0.03, 0.2]))))
def test_conflation_sends_offsets_upwards_and_ends_with_the_latest_of_each_key(
    values: list[tuple[str, float]],
) -> None:
    place = Place(conflate=True, conflate_interval=0.1)
    member = place.enter(Counting("x"))
    latest: dict[str, int] = {}
    for offset, (key, pause) in enumerate(values, 1):
        place.channel.conflate(key, Envelope(said(offset)))
        latest[key] = offset
        place.clock.advance(pause)
    place.clock.advance(1)
    seen = [int(frame[2:]) for frame in member.frames]
    assert seen == sorted(set(seen))
    assert set(latest.values()) <= set(seen)
    assert place.clock.pending == 0
