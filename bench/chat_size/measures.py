"""What is measured: the same question to both conversations in turn, from a snapshot to the finished answer."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from bench.chat_size import filling
from bench.chat_size.filling import BIG, REPLIES, SMALL, START, THREAD
from hubbub.chat.directory import OPERATIONS
from hubbub.chat.ledger import Actor, View
from hubbub.chat.sync import synchronise
from hubbub.config import Config
from hubbub.storage.base import Store

ROUNDS = 15
SECONDS = 4.0
"""After which a measure has rounds enough."""
PAGING, SEARCH = 1.5, 5.0
"""How much longer a question may take in the long conversation."""
Params = Callable[[str, int], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Measure:
    """`params` are of the conversation and its size; `least` is how many things the answer has, at least."""

    name: str
    group: str
    operation: str
    params: Params
    least: int = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """Medians in milliseconds."""

    measure: Measure
    small: float
    big: float

    @property
    def ratio(self) -> float:
        return self.big / self.small

    @property
    def goal(self) -> float:
        return SEARCH if self.measure.group == "search" else PAGING


def _page(name: str, **given: Callable[[int], Any]) -> Measure:
    def params(conversation: str, size: int) -> dict[str, Any]:
        return {"conversation": conversation, **{key: value(size) for key, value in given.items()}}

    return Measure(name, "paging", "messages.list", params, 50)


def _search(name: str, query: str, least: int, **given: Any) -> Measure:
    """Both answers have as many hits: those that the short conversation has."""
    given["limit"] = max(least, 1)
    return Measure(
        name, "search", "search", lambda where, _: {"conversation": where, "query": query, **given}, least
    )


def _middle(size: int) -> int:
    return size // 2 + 100


MEASURES = (
    _page("newest page"),
    _page("first page", after=lambda _: 0),
    _page("page before the middle", before=_middle),
    _page("page after the middle", after=_middle),
    _page("around a message", around=_middle),
    _page("at a time", at=lambda size: START + 250_000.0 * size / 1_000_000),
    _page("newest of a thread", thread=lambda _: THREAD),
    _page("first of a thread", thread=lambda _: THREAD, after=lambda _: THREAD),
    Measure(
        "page of the log",
        "paging",
        "events.list",
        lambda where, size: {"conversation": where, "since": _middle(size)},
        100,
    ),
    Measure("sync from nothing", "paging", "sync", lambda _, __: {}, 1),
    Measure("unread count", "counting", "conversations.get", lambda where, _: {"conversation": where}),
    Measure("list of conversations", "counting", "conversations.list", lambda _, __: {}, 1),
    _search("common word", filling.COMMON, 50),
    _search("common word, newest first", filling.COMMON, 50, order="newest"),
    _search("seldom word", filling.SELDOM, 5),
    _search("rare word", filling.RARE, 10),
    _search("phrase", f'"{filling.PHRASE}"', 4),
    _search("Chinese", filling.CHINESE, 10),
    _search("word being typed", filling.COMMON[:5], 50, prefix=True),
    _search("one word without another", f"{filling.COMMON} -{filling.SELDOM}", 50),
    _search("word that is nowhere", "xylophonist", 0),
    _search("common words never together", f"{filling.COMMON} {filling.APART}", 0),
    _search("long ago", filling.COMMON, 5, before=START + 500 * 0.5 * 250),
)


async def measure(
    store: Store, sizes: dict[str, int], wanted: str = "", *, rounds: int = ROUNDS
) -> list[Figure]:
    """All measures whose names have `wanted` in them."""
    return [await _figure(store, each, sizes, rounds) for each in MEASURES if wanted in each.name]


async def _figure(store: Store, measure: Measure, sizes: dict[str, int], rounds: int) -> Figure:
    taken: dict[str, list[float]] = {SMALL: [], BIG: []}
    ends = time.monotonic() + SECONDS
    for turn in range(rounds + 1):
        for name, size in sizes.items():
            seconds = await _ask(store, measure, name, size)
            if turn:  # the first one warms caches
                taken[name].append(seconds)
        if turn > 2 and time.monotonic() > ends:
            break
    small, big = (statistics.median(taken[name]) * 1_000 for name in (SMALL, BIG))
    return Figure(measure, small, big)


async def _ask(store: Store, measure: Measure, name: str, size: int) -> float:
    operation = OPERATIONS[measure.operation]
    function = synchronise if operation.name == "sync" else operation.function
    params = msgspec.convert(measure.params(name, size), operation.params)
    config, actor = Config(), Actor(filling.alone(name))
    began = time.perf_counter()
    answer = await store.read(lambda snapshot: function(View(snapshot, config, START), actor, params))
    body = msgspec.json.encode(answer)
    seconds = time.perf_counter() - began
    count = max(
        (len(value) for value in msgspec.json.decode(body).values() if isinstance(value, list)), default=0
    )
    if count < measure.least:
        raise AssertionError(f"{measure.name} in {name}: {count} found, not {measure.least}")
    return seconds


assert REPLIES >= 50
