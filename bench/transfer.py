"""How fast a workspace comes in and goes out, and in how much memory: `python -m bench.transfer --messages 1000000`.

Makes a file of so many messages (a fifth of them in threads, one of ten with a reaction, in 100 conversations of 50
members), imports it with `hubbub import` into a new SQLite database and exports that with `hubbub export`. Each command
is a process of its own, of which the kernel gives the time and the largest resident set.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import Raw

from hubbub.transfer.lines import (
    ConversationLine,
    CursorLine,
    End,
    Line,
    MemberLine,
    MessageLine,
    ReactionLine,
    UserLine,
    Workspace,
    encode,
)

USERS = 500
CONVERSATIONS = 100
INSIDE = 50
WORDS = [
    "the",
    "engine",
    "weaves",
    "patterns",
    "just",
    "as",
    "loom",
    "leaves",
    "and",
    "flowers",
    "what",
    "can",
    "it",
    "do",
    "not",
    "more",
    "than",
    "we",
    "know",
    "how",
]


def lines(messages: int) -> Iterator[Line]:
    """A made-up workspace, the same each time."""
    chance = random.Random(6)
    yield Workspace(1, "bench", 1.0)
    yield from (UserLine(f"u{n}", name=f"User {n}") for n in range(USERS))
    each = messages // CONVERSATIONS
    for c in range(CONVERSATIONS):
        id = f"c{c}"
        inside = [f"u{n}" for n in chance.sample(range(USERS), INSIDE)]
        yield ConversationLine(id, "topic", 10.0, name=f"Topic {c}")
        yield from (MemberLine(id, user) for user in inside)
        roots: list[str] = []
        for n in range(each):
            words = " ".join(chance.choices(WORDS, k=chance.randint(3, 24)))
            thread = chance.choice(roots[-50:]) if roots and n % 5 == 0 else None
            if thread is None:
                roots.append(str(n))
            given = (ReactionLine("👍", tuple(chance.sample(inside, 3))),) if n % 10 == 0 else ()
            part = Raw(b'{"type":"text","text":"%s %d"}' % (words.encode(), n))
            sender = chance.choice(inside)
            yield MessageLine(id, str(n), sender, 1e9 + n, (part,), thread=thread, reactions=given)
        yield from (CursorLine(id, user) for user in inside)
    yield End({"user": USERS, "conversation": CONVERSATIONS, "message": each * CONVERSATIONS})


def run(directory: Path, *arguments: str) -> tuple[float, float, float]:
    """Seconds, seconds of processor time and MiB that a command takes."""
    before = time.monotonic()
    environment = os.environ | {"HUBBUB_STORAGE__URL": "sqlite:///bench.db"}
    child = os.posix_spawn(
        "/usr/bin/env",
        ["env", "-C", str(directory), sys.executable, "-m", "hubbub", *arguments],
        environment,
    )
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"hubbub {arguments[0]} has failed")
    return time.monotonic() - before, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    count = parser.parse_args().messages
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        with (directory / "in.jsonl").open("wb") as file:
            for line in lines(count):
                file.write(encode(line) + b"\n")
        print("| | messages | seconds | messages/s | processor, s | peak RSS, MiB | file, MiB |")
        print("|---|--:|--:|--:|--:|--:|--:|")
        for name, *rest in (("import", "in.jsonl"), ("export", "out.jsonl")):
            seconds, busy, memory = run(directory, name, *rest)
            size = (directory / rest[0]).stat().st_size / 2**20
            figures = f"{seconds:.1f} | {count / seconds:,.0f} | {busy:.1f} | {memory:.0f} | {size:.0f}"
            print(f"| `hubbub {name}` | {count:,} | {figures} |", flush=True)
        database = (directory / "bench.db").stat().st_size / 2**20
        print(f"\nThe database has {database:,.0f} MiB.")


if __name__ == "__main__":
    main()
