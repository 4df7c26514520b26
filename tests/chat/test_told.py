from __future__ import annotations

import msgspec
from msgspec import Raw

from hubbub.chat import told
from hubbub.chat.events import Receipt, Receipts
from hubbub.chat.told import Told
from hubbub.model import Envelope, Publication

CHANNEL = "conversation:c"


def of(*receipts: tuple[str, int, int], channel: str = CHANNEL) -> Envelope:
    return envelope(Receipts("c", tuple(Receipt(*each) for each in receipts)), channel)


def envelope(event: Receipts, channel: str = CHANNEL) -> Envelope:
    return Envelope(Publication(channel, "receipts", Raw(msgspec.json.encode(event))), volatile=True)


def said(sifted: Envelope | None) -> list[tuple[str, int, int]]:
    if sifted is None:
        return []
    assert isinstance(sifted.push, Publication)
    event = msgspec.json.decode(sifted.push.data, type=Receipts)
    return [(each.user, each.read, each.delivered) for each in event.receipts]


def test_cursors_only_go_on() -> None:
    node = Told({CHANNEL})
    first = of(("ada", 274, 274))
    assert node.sift(first) is first, "as it came, without a copy"
    assert node.sift(of(("ada", 271, 271))) is None
    assert node.sift(of(("ada", 274, 274))) is None
    assert said(node.sift(of(("ada", 270, 280)))) == [("ada", 274, 280)]
    assert said(node.sift(of(("ada", 1, 1), ("bob", 5, 6)))) == [("bob", 5, 6)]
    assert said(node.sift(of(("ada", 281, 280)))) == [("ada", 281, 280)]


def test_the_first_word_of_somebody_is_told_whatever_it_is() -> None:
    node = Told({CHANNEL})
    assert said(node.sift(of(("ada", 0, 0)))) == [("ada", 0, 0)]
    assert node.sift(of(("ada", 0, 0))) is None


def test_counts_are_of_the_newest_message() -> None:
    node = Told({CHANNEL})
    newer = envelope(Receipts("c", (), 9, 100, 150))
    assert node.sift(newer) is newer
    assert node.sift(envelope(Receipts("c", (), 8, 140, 150))) is None
    fewer = envelope(Receipts("c", (), 9, 99, 149))
    assert node.sift(fewer) is fewer, "somebody has left"


def test_what_is_none_passes() -> None:
    node = Told(())
    typing = Envelope(Publication(CHANNEL, "typing", Raw(b"{}")))
    assert node.sift(typing) is typing
    assert len(node) == 0


def test_of_conversations_that_nobody_is_in_it_is_forgotten() -> None:
    here = {f"conversation:{number}" for number in range(3)}
    node = Told(here)
    for number in range(told.MOST + 1):
        node.sift(of(("ada", 5, 5), channel=f"conversation:{number}"))
    assert len(node) == len(here) + 1
    assert node.sift(of(("ada", 4, 4), channel="conversation:1")) is None
    assert said(node.sift(of(("ada", 4, 4), channel="conversation:1000"))) == [("ada", 4, 4)]
