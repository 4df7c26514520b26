"""Catching a subscription up, purely: what to send, and whether anything is missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from hubbub.model import History, Position, Publication


class Recovery(NamedTuple):
    """What a new subscription is told. `publications` is empty unless `recovered`: never a part of the truth."""

    position: Position
    recovered: bool
    publications: tuple[Publication, ...]
    joined: bool = True
    """Whether the log and what was buffered meet without a hole; if not, reading the log again fills it."""


def fit(history: History, limit: int) -> History:
    """`history` with at most `limit` bytes of data, but one publication at the least; what is cut off is `more`."""
    size = 0
    for number, publication in enumerate(history.publications):
        size += len(publication.data)
        if size > limit and number:
            return replace(history, publications=history.publications[:number], more=True)
    return history


def merge(since: Position | None, history: History, buffered: Iterable[Publication] = ()) -> Recovery:
    """Join the log read while subscribing with the live publications that arrived meanwhile.

    Without `since` the subscription starts after the last one that was buffered, and nothing is sent; with it, the
    buffered ones complete the recovery. An overlap is sent once, by offset.
    """
    head = history.position
    later: list[Publication] = []
    contiguous = True
    last = head.offset
    for publication in buffered:
        if publication.offset is None or publication.epoch != head.epoch:
            contiguous = contiguous and publication.offset is None
            continue
        if publication.offset <= last:
            continue
        contiguous = contiguous and publication.offset == last + 1
        later.append(publication)
        last = publication.offset
    position = Position(head.epoch, last)
    if since is None:
        return Recovery(position, False, (), contiguous)
    whole = history.complete and not history.more and contiguous and since.epoch == head.epoch
    if not whole:
        return Recovery(position, False, (), contiguous)
    return Recovery(position, True, (*history.publications, *later))
