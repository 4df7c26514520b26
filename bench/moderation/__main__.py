"""`python -m bench.moderation`: what the rules add to a message, with 10,000 words on a block list, and what hostile
texts and patterns do to the event loop.

Nothing is sent: what is measured is all that `chat/judging.py` does to a message between its check and its write. Times
are of the processor, so that other work on the machine counts little; the loop's lag is of the clock.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
from msgspec import Raw

from hubbub.chat import parts
from hubbub.chat.judging import draft_of_parts
from hubbub.config.sections import LimitsConfig
from hubbub.moderation.base import Draft
from hubbub.moderation.judge import Judge
from hubbub.moderation.recent import Recent
from hubbub.moderation.rules import Rule

WORDS = 10_000
ROUNDS = 7
TARGET = 200.0
"""Microseconds that moderation may add to a message."""
LAG = 50.0
"""Milliseconds that the loop may be late, in 99 of 100 looks."""
COMMON = (
    "the of and to a in is it you that he was for on are with as I his they be at one have this from or had by hot but "
    "some what there we can out other were all your when up use word how said an each she which do their time if will "
    "way about many then them would write like so these her long make thing see him two has look more day could go come"
)
SPOKEN = COMMON.split()
EVIL = (r"(a+)+$", r"(a|a)*b", r"^(.*?,){25}P", r"(x+x+)+y", r"(.*a){20}b", r"[ab]*a[ab]{400}c")
RULES = [
    {"name": "words", "when": [{"type": "blocklist", "lists": ["words"]}], "action": "mask"},
    {"name": "links", "when": [{"type": "link", "deny": ["*.evil.example"]}], "action": "reject"},
    {"name": "cards", "when": [{"type": "pattern", "pattern": r"\b(?:\d[ -]?){13,16}\b"}], "action": "hold"},
    {"name": "shouting", "when": [{"type": "shape", "capitals": 0.8}], "action": "flag"},
    {"name": "flood", "when": [{"type": "flood", "messages": 100, "seconds": 10}], "action": "reject"},
    {"name": "again", "when": [{"type": "duplicate", "seconds": 60, "messages": 50}], "action": "reject"},
]


def words(count: int, seed: int = 1) -> tuple[str, ...]:
    """Words that could be some language's, and short ones that common words have within them."""
    dice = random.Random(seed)
    made = {"ass", "tit", "hell"}
    while len(made) < count:
        made.add("".join(dice.choice("etaoinshrdlucmfwypvbgk") for _ in range(dice.randint(4, 10))))
    return tuple(sorted(made))


def judge(*more: Mapping[str, object], count: int = WORDS) -> Judge:
    return Judge(1, msgspec.convert([*RULES, *more], tuple[Rule, ...]), {"words": words(count)})


def draft(text: str, sender: str = "ada") -> Draft:
    raw = Raw(msgspec.json.encode({"type": "text", "text": text}))
    checked = parts.check((raw,), LimitsConfig())
    return draft_of_parts(checked, None, what="send", sender=sender, conversation="c")


def said(length: int, count: int, seed: int = 2) -> list[str]:
    """Texts of about `length` letters."""
    dice = random.Random(seed)
    return [
        " ".join(dice.choice(SPOKEN) for _ in range(max(1, length // 4)))[: length - 1] + "!"
        for _ in range(count)
    ]


TEXTS: dict[str, list[str]] = {
    "20 letters": said(20, 200),
    "100 letters": said(100, 200),
    "400 letters": said(400, 100),
    "Russian, 220 letters": ["Съешь ещё этих мягких французских булок, да выпей же чаю. " * 4] * 50,
    "a word of the list, disguised": [f"you b\u200b4\u0301{word} there" for word in words(40)] * 2,
    "10,000 letters": said(10_000, 5),
    "10,000 of one emoji": ["🔥" * 10_000],
    "10,000 joiners between letters": ["a\u200d" * 5_000],
    "5,000 spaced letters": ["a b " * 2_500],
    "1,000 words of the list": ["ass " * 1_000],
}
HOSTILE = ("10,000", "5,000", "1,000")


def cost(made: Judge, texts: Sequence[str]) -> float:
    """Microseconds of processor time for one message: the median of some rounds."""
    recent, now = Recent(50_000), 0.0
    rounds: list[float] = []
    for _ in range(ROUNDS):
        drafts = [_later(text, number) for number, text in enumerate(texts)]
        begin = time.process_time()
        for each in drafts:
            now += 0.5
            made.find(each(), now, recent)
        rounds.append((time.process_time() - begin) / len(texts) * 1e6)
    return statistics.median(rounds)


def _later(text: str, number: int) -> Callable[[], Draft]:
    raw = (Raw(msgspec.json.encode({"type": "text", "text": text})),)
    checked = parts.check(raw, LimitsConfig())
    return lambda: draft_of_parts(checked, None, what="send", sender=f"user-{number % 50}", conversation="c")


async def lag(made: Judge, texts: Sequence[str], seconds: float) -> tuple[float, float, int]:
    """How late the loop is, in milliseconds, while hostile texts are judged as `chat/judging.py` has them judged: the
    99th percentile and the most; and how many were judged."""
    late: list[float] = []
    end = time.monotonic() + seconds
    count = 0
    beside = ThreadPoolExecutor(1)

    async def look() -> None:
        while time.monotonic() < end:
            before = time.monotonic()
            await asyncio.sleep(0.001)
            late.append((time.monotonic() - before - 0.001) * 1e3)

    async def work() -> None:
        nonlocal count
        while time.monotonic() < end:
            for text in texts:
                each = draft(text)
                if made.costly(each):
                    await asyncio.get_running_loop().run_in_executor(beside, made.look, each)
                else:
                    made.look(each)
                count += 1
                await asyncio.sleep(0)

    await asyncio.gather(look(), *(work() for _ in range(4)))
    late.sort()
    return late[int(len(late) * 0.99)], late[-1], count


def main() -> None:
    begin = time.perf_counter()
    made = judge()
    print(f"made ready in {time.perf_counter() - begin:.2f} s: {WORDS:,} words, {len(RULES)} rules\n")
    print("| Text | µs a message | |\n|---|---:|---|")
    failed = False
    for name, texts in TEXTS.items():
        found = cost(made, texts)
        hostile = name.startswith(HOSTILE)
        failed |= not hostile and found > TARGET
        print(f"| {name} | {found:.1f} | {'beside the loop' if hostile else ''} |")
    none = Judge(1, (), {})
    print(f"| no rules at all, 100 letters | {cost(none, TEXTS['100 letters']):.1f} | |")
    evil = judge(*({"name": p, "when": [{"type": "pattern", "pattern": p}], "action": "flag"} for p in EVIL))
    texts = ["a" * 9_999 + "!", "a," * 5_000, "x" * 10_000, "ab" * 5_000, "a\u200d" * 5_000, "🔥" * 10_000]
    p99, most, count = asyncio.run(lag(evil, texts, 10.0))
    failed |= p99 > LAG
    print(f"\nHostile patterns ({len(EVIL)}) on hostile texts: {count} judged in 10 s; the loop's lag is")
    print(f"{p99:.1f} ms at the 99th percentile, {most:.1f} ms at the most.")
    print(f"\n{'FAILED' if failed else 'held'}: {TARGET:.0f} µs a message, {LAG:.0f} ms of lag")
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
