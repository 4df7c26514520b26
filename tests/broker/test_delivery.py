from __future__ import annotations

from hubbub.broker.delivery import Delivery
from hubbub.model import Envelope
from hubbub.testing.contracts import Inbox, publication


def test_what_is_wanted_is_delivered_while_somebody_listens() -> None:
    delivery, inbox = Delivery(lambda envelope, error: None), Inbox()
    delivery.subscribed.add("a")
    delivery.deliver(Envelope(publication("a", 1)))
    delivery.listener = inbox
    delivery.deliver(Envelope(publication("a", 2)))
    delivery.deliver(Envelope(publication("b", 3)))
    assert [bytes(push.data) for push in inbox.publications] == [b"2"]


def test_what_failed_is_told_and_the_next_comes() -> None:
    failed: list[tuple[Envelope, str]] = []
    delivery = Delivery(lambda envelope, error: failed.append((envelope, str(error))))
    delivery.subscribed.add("a")
    heard: list[Envelope] = []

    def listen(envelope: Envelope) -> None:
        heard.append(envelope)
        if len(heard) == 1:
            delivery.deliver(Envelope(publication("a", 2)))
            raise RuntimeError("once")

    delivery.listener = listen
    first = Envelope(publication("a", 1))
    delivery.deliver(first)
    delivery.deliver(Envelope(publication("a", 3)))
    assert [bytes(envelope.push.data) for envelope in heard] == [b"1", b"2", b"3"]  # type: ignore[union-attr]
    assert failed == [(first, "once")]
