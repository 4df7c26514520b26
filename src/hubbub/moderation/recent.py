"""What was sent lately, as far as this node knows it: for rules about floods and repetitions. Pure: time is given."""

from __future__ import annotations

from collections import deque
from typing import TypeVar

from msgspec import Struct

K = TypeVar("K", str, int)
OF_ONE = 256
"""Messages of one sender, or of one text, that are remembered."""


class Entry(Struct, frozen=True, gc=False):
    time: float
    sender: str
    conversation: str
    digest: int
    key: str | None


class Recent:
    """The newest `size` messages, by sender and by what they say."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._all: deque[Entry] = deque()
        self._of_sender: dict[str, deque[Entry]] = {}
        self._of_digest: dict[int, deque[Entry]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def add(self, entry: Entry) -> None:
        """Remember one. What is sent again with its key is remembered once."""
        if not self._size:
            return
        mine = self._of_sender.get(entry.sender, ())
        if entry.key is not None and any(
            each.key == entry.key and each.conversation == entry.conversation for each in mine
        ):
            return
        while len(self._all) >= self._size:
            self._forget()
        self._all.append(entry)
        _remember(self._of_sender, entry.sender, entry)
        _remember(self._of_digest, entry.digest, entry)

    def sent(self, sender: str, since: float, conversation: str | None = None) -> int:
        """Messages of a sender after `since`; of one conversation, if it is given."""
        return _count(self._of_sender.get(sender), since, None, conversation)

    def repeated(
        self, digest: int, since: float, sender: str | None = None, conversation: str | None = None
    ) -> int:
        """Messages that said the same after `since`."""
        return _count(self._of_digest.get(digest), since, sender, conversation)

    def _forget(self) -> None:
        oldest = self._all.popleft()
        _drop(self._of_sender, oldest.sender, oldest)
        _drop(self._of_digest, oldest.digest, oldest)


def _remember(known: dict[K, deque[Entry]], key: K, entry: Entry) -> None:
    found = known.get(key)
    if found is None:
        found = known[key] = deque(maxlen=OF_ONE)
    found.append(entry)


def _drop(known: dict[K, deque[Entry]], key: K, oldest: Entry) -> None:
    found = known[key]
    if found and found[0] is oldest:
        found.popleft()
    if not found:
        del known[key]


def _count(found: deque[Entry] | None, since: float, sender: str | None, conversation: str | None) -> int:
    count = 0
    for entry in reversed(found or ()):
        if entry.time <= since:
            break
        count += (sender is None or entry.sender == sender) and (
            conversation is None or entry.conversation == conversation
        )
    return count
