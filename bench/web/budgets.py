"""What the web app may cost, and whether it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

KB: Final = 1024
MB: Final = 1024 * KB

INITIAL_BYTES: Final = 150 * KB
"""Compressed, until one sees one's conversations."""
CONVERSATION_BYTES: Final = 75 * KB
"""Compressed, on top of it: until one sees messages and can write."""
SYNCED_BYTES: Final = 1 * MB
"""Before compression: what the server tells of 200 conversations when one comes."""
WARM_BYTES: Final = 20 * KB
"""All that is fetched by who has been there before: nothing of the app but its page."""
REQUESTS: Final = 24

SIGN_IN_MS: Final = 1_000.0
LIST_MS: Final = 1_500.0
MESSAGE_MS: Final = 2_000.0
WARM_LIST_MS: Final = 1_000.0
WARM_MESSAGE_MS: Final = 1_500.0
PHONE_LIST_MS: Final = 5_000.0
PHONE_MESSAGE_MS: Final = 6_000.0
"""A fourth of this processor, 1.6 Mbit/s, 150 ms there and back, nothing cached."""
CONTENTFUL_MS: Final = 2_500.0
BLOCKING_MS: Final = 200.0
PHONE_BLOCKING_MS: Final = 600.0
LAYOUT_SHIFT: Final = 0.1
"""These four are what Lighthouse calls good."""

FRAME_P50_MS: Final = 17.5
FRAME_P95_MS: Final = 34.0
FRAME_MAX_MS: Final = 250.0
DROPPED_PERCENT: Final = 10.0
BLANK_PERCENT: Final = 5.0
"""Of the moments that were looked at: nothing but emptiness is on the screen."""
ELEMENTS: Final = 3_000
"""In the document, wherever one is in 10,000 messages."""

SHOWN_MS: Final = 50.0
CONFIRMED_MS: Final = 200.0
HEARD_MS: Final = 250.0
KEY_MS: Final = 200.0
"""What is called good for any interaction."""

CUT_MS: Final = 700.0
OUTAGE_MS: Final = 3_000.0
"""After a drop of two seconds: the pause between two attempts grows meanwhile."""

HEAP_BYTES: Final = 60 * MB
HEAP_BYTES_PER_ROUND: Final = 12 * KB
"""A round leaves a message more in the conversations that are kept, with all that belongs to it: 2.6 KB, as
snapshots of the heap say. The rest is code that V8 compiles because it has become hot, less of it each hour."""
NODES_PER_ROUND: Final = 2.0
LISTENERS_PER_ROUND: Final = 0.25


@dataclass(frozen=True, slots=True)
class Budget:
    """A figure of a measure must be at most `limit`. `counted`: the clock and the machine have no part in it."""

    measure: str
    figure: str
    title: str
    limit: float
    counted: bool = False

    def holds(self, value: float) -> bool:
        return value <= self.limit


BUDGETS: Final = (
    Budget("loads", "initial_br_bytes", "initial load, brotli, bytes", INITIAL_BYTES, True),
    Budget("loads", "initial_gzip_bytes", "initial load, gzip, bytes", INITIAL_BYTES, True),
    Budget(
        "loads", "conversation_br_bytes", "a conversation's code, brotli, bytes", CONVERSATION_BYTES, True
    ),
    Budget(
        "loads", "conversation_gzip_bytes", "a conversation's code, gzip, bytes", CONVERSATION_BYTES, True
    ),
    Budget("loads", "uncompressed", "files above 2 KB that are not compressed", 0, True),
    Budget("loads", "requests", "requests until the list is shown", REQUESTS, True),
    Budget("loads", "synced_bytes", "pushed by the server until then, bytes", SYNCED_BYTES, True),
    Budget("loads", "warm_wire_bytes", "fetched with a warm cache, bytes", WARM_BYTES, True),
    Budget("loads", "sign_in_ms", "sign-in page, ms", SIGN_IN_MS),
    Budget("loads", "cold_list_ms", "list, nothing cached, ms", LIST_MS),
    Budget("loads", "cold_message_ms", "first message, nothing cached, ms", MESSAGE_MS),
    Budget("loads", "cold_contentful_ms", "largest contentful paint, ms", CONTENTFUL_MS),
    Budget("loads", "cold_blocking_ms", "total blocking time, ms", BLOCKING_MS),
    Budget("loads", "warm_list_ms", "list, warm cache, ms", WARM_LIST_MS),
    Budget("loads", "warm_message_ms", "first message, warm cache, ms", WARM_MESSAGE_MS),
    Budget("loads", "phone_list_ms", "list, slow phone, ms", PHONE_LIST_MS),
    Budget("loads", "phone_message_ms", "first message, slow phone, ms", PHONE_MESSAGE_MS),
    Budget("loads", "phone_blocking_ms", "total blocking time, slow phone, ms", PHONE_BLOCKING_MS),
    Budget("loads", "layout_shift", "cumulative layout shift, the worst", LAYOUT_SHIFT),
    Budget("scrolling", "up_p50_ms", "a frame while older ones are read, p50, ms", FRAME_P50_MS),
    Budget("scrolling", "up_p95_ms", "the same, p95, ms", FRAME_P95_MS),
    Budget("scrolling", "up_max_ms", "the same, most, ms", FRAME_MAX_MS),
    Budget("scrolling", "up_dropped_percent", "frames dropped, %", DROPPED_PERCENT),
    Budget("scrolling", "up_blank_percent", "moments with nothing to see, %", BLANK_PERCENT),
    Budget("scrolling", "down_p50_ms", "a frame on the way back, p50, ms", FRAME_P50_MS),
    Budget("scrolling", "down_p95_ms", "the same, p95, ms", FRAME_P95_MS),
    Budget("scrolling", "down_max_ms", "the same, most, ms", FRAME_MAX_MS),
    Budget("scrolling", "down_dropped_percent", "frames dropped, %", DROPPED_PERCENT),
    Budget("scrolling", "down_blank_percent", "moments with nothing to see, %", BLANK_PERCENT),
    Budget("scrolling", "elements", "elements in the document, most", ELEMENTS, True),
    Budget("scrolling", "faults", "errors and warnings in the console", 0, True),
    Budget("sending", "shown_p95_ms", "own message shown, p95, ms", SHOWN_MS),
    Budget("sending", "confirmed_p95_ms", "the server has it, p95, ms", CONFIRMED_MS),
    Budget("sending", "heard_p95_ms", "shown to the other, p95, ms", HEARD_MS),
    Budget("sending", "key_p95_ms", "from a key to the frame that shows it, p95, ms", KEY_MS),
    Budget("sending", "faults", "errors and warnings in the console", 0, True),
    Budget("drops", "cut_p95_ms", "both have all after a cut, p95, ms", CUT_MS),
    Budget("drops", "outage_p95_ms", "both have all after 2 s without a way, p95, ms", OUTAGE_MS),
    Budget("hour", "heap_bytes", "heap after the hour, bytes", HEAP_BYTES),
    Budget("hour", "heap_bytes_per_round", "heap, growth a round, bytes", HEAP_BYTES_PER_ROUND),
    Budget("hour", "nodes_per_round", "DOM nodes, growth a round", NODES_PER_ROUND),
    Budget("hour", "listeners_per_round", "listeners, growth a round", LISTENERS_PER_ROUND, True),
    Budget("hour", "faults", "errors and warnings in the console", 0, True),
)

Figures: TypeAlias = Mapping[str, Mapping[str, Any]]
"""By measure and name. A list counts as many as it has."""


@dataclass(frozen=True, slots=True)
class Verdict:
    budget: Budget
    value: float

    @property
    def holds(self) -> bool:
        return self.budget.holds(self.value)


def judged(found: Figures, *, counted_only: bool = False) -> list[Verdict]:
    """Raises KeyError when a measure that was made lacks a figure with a budget."""
    verdicts = []
    for budget in BUDGETS:
        if budget.measure not in found or (counted_only and not budget.counted):
            continue
        value = found[budget.measure][budget.figure]
        verdicts.append(Verdict(budget, float(len(value) if isinstance(value, list) else value)))
    return verdicts


def table(verdicts: Sequence[Verdict]) -> str:
    """As Markdown."""
    lines = ["| measure | figure | value | budget | |", "|---|---|--:|--:|---|"]
    lines += [
        f"| {it.budget.measure} | {it.budget.title} | {_number(it.value)} | ≤ {_number(it.budget.limit)} | "
        f"{'held' if it.holds else '**exceeded**'} |"
        for it in verdicts
    ]
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
