from __future__ import annotations

from hubbub.moderation.recent import OF_ONE, Entry, Recent


def test_what_was_sent_lately_is_counted() -> None:
    recent = Recent(100)
    for time, sender, conversation, digest in [
        (1.0, "ada", "one", 7),
        (2.0, "ada", "two", 7),
        (3.0, "bob", "one", 7),
        (4.0, "ada", "one", 8),
    ]:
        recent.add(Entry(time, sender, conversation, digest, None))
    assert recent.sent("ada", 0.0) == 3
    assert recent.sent("ada", 1.0) == 2
    assert recent.sent("ada", 0.0, "one") == 2
    assert recent.sent("eve", 0.0) == 0
    assert recent.repeated(7, 0.0) == 3
    assert recent.repeated(7, 0.0, "ada") == 2
    assert recent.repeated(7, 0.0, "ada", "one") == 1
    assert recent.repeated(9, 0.0) == 0


def test_what_is_sent_again_with_its_key_counts_once() -> None:
    recent = Recent(100)
    for _ in range(3):
        recent.add(Entry(1.0, "ada", "one", 7, "key"))
    recent.add(Entry(1.0, "ada", "two", 7, "key"))
    assert recent.sent("ada", 0.0) == 2


def test_memory_is_bounded() -> None:
    recent = Recent(1_000)
    for number in range(5_000):
        recent.add(Entry(float(number), f"user-{number % 700}", "one", number, None))
    assert len(recent) == 1_000
    assert len(recent._of_sender) <= 700
    assert len(recent._of_digest) == 1_000
    for _ in range(5_000):
        recent.add(Entry(9_999.0, "ada", "one", 1, None))
    assert len(recent) == 1_000
    assert recent.sent("ada", 0.0) == OF_ONE
    assert list(recent._of_sender) == ["ada"]


def test_nothing_is_remembered_if_nothing_may_be() -> None:
    recent = Recent(0)
    recent.add(Entry(1.0, "ada", "one", 7, None))
    assert recent.sent("ada", 0.0) == 0
