from __future__ import annotations

import msgspec
import pytest

from hubbub.broker.deadletters import MemoryDeadLetters
from hubbub.broker.envelopes import body_of, place
from hubbub.broker.frames import ALONE, Frames, origin
from hubbub.model import Envelope
from hubbub.telemetry.metrics import Metrics
from hubbub.testing import FakeClock
from hubbub.testing.contracts import Inbox, publication

SAID = Envelope(publication("a", 1, publication_id="id"), accepted=5.0)


class Node:
    def __init__(self) -> None:
        self.metrics = Metrics()
        self.letters = MemoryDeadLetters(FakeClock())
        self.frames = Frames(origin(), self.letters, self.metrics)
        self.inbox = Inbox()
        self.frames.delivery.listener = self.inbox
        self.frames.delivery.subscribed.add("a")


@pytest.fixture
def node() -> Node:
    return Node()


def test_what_comes_back_is_delivered_once(node: Node) -> None:
    serial, start = node.frames.fleeting(SAID)
    assert not node.inbox.envelopes
    node.frames.hear(start + body_of(SAID))
    node.frames.landed(serial)
    assert node.inbox.envelopes == [SAID]
    # It was heard, and then its confirmation was lost.
    serial, start = node.frames.fleeting(SAID)
    node.frames.hear(start + body_of(SAID))
    node.frames.stayed(serial, SAID, body_of(SAID))
    assert node.inbox.envelopes == [SAID, SAID]


def test_what_stayed_here_is_delivered_here_and_not_when_it_comes_after_all(node: Node) -> None:
    serial, start = node.frames.fleeting(SAID)
    node.frames.stayed(serial, SAID, body_of(SAID))
    assert node.inbox.envelopes == [SAID]
    node.frames.hear(start + body_of(SAID))
    assert len(node.inbox.envelopes) == 1
    assert node.metrics.broker_local_only == 1
    for _ in range(ALONE + 5):
        serial, _ = node.frames.fleeting(SAID)
        node.frames.stayed(serial, SAID, body_of(SAID))
    assert len(node.frames._alone) == ALONE


def test_what_others_say_has_no_clock_of_ours(node: Node) -> None:
    other = Node().frames
    _, start = other.fleeting(SAID)
    node.frames.hear(start + body_of(SAID))
    node.frames.hear(other.logged(SAID) + place(3, "epoch") + body_of(SAID))
    kept = msgspec.structs.replace(SAID.push, epoch="epoch", offset=3)
    assert node.inbox.envelopes == [Envelope(SAID.push), Envelope(kept)]


def test_what_has_its_place_is_heard_from_others_only(node: Node) -> None:
    push = publication("a", 1)
    push = msgspec.structs.replace(push, epoch="kept", offset=9)
    node.frames.hear(node.frames.carried(Envelope(push), push) + body_of(Envelope(push)))
    assert not node.inbox.envelopes
    node.frames.hear(Node().frames.carried(Envelope(push), push) + body_of(Envelope(push)))
    assert node.inbox.envelopes == [Envelope(push)]


@pytest.mark.anyio
async def test_what_cannot_be_read_is_a_dead_letter(node: Node) -> None:
    _, start = node.frames.fleeting(SAID)
    for frame in (b"", b"\xff" * 40, start, start + b"\x09", start + b"\x01rubbish"):
        node.frames.hear(frame, "a")
    letters = await node.letters.page()
    assert [each.reason for each in letters] == ["malformed", "version", "malformed", "version", "malformed"]
    assert not node.inbox.envelopes
